//! By which way packets are taken from an interface.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::ParseNameError;

/// What is asked for an interface.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Attach {
    /// XDP in front of TC where it pays, else TC alone.
    #[default]
    Auto,
    /// TC alone.
    Tc,
    /// XDP in front of TC, run by the driver.
    Xdp,
    /// XDP in front of TC, run by the kernel where no driver does: slower than
    /// TC alone, and good for trying out only.
    XdpGeneric,
}

impl Attach {
    pub const ALL: [Attach; 4] = [Attach::Auto, Attach::Tc, Attach::Xdp, Attach::XdpGeneric];

    pub const fn name(self) -> &'static str {
        match self {
            Attach::Auto => "auto",
            Attach::Tc => "tc",
            Attach::Xdp => "xdp",
            Attach::XdpGeneric => "xdp-generic",
        }
    }
}

impl fmt::Display for Attach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Attach {
    type Err = ParseNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Attach::ALL.into_iter().find(|attach| attach.name() == text);
        found.ok_or_else(|| ParseNameError {
            what: "way to attach",
            name: text.to_owned(),
            known: "auto, tc, xdp, xdp-generic",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_read_back() {
        for attach in Attach::ALL {
            assert_eq!(attach.name().parse(), Ok(attach));
        }
        let error = "driver".parse::<Attach>().unwrap_err();
        assert!(error.to_string().contains("known are auto"));
    }
}

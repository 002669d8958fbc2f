//! One thing that is not as it should be.

use std::fmt;
use std::net::Ipv4Addr;

use serde::Serialize;

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Stays the same from version to version.
    pub name: &'static str,
    pub severity: Severity,
    pub what: String,
    /// Where the command is to be typed.
    pub place: Place,
    pub command: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Traffic is lost, or will be.
    Fault,
    /// Works, but not as most would want it.
    Remark,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    ThisHost,
    Server(Ipv4Addr),
    /// A machine of which only the hardware address is known.
    Machine(String),
}

impl Finding {
    pub(crate) fn fault(name: &'static str, what: String, command: String) -> Self {
        Finding {
            name,
            severity: Severity::Fault,
            what,
            place: Place::ThisHost,
            command,
        }
    }

    pub(crate) fn remark(name: &'static str, what: String, command: String) -> Self {
        Finding {
            severity: Severity::Remark,
            ..Finding::fault(name, what, command)
        }
    }

    pub(crate) fn at(self, place: Place) -> Self {
        Finding { place, ..self }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = match self.severity {
            Severity::Fault => "fault",
            Severity::Remark => "remark",
        };
        writeln!(f, "{severity} {}: {}", self.name, self.what)?;
        match &self.place {
            Place::ThisHost => writeln!(f, "  mend it: {}", self.command),
            Place::Server(address) => writeln!(f, "  mend it on {address}: {}", self.command),
            Place::Machine(mac) => writeln!(f, "  mend it on the host {mac}: {}", self.command),
        }
    }
}

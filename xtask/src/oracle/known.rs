//! Differences that are meant, each with its reason and a row in `docs/ipvs-parity.md`.

use anyhow::{Context, Result};
use serde::Deserialize;

const FILE: &str = include_str!("../../oracle/known.toml");

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Known {
    #[serde(default)]
    difference: Vec<Difference>,
}

/// A difference and how it is recognised: by words of the step, and by words that every
/// line has which only one of the two wrote.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Difference {
    /// As in the first column of the table in the documentation.
    pub row: String,
    step: String,
    ipvs: String,
    vsnat: String,
    pub then: Then,
}

/// Whether the rest of a sequence can still be compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Then {
    Continue,
    Stop,
}

impl Known {
    pub fn read() -> Result<Self> {
        toml::from_str(FILE).context("xtask/oracle/known.toml is wrong")
    }

    /// The entry that covers a difference: words of the step, lines of each side alone.
    pub fn find(&self, step: &str, ipvs: &[&str], vsnat: &[&str]) -> Option<&Difference> {
        self.difference.iter().find(|known| {
            step.contains(&known.step)
                && ipvs.iter().all(|line| line.contains(&known.ipvs))
                && vsnat.iter().all(|line| line.contains(&known.vsnat))
        })
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::workspace::Workspace;

    #[test]
    fn each_known_difference_has_a_row_in_the_documentation() {
        let page = Workspace::locate()
            .unwrap()
            .root()
            .join("docs/ipvs-parity.md");
        let page = fs::read_to_string(page).unwrap();
        for known in Known::read().unwrap().difference {
            assert!(
                page.contains(&format!("| {} |", known.row)),
                "{}",
                known.row
            );
        }
    }

    #[test]
    fn all_lines_of_a_difference_have_to_be_covered() {
        let known: Known = toml::from_str(
            "[[difference]]\nrow = 'a'\nstep = '-A'\nipvs = 'old'\nvsnat = 'new'\nthen = 'stop'\n",
        )
        .unwrap();

        assert!(known.find("ipvsadm -A", &["old 1"], &["new 1"]).is_some());
        assert!(
            known
                .find("ipvsadm -A", &["old 1", "x"], &["new 1"])
                .is_none()
        );
        assert!(known.find("ipvsadm -E", &["old 1"], &["new 1"]).is_none());
    }
}

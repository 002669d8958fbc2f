//! Differences that are meant, each with its reason and a row in `docs/ipvs-parity.md`.

use anyhow::{Context, Result};
use oracle::plan::Step;
use serde::Deserialize;

const FILE: &str = include_str!("../../oracle/known.toml");

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Known {
    #[serde(default)]
    difference: Vec<Difference>,
}

/// A difference and how it is recognised. All that is given has to hold.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Difference {
    /// As in the first column of the table in the documentation.
    pub row: String,
    /// What IPVS did: a file in `xtask/oracle/recorded`.
    pub recorded: String,
    /// Words of the step.
    step: String,
    /// Words of a step before it.
    after: Option<String>,
    /// Words of every line that only IPVS wrote.
    ipvs: Option<String>,
    /// Words of every line that only vsnat wrote.
    vsnat: Option<String>,
    /// Lines of vsnat's, cut off before these words, are IPVS's.
    cut: Option<String>,
    /// Lines are the same but for this column, counted from 0.
    column: Option<usize>,
    /// Lines that only one side may write: the other's are all there.
    only: Option<Side>,
    pub then: Then,
}

/// Who wrote a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Side {
    Vsnat,
}

/// Whether the rest of a sequence can still be compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Then {
    Continue,
    Stop,
}

/// What two answers differ in.
pub struct Found<'a> {
    /// The steps before, in order.
    pub before: &'a [Step],
    pub step: &'a Step,
    /// Lines that only one of the two wrote.
    pub ipvs: Vec<&'a str>,
    pub vsnat: Vec<&'a str>,
}

impl Known {
    pub fn read() -> Result<Self> {
        toml::from_str(FILE).context("xtask/oracle/known.toml is wrong")
    }

    /// The entry that covers a difference.
    pub fn find(&self, found: &Found) -> Option<&Difference> {
        self.difference.iter().find(|known| known.covers(found))
    }
}

impl Difference {
    fn covers(&self, found: &Found) -> bool {
        found.step.to_string().contains(&self.step)
            && self.comes_after(found)
            && all_contain(&found.ipvs, self.ipvs.as_deref())
            && all_contain(&found.vsnat, self.vsnat.as_deref())
            && self.is_cut(found)
            && self.is_in_column(found)
            && self.is_only(found)
    }

    fn comes_after(&self, found: &Found) -> bool {
        let Some(words) = &self.after else {
            return true;
        };
        let mut before = found.before.iter().map(Step::to_string);
        before.any(|step| step.contains(words))
    }

    fn is_cut(&self, found: &Found) -> bool {
        let Some(cut) = &self.cut else {
            return true;
        };
        let shorter = found
            .vsnat
            .iter()
            .map(|line| line.find(cut.as_str()).map_or(*line, |end| &line[..end]));
        shorter.eq(found.ipvs.iter().copied())
    }

    fn is_in_column(&self, found: &Found) -> bool {
        let Some(column) = self.column else {
            return true;
        };
        let without = |line: &&str| -> Vec<String> {
            let columns = line.split_whitespace().enumerate();
            let others = columns.filter(|(index, _)| *index != column);
            others.map(|(_, word)| word.to_owned()).collect()
        };
        found
            .vsnat
            .iter()
            .map(without)
            .eq(found.ipvs.iter().map(without))
    }

    fn is_only(&self, found: &Found) -> bool {
        match self.only {
            None => true,
            Some(Side::Vsnat) => found.ipvs.is_empty(),
        }
    }
}

fn all_contain(lines: &[&str], words: Option<&str>) -> bool {
    words.is_none_or(|words| lines.iter().all(|line| line.contains(words)))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::workspace::Workspace;

    fn step(line: &str) -> Step {
        Step::Ipvsadm(line.split_whitespace().map(str::to_owned).collect())
    }

    /// The row of a difference in a listing.
    fn row(before: &[Step], line: &str, ipvs: &[&str], vsnat: &[&str]) -> Option<String> {
        let known = Known::read().unwrap();
        let found = Found {
            before,
            step: &step(line),
            ipvs: ipvs.to_vec(),
            vsnat: vsnat.to_vec(),
        };
        known
            .find(&found)
            .map(|difference| difference.row.to_owned())
    }

    #[test]
    fn each_known_difference_has_a_row_in_the_documentation_and_a_recording() {
        let root = Workspace::locate().unwrap().root().to_owned();
        let page = fs::read_to_string(root.join("docs/ipvs-parity.md")).unwrap();
        for known in Known::read().unwrap().difference {
            let row = format!("\n| {} |", known.row);
            assert!(page.contains(&row), "{}", known.row);
            let recorded = root.join("xtask/oracle/recorded").join(&known.recorded);
            assert!(recorded.exists(), "{}", recorded.display());
        }
    }

    #[test]
    fn a_known_difference_in_a_line_does_not_hide_another_in_it() {
        let ipvs = ["-a -t v -r r -m -w 1"];

        let kept = ["-a -t v -r r -m -w 1 -x 4 -y 1"];
        assert!(row(&[], "-Sn", &ipvs, &kept).is_some());
        let kept = ["-a -t v -r r -m -w 2 -x 4 -y 1"];
        assert!(row(&[], "-Sn", &ipvs, &kept).is_none());
    }

    #[test]
    fn void_templates_are_covered_and_connections_are_not() {
        let void = "TCP ASSURED 10.16.6.1:0 10.0.1.100:65535 10.32.6.2:65535";
        let connection = "TCP ESTABLISHED 10.16.6.1:2001 10.0.1.100:80 10.32.6.2:80";

        assert!(row(&[], "-Lnc", &[void], &[]).is_some());
        assert!(row(&[], "-Lnc", &[void, connection], &[]).is_none());
        assert!(row(&[], "-Lnc", &[], &[connection]).is_none());
    }

    #[test]
    fn what_a_setting_explains_needs_the_setting() {
        let connection = "TCP ESTABLISHED 10.16.6.1:2001 10.0.1.100:80 10.32.6.2:80";
        let set = Step::Set {
            name: "expire_nodest_conn".to_owned(),
            value: 1,
        };

        assert!(row(std::slice::from_ref(&set), "-Lnc", &[], &[connection]).is_some());
        assert!(row(&[set], "-Lnc", &[connection], &[]).is_none());
    }

    #[test]
    fn only_the_named_column_may_differ() {
        let persistent = |server: &str, templates: &str, active: &str| {
            format!("  -> {server} 1 {templates} {active} 0")
        };
        let ipvs = persistent("10.32.0.1:80", "2", "1");
        let templates = persistent("10.32.0.1:80", "1", "1");
        let active = persistent("10.32.0.1:80", "2", "3");

        let listing = "-Ln --persistent-conn";
        assert!(row(&[], listing, &[&ipvs], &[&templates]).is_some());
        assert!(row(&[], listing, &[&ipvs], &[&active]).is_none());
    }
}

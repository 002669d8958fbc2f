//! `cargo xtask bench path`: the whole path of a packet here, and under the kernel's IPVS
//! in a guest that has it.
//!
//! The two cannot be measured side by side: this machine's kernel may have no IPVS, and
//! the guest's runs no eBPF. So each is held against plain routing of its own kernel, by
//! the same program, and the ratios are compared.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use crate::oracle::machine::{Driver, GUEST_LOG, Linkage, Machine};
use crate::packages;
use crate::process;
use crate::workspace::Workspace;

/// Whether the guest's part is measured too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GuestPart {
    Measured,
    LeftOut,
}

/// Nothing else runs in the guest, and its kernel needs the CPU to be shared.
const JOB: &str = "/vsnat bench path --compare ipvs --many 0 --share-cpu --save /share/path.json";
const IN_GUEST: &str = "path.json";
/// Booting and measuring take a minute.
const LIMIT: Duration = Duration::from_secs(600);

pub fn run(
    workspace: &Workspace,
    vsnat: &Path,
    guest: GuestPart,
    arguments: &[String],
) -> Result<()> {
    let folder = workspace.target("bench/path");
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let here = measure_here(vsnat, &folder, arguments)?;
    if guest == GuestPart::LeftOut {
        println!("xtask: IPVS is left out");
        return here.conclude(true);
    }
    let there = measure_there(workspace, vsnat, &folder)?;
    let below = [("vsnat", "ipvs"), ("vsnat_replies", "ipvs_replies")]
        .iter()
        .map(|(ours, theirs)| is_below(&here, ours, &there, theirs))
        .collect::<Result<Vec<bool>>>()?;
    here.conclude(below.iter().all(|met| *met))
}

/// A measurement as `vsnat bench path` writes it; what is of use here.
#[derive(Debug, Deserialize)]
struct Report {
    figures: Vec<Figure>,
    goals: Vec<Goal>,
}

#[derive(Debug, Deserialize)]
struct Figure {
    row: String,
    name: String,
    ratio: Spread,
}

#[derive(Debug, Deserialize)]
struct Spread {
    median: f64,
    low: f64,
    high: f64,
}

#[derive(Debug, Deserialize)]
struct Goal {
    met: bool,
}

impl Report {
    fn read(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path)
            .with_context(|| format!("nothing was measured: cannot read {}", path.display()))?;
        serde_json::from_str(&text)
            .with_context(|| format!("{} is no measurement of this version", path.display()))
    }

    fn figure(&self, row: &str) -> Option<&Figure> {
        self.figures.iter().find(|figure| figure.row == row)
    }

    fn conclude(&self, others_are_met: bool) -> Result<()> {
        if others_are_met && self.goals.iter().all(|goal| goal.met) {
            return Ok(());
        }
        bail!("not every goal is met")
    }
}

fn measure_here(vsnat: &Path, folder: &Path, arguments: &[String]) -> Result<Report> {
    let saved = folder.join("here.json");
    forget(&saved)?;
    let why = "benchmarks load eBPF programs: run them as root, or install sudo";
    let mut command = packages::vsnat_as_root(vsnat, why)?;
    command.args(["bench", "path", "--save"]).arg(&saved);
    let ended = process::run(command.args(arguments));
    // A goal that is not met fails it too, but leaves figures behind.
    match Report::read(&saved) {
        Ok(report) => Ok(report),
        Err(unread) => Err(ended.err().unwrap_or(unread)),
    }
}

fn measure_there(workspace: &Workspace, vsnat: &Path, folder: &Path) -> Result<Report> {
    let executable = stripped(vsnat, folder)?;
    let driver = Driver {
        name: "vsnat",
        executable: &executable,
        linkage: Linkage::Dynamic,
    };
    let machine = Machine::prepare(&workspace.target("oracle"), &driver)?;
    let release = machine.release();
    println!("xtask: the same with IPVS, in a guest with kernel {release}");
    let saved = folder.join(IN_GUEST);
    forget(&saved)?;
    machine.boot(folder, JOB)?.finish(LIMIT)?;
    print!("{}", fs::read_to_string(folder.join(GUEST_LOG))?);
    Report::read(&saved)
}

/// The guest's disk is memory.
fn stripped(vsnat: &Path, folder: &Path) -> Result<PathBuf> {
    let stripped = folder.join("vsnat");
    let mut command = Command::new("objcopy");
    command.arg("--strip-debug").arg(vsnat).arg(&stripped);
    process::run(&mut command).context("cannot strip vsnat")?;
    Ok(stripped)
}

/// Says whether vsnat is below IPVS, and not by chance: its slow tenth lies below the
/// fast tenth of the other.
fn is_below(here: &Report, ours: &str, there: &Report, theirs: &str) -> Result<bool> {
    let Some(ours) = here.figure(ours) else {
        println!("xtask: vsnat is not among what was measured");
        return Ok(true);
    };
    let theirs = there
        .figure(theirs)
        .with_context(|| format!("the guest measured no row {theirs}"))?;
    let met = ours.ratio.high < theirs.ratio.low;
    println!(
        "{:<8} {} below {}: {:.3} × plain routing, and {:.3} × plain routing of the guest",
        if met { "met" } else { "not met" },
        ours.name,
        theirs.name,
        ours.ratio.median,
        theirs.ratio.median,
    );
    Ok(met)
}

fn forget(path: &Path) -> Result<()> {
    if path.exists() {
        fs::remove_file(path).with_context(|| format!("cannot remove {}", path.display()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{Report, is_below};

    fn report(row: &str, low: f64, high: f64) -> Report {
        let median = (low + high) / 2.0;
        let text = format!(
            r#"{{"kernel":"6.1","figures":[{{"row":"{row}","name":"{row}",
                "ratio":{{"median":{median},"low":{low},"high":{high}}}}}],
                "goals":[{{"what":"x","measured":1.0,"most":2.0,"met":true}}]}}"#
        );
        serde_json::from_str(&text).unwrap()
    }

    #[test]
    fn below_means_beyond_the_spread() {
        let ours = report("vsnat", 0.9, 1.0);
        let is = |theirs| is_below(&ours, "vsnat", &theirs, "ipvs").unwrap();
        assert!(is(report("ipvs", 1.1, 1.3)));
        assert!(!is(report("ipvs", 0.99, 1.3)));
        let nothing = report("routing", 1.0, 1.0);
        assert!(is_below(&ours, "vsnat", &nothing, "ipvs").is_err());
    }

    #[test]
    fn a_goal_that_is_not_met_fails() {
        let mut report = report("vsnat", 0.9, 1.0);
        assert!(report.conclude(true).is_ok());
        assert!(report.conclude(false).is_err());
        report.goals[0].met = false;
        assert!(report.conclude(true).is_err());
    }
}

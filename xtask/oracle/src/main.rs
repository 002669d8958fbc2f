//! Carries out a plan in one world: builds the network, runs every sequence, and
//! writes one line of answers for each.
//!
//! Not called by hand: `cargo xtask oracle` runs it here and in the guest.

mod carry;
mod director;
mod namespace;
mod ports;
mod tcp;
mod udp;

use std::env;
use std::fs::{self, File};
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use oracle::plan::Plan;

use director::Director;
use namespace::Network;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("oracle: error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let words: Vec<PathBuf> = env::args_os().skip(1).map(PathBuf::from).collect();
    let (plan, answers, vsnat) = match words.as_slice() {
        [plan, answers] => (plan, answers, None),
        [plan, answers, vsnat] => (plan, answers, Some(vsnat)),
        _ => bail!("usage: oracle PLAN ANSWERS [VSNAT], without VSNAT for the kernel's IPVS"),
    };
    let text =
        fs::read_to_string(plan).with_context(|| format!("cannot read {}", plan.display()))?;
    let plan: Plan = serde_json::from_str(&text).context("the plan is not one of this version")?;
    let mut out =
        File::create(answers).with_context(|| format!("cannot create {}", answers.display()))?;

    let network = Network::build()?;
    let director = match vsnat {
        None => Director::kernel()?,
        Some(executable) => Director::vsnat(executable)?,
    };
    let mut carrier = carry::Carrier::new(&network, &director)?;
    for sequence in &plan.sequences {
        let answers = carrier.carry_out(sequence)?;
        let mut line = serde_json::to_string(&answers)?;
        line.push('\n');
        // One write: whoever follows the file sees whole lines.
        out.write_all(line.as_bytes())?;
    }
    Ok(())
}

//! The budget of verified instructions: how much work each eBPF program is for the
//! kernel's verifier, as it was measured when the budget was last agreed on.
//!
//! The verifier refuses a program beyond a million instructions and every step
//! there comes unnoticed, so growth of more than a twentieth has to be a decision.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use crate::build::{self, Profile};
use crate::process;
use crate::workspace::Workspace;

/// Compilers differ by a few per cent from one patch level to the next.
const ALLOWED_GROWTH_PERCENT: u64 = 5;
const FILE_HEAD: &str = "\
# Instructions that the kernel's verifier walks through for each eBPF program, as
# measured. `cargo xtask test` fails when one grows by more than 5 %; after a
# deliberate change run `cargo xtask budget --update` and commit this file with it.
";

/// What to do with the measured figures.
#[derive(Debug, Clone, Copy)]
pub enum BudgetMode {
    Check,
    Update,
}

#[derive(Debug, Deserialize)]
struct Measured {
    program: String,
    verified_instructions: u64,
    bytes: u64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Budget {
    verified_instructions: BTreeMap<String, u64>,
}

/// Measures with the eBPF object that is there; the caller has built it.
pub fn run(workspace: &Workspace, mode: BudgetMode) -> Result<()> {
    let measured = measure(workspace)?;
    let file = workspace.budget_file();
    match mode {
        BudgetMode::Update => {
            fs::write(&file, render(&measured))
                .with_context(|| format!("cannot write {}", file.display()))?;
            println!("xtask: wrote {}", file.display());
            Ok(())
        }
        BudgetMode::Check => {
            let text = fs::read_to_string(&file).with_context(|| {
                format!(
                    "cannot read {}; `cargo xtask budget --update` writes it",
                    file.display()
                )
            })?;
            let budget: Budget = toml::from_str(&text)
                .with_context(|| format!("{} is not a budget file", file.display()))?;
            print_table(&measured, &budget);
            let complaints = compare(&measured, &budget);
            if !complaints.is_empty() {
                bail!(
                    "instruction budget: {}; if that is meant, run `cargo xtask budget --update`",
                    complaints.join("; ")
                );
            }
            Ok(())
        }
    }
}

/// Asks vsnat, which loads every program once and reads what the kernel says of it.
fn measure(workspace: &Workspace) -> Result<Vec<Measured>> {
    if !process::is_root() {
        bail!("the verifier counts instructions when a program is loaded, and loading needs root");
    }
    let vsnat = build::vsnat_executable(workspace, Profile::Dev)?;
    let text = process::output(Command::new(&vsnat).args(["bpf-info", "--json"]))?;
    let measured: Vec<Measured> = serde_json::from_str(&text)
        .context("`vsnat bpf-info --json` wrote something else than a list of programs")?;
    if measured.is_empty() {
        bail!("`vsnat bpf-info --json` lists no program");
    }
    Ok(measured)
}

fn compare(measured: &[Measured], budget: &Budget) -> Vec<String> {
    let budgeted = &budget.verified_instructions;
    let mut complaints = Vec::new();
    for program in measured {
        match budgeted.get(&program.program) {
            None => complaints.push(format!("{} has no budget", program.program)),
            Some(&allowed) if exceeds(program.verified_instructions, allowed) => complaints.push(format!(
                "{} grew from {allowed} to {} instructions, more than {ALLOWED_GROWTH_PERCENT} %",
                program.program, program.verified_instructions
            )),
            Some(_) => {}
        }
    }
    let gone = budgeted
        .keys()
        .filter(|name| measured.iter().all(|program| program.program != **name));
    complaints.extend(gone.map(|name| format!("{name} has a budget but is not built")));
    complaints
}

fn exceeds(measured: u64, allowed: u64) -> bool {
    measured * 100 > allowed * (100 + ALLOWED_GROWTH_PERCENT)
}

fn print_table(measured: &[Measured], budget: &Budget) {
    println!(
        "xtask: {:<24} {:>12} {:>12} {:>10}",
        "eBPF program", "instructions", "budget", "bytes"
    );
    for program in measured {
        let allowed = budget.verified_instructions.get(&program.program);
        println!(
            "xtask: {:<24} {:>12} {:>12} {:>10}",
            program.program,
            program.verified_instructions,
            allowed.map_or_else(|| "none".to_owned(), u64::to_string),
            program.bytes
        );
    }
}

fn render(measured: &[Measured]) -> String {
    let sorted: BTreeMap<&str, u64> = measured
        .iter()
        .map(|program| (program.program.as_str(), program.verified_instructions))
        .collect();
    let mut text = format!("{FILE_HEAD}\n[verified_instructions]\n");
    for (name, instructions) in sorted {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{name} = {instructions}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(program: &str, verified_instructions: u64) -> Measured {
        Measured {
            program: program.to_owned(),
            verified_instructions,
            bytes: 1,
        }
    }

    fn budget(entries: &[(&str, u64)]) -> Budget {
        let verified_instructions = entries
            .iter()
            .map(|(name, count)| ((*name).to_owned(), *count))
            .collect();
        Budget {
            verified_instructions,
        }
    }

    #[test]
    fn growth_up_to_a_twentieth_passes() {
        let allowed = budget(&[("vsnat_outer", 1000)]);

        assert!(compare(&[measured("vsnat_outer", 1050)], &allowed).is_empty());
        assert!(compare(&[measured("vsnat_outer", 10)], &allowed).is_empty());
        assert_eq!(compare(&[measured("vsnat_outer", 1051)], &allowed).len(), 1);
    }

    #[test]
    fn programs_without_budget_and_budgets_without_program_are_named() {
        let complaints = compare(&[measured("new", 5)], &budget(&[("old", 5)]));

        assert_eq!(
            complaints,
            ["new has no budget", "old has a budget but is not built"]
        );
    }

    #[test]
    fn what_update_writes_is_what_check_reads() {
        let programs = [measured("vsnat_outer", 1234), measured("vsnat_inner", 99)];
        let read: Budget = toml::from_str(&render(&programs)).unwrap();

        assert!(compare(&programs, &read).is_empty());
        assert_eq!(read.verified_instructions.len(), 2);
    }
}

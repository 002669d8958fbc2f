//! The README's second command: all tests, with none skipped in silence.
//!
//! Test programs whose name starts with `privileged` make namespaces and load eBPF
//! programs: they need root and run one test at a time. Without root everything else
//! runs, and then the whole run fails, because half a test run must not look green.

use anyhow::{Result, bail};

use crate::budget::{self, BudgetMode};
use crate::build::{self, Artifact, Role};
use crate::ebpf;
use crate::libtest::{self, Counts, Threads};
use crate::others;
use crate::packages::{self, Purpose};
use crate::peers;
use crate::process;
use crate::workspace::Workspace;

const PRIVILEGED_PREFIX: &str = "privileged";

#[derive(Default)]
struct Tally {
    programs: u32,
    counts: Counts,
    failures: Vec<String>,
}

pub fn run(workspace: &Workspace, filter: &[String]) -> Result<()> {
    if process::is_root() {
        packages::ensure(&[Purpose::Lab, Purpose::Test])?;
        others::ensure(workspace)?;
        peers::ensure(workspace)?;
    }
    ebpf::build_both(workspace)?;
    let programs = build::artifacts(workspace.cargo().args(["test", "--no-run"]))?;
    let (privileged, ordinary): (Vec<Artifact>, Vec<Artifact>) = programs
        .into_iter()
        .filter(|program| program.role == Role::Tests)
        .partition(|program| program.name.starts_with(PRIVILEGED_PREFIX));

    let mut unprivileged_tally = Tally::default();
    let mut privileged_tally = Tally::default();
    let whole = filter.is_empty();
    if whole && process::is_root() {
        // Before the tests: a program that grew too much tends to make them fail too.
        if let Err(error) = budget::run(workspace, BudgetMode::Check) {
            println!("xtask: {error:#}");
            privileged_tally
                .failures
                .push("instruction budget".to_owned());
        }
    }
    if whole {
        run_documentation(workspace, &mut unprivileged_tally)?;
    }
    run_programs(
        workspace,
        &ordinary,
        Threads::Many,
        filter,
        &mut unprivileged_tally,
    )?;
    if process::is_root() {
        run_programs(
            workspace,
            &privileged,
            Threads::One,
            filter,
            &mut privileged_tally,
        )?;
    }

    report(&unprivileged_tally, &privileged_tally);
    verdict(&unprivileged_tally, &privileged_tally, &privileged)
}

fn run_documentation(workspace: &Workspace, tally: &mut Tally) -> Result<()> {
    println!("\nxtask: examples in the documentation");
    let outcome = libtest::watch(workspace.cargo().args(["test", "--doc"]))?;
    tally.note("examples in the documentation", &outcome);
    Ok(())
}

fn run_programs(
    workspace: &Workspace,
    programs: &[Artifact],
    threads: Threads,
    filter: &[String],
    tally: &mut Tally,
) -> Result<()> {
    for program in programs {
        let outcome = libtest::run(workspace, program, threads, filter)?;
        let package = program
            .package_dir
            .file_name()
            .unwrap_or_default()
            .to_string_lossy();
        tally.note(&format!("{package}: {}", program.name), &outcome);
    }
    Ok(())
}

impl Tally {
    fn note(&mut self, name: &str, outcome: &libtest::Outcome) {
        self.programs += 1;
        self.counts += outcome.counts;
        if let Some(failure) = &outcome.failure {
            self.failures.push(format!("{name} ({failure})"));
        }
    }
}

fn report(unprivileged: &Tally, privileged: &Tally) {
    for (kind, tally) in [("unprivileged", unprivileged), ("privileged", privileged)] {
        println!(
            "xtask: {kind}: {} passed, {} failed, {} ignored in {} programs",
            tally.counts.passed, tally.counts.failed, tally.counts.ignored, tally.programs
        );
    }
}

fn verdict(
    unprivileged: &Tally,
    privileged: &Tally,
    privileged_programs: &[Artifact],
) -> Result<()> {
    let failures: Vec<&str> = unprivileged
        .failures
        .iter()
        .chain(&privileged.failures)
        .map(String::as_str)
        .collect();
    if !failures.is_empty() {
        bail!("these failed:\n  {}", failures.join("\n  "));
    }
    if privileged_programs.is_empty() {
        bail!(
            "no test program named {PRIVILEGED_PREFIX}* was built, so the packet path was not tested"
        );
    }
    if !process::is_root() {
        bail!(
            "REFUSED: {} privileged test programs and the instruction budget did not run, because they need root; \
             run `sudo -E env \"PATH=$PATH\" cargo xtask test`",
            privileged_programs.len()
        );
    }
    Ok(())
}

//! The comparison with the kernel's own IPVS: random sequences of command lines and
//! connections, carried out there and here, and every answer held against the other.
//!
//! It is a command of its own and no part of `cargo xtask test`: it boots a machine and
//! takes minutes.

mod compare;
mod draw;
mod generate;
mod known;
pub mod machine;
mod mask;

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail};
use clap::Args;
use oracle::plan::Plan;
use oracle::world::{DIRECTOR, PREFIX};

use crate::build::{self, Profile, Role};
use crate::packages::{self, Purpose};
use crate::process;
use crate::workspace::Workspace;

use known::Known;
use machine::{ANSWERS, Driver, Guest, Linkage, Machine, PLAN};

/// For each sequence; many times what one takes.
const LIMIT_PER_SEQUENCE: Duration = Duration::from_secs(15);
/// For booting, and for loading our packet path.
const LIMIT_AT_LEAST: Duration = Duration::from_secs(120);
const PROGRESS_EVERY: Duration = Duration::from_secs(20);
const POLL: Duration = Duration::from_millis(200);
/// What a guest does.
const JOB: &str = "/oracle /share/plan.json /share/answers.jsonl";
const TARGET: &str = "x86_64-unknown-linux-gnu";

#[derive(Debug, Args)]
pub struct Options {
    /// Draw the sequences of an earlier run again [default: a new seed, printed]
    #[arg(long)]
    seed: Option<u64>,
    /// How many sequences to draw
    #[arg(long, default_value_t = 500)]
    sequences: u32,
    /// Carry out this one alone
    #[arg(long, value_name = "NUMBER")]
    only: Option<u32>,
    /// How many differences to print
    #[arg(long, default_value_t = 20)]
    show: usize,
    /// Compare IPVS with itself, which tells what a run of this test cannot tell
    #[arg(long)]
    itself: bool,
    /// How many guests share the work of IPVS, each on one CPU
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=8))]
    guests: u8,
    /// Use this vsnat instead of building one
    #[arg(long, value_name = "FILE")]
    vsnat: Option<PathBuf>,
}

pub fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    if !process::is_root() {
        bail!("network namespaces and eBPF programs need root; run it with sudo");
    }
    packages::ensure(&[Purpose::Lab])?;
    let known = Known::read()?;
    let driver = build_driver(workspace)?;
    let in_guest = Driver {
        name: "oracle",
        executable: &driver,
        linkage: Linkage::Static,
    };
    let machine = Machine::prepare(&workspace.target("oracle"), &in_guest)?;

    let seed = options.seed.unwrap_or_else(new_seed);
    let plan = match options.only {
        Some(number) => generate::plan(seed, std::iter::once(number)),
        None => generate::plan(seed, 0..options.sequences),
    };
    println!(
        "xtask: seed {seed}: {} sequences, with kernel {}",
        plan.sequences.len(),
        machine.release()
    );
    let worlds = Worlds::prepare(workspace, options, plan)?;
    worlds.carry_out(workspace, options, &machine, &driver)?;

    let verdict = worlds.compare(&known)?;
    report(&verdict, &worlds.plan, options.show);
    conclude(&verdict, seed)
}

/// The plan, and the folders of those that carry it out.
struct Worlds {
    plan: Plan,
    /// One for each guest, with its share of the sequences.
    ipvs: Vec<PathBuf>,
    vsnat: PathBuf,
}

impl Worlds {
    fn prepare(workspace: &Workspace, options: &Options, plan: Plan) -> Result<Self> {
        let guests = usize::from(options.guests).min(plan.sequences.len().max(1));
        let mut ipvs = Vec::new();
        for guest in 0..guests {
            let share = Plan {
                sequences: plan
                    .sequences
                    .iter()
                    .skip(guest)
                    .step_by(guests)
                    .cloned()
                    .collect(),
            };
            ipvs.push(folder(workspace, &format!("ipvs-{}", guest + 1), &share)?);
        }
        let vsnat = folder(workspace, "vsnat", &plan)?;
        Ok(Worlds { plan, ipvs, vsnat })
    }

    fn carry_out(
        &self,
        workspace: &Workspace,
        options: &Options,
        machine: &Machine,
        driver: &Path,
    ) -> Result<()> {
        let sequences = u32::try_from(self.plan.sequences.len()).unwrap_or(u32::MAX);
        let limit = LIMIT_AT_LEAST + LIMIT_PER_SEQUENCE * sequences;
        let vsnat = match (&options.vsnat, options.itself) {
            (_, true) => None,
            (Some(vsnat), false) => Some(vsnat.clone()),
            (None, false) => Some(build::vsnat(workspace, Profile::Release)?),
        };
        let start = Instant::now();
        let guests = self
            .ipvs
            .iter()
            .map(|share| machine.boot(share, JOB))
            .collect::<Result<Vec<Guest>>>()?;
        match vsnat {
            None => {
                machine.boot(&self.vsnat, JOB)?.finish(limit)?;
            }
            // At the same time: guests are processes of one CPU each.
            Some(vsnat) => {
                let took = ours(driver, &vsnat, &self.vsnat, &self.ipvs, limit)?;
                println!("xtask: vsnat took {} s", took.as_secs());
            }
        }
        for guest in guests {
            guest.finish(limit)?;
        }
        println!("xtask: IPVS took {} s", start.elapsed().as_secs());
        Ok(())
    }

    fn compare(&self, known: &Known) -> Result<compare::Verdict> {
        let mut ipvs = HashMap::new();
        for share in &self.ipvs {
            ipvs.extend(compare::read(&share.join(ANSWERS))?);
        }
        let vsnat = compare::read(&self.vsnat.join(ANSWERS))?;
        compare::compare(&self.plan, &ipvs, &vsnat, known)
    }
}

/// Carries the plan out with vsnat, on this machine.
fn ours(
    driver: &Path,
    vsnat: &Path,
    here: &Path,
    there: &[PathBuf],
    limit: Duration,
) -> Result<Duration> {
    let start = Instant::now();
    let answers = here.join(ANSWERS);
    if answers.exists() {
        fs::remove_file(&answers)?;
    }
    let mut child = Command::new(driver)
        .args([&here.join(PLAN), &answers])
        .arg(vsnat)
        .stdin(Stdio::null())
        .spawn()
        .with_context(|| format!("cannot start {}", driver.display()))?;
    let mut told = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if start.elapsed() > limit {
            end(&mut child, vsnat);
            bail!("vsnat's half still runs after {} s", limit.as_secs());
        }
        if told.elapsed() > PROGRESS_EVERY {
            told = Instant::now();
            println!(
                "xtask: {} sequences with vsnat, {} with IPVS",
                lines(&answers),
                there
                    .iter()
                    .map(|share| lines(&share.join(ANSWERS)))
                    .sum::<usize>()
            );
        }
        thread::sleep(POLL);
    };
    if !status.success() {
        bail!("vsnat's half failed ({status})");
    }
    Ok(start.elapsed())
}

fn end(child: &mut Child, vsnat: &Path) {
    // It may just have ended by itself.
    let _ = child.kill();
    let _ = child.wait();
    // The director that it started goes on without it.
    let _ = Command::new(vsnat)
        .args(["down", "--name", PREFIX, "--netns", DIRECTOR])
        .status();
}

fn lines(path: &Path) -> usize {
    fs::read_to_string(path).map_or(0, |text| text.lines().count())
}

/// A folder of one world with its plan.
fn folder(workspace: &Workspace, world: &str, plan: &Plan) -> Result<PathBuf> {
    let folder = workspace.target("oracle").join(world);
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let text = serde_json::to_string(plan)?;
    fs::write(folder.join(PLAN), text)?;
    Ok(folder)
}

/// Static, so that it runs in a guest without this machine's libraries.
fn build_driver(workspace: &Workspace) -> Result<PathBuf> {
    let mut cargo = workspace.cargo();
    cargo
        .args([
            "build",
            "--package",
            "oracle",
            "--release",
            "--target",
            TARGET,
        ])
        // A folder of its own: other flags would rebuild everything in the common one.
        .env("CARGO_TARGET_DIR", workspace.target("oracle/build"))
        .env("RUSTFLAGS", "-C target-feature=+crt-static");
    build::artifacts(&mut cargo)?
        .into_iter()
        .find(|artifact| artifact.name == "oracle" && artifact.role == Role::Program)
        .map(|artifact| artifact.executable)
        .context("cargo built no executable named oracle")
}

fn new_seed() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    // Six digits are easily typed again.
    since.map_or(0, |time| u64::from(time.subsec_nanos()) % 1_000_000)
}

fn report(verdict: &compare::Verdict, plan: &Plan, show: usize) {
    for different in verdict.different.iter().take(show) {
        let sequence = plan
            .sequences
            .iter()
            .find(|sequence| sequence.number == different.number);
        if let Some(sequence) = sequence {
            println!("\n{}", different.tell(sequence));
        }
    }
    if verdict.different.len() > show {
        println!("xtask: and {} more", verdict.different.len() - show);
    }
    for (row, count) in &verdict.known {
        println!("xtask: known difference, met {count} times: {row}");
    }
    if !verdict.too_slow.is_empty() {
        println!(
            "xtask: too slow to be compared: sequences {:?}",
            verdict.too_slow
        );
    }
}

fn conclude(verdict: &compare::Verdict, seed: u64) -> Result<()> {
    println!(
        "xtask: seed {seed}: {} sequences with {} steps compared, {} differ",
        verdict.sequences,
        verdict.steps,
        verdict.different.len()
    );
    if !verdict.different.is_empty() {
        bail!(
            "{} sequences differ; `cargo xtask oracle --seed {seed} --only NUMBER` repeats one",
            verdict.different.len()
        );
    }
    if !verdict.too_slow.is_empty() {
        bail!("the machine was too busy; run it again with --seed {seed}");
    }
    Ok(())
}

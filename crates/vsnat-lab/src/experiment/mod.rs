//! The experiment: one held server alone, then the virtual server over four;
//! and, without holding, the path through the director against plain routing.
//!
//! Plain routing runs while no director does: its masquerading and its
//! programs would cost routed packets too, and the comparison would flatter.

pub mod original;
mod stage;

use std::io::Write;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use crate::LabError;
use crate::cancel::Cancel;
use crate::names::LabName;
use crate::progress::Observer;
use crate::report::{self, Report, Target};
use crate::servers::{Capacity, ServerKind};
use stage::{Hold, Stage};

/// Requests under way at once, in every run: enough that four servers always
/// have work waiting, few enough that none waits for long.
pub const CONCURRENCY: usize = 32;

/// Turns of the two paths in the unheld comparison, so that what else the
/// machine does falls on both alike.
pub const UNHELD_TURNS: usize = 10;
/// Runs in each turn. Where threads happen to run decides more than the path
/// does, and each run draws that anew: many short runs have a steadier median.
pub const RUNS_IN_A_TURN: usize = 5;
/// Runs of each path.
pub const UNHELD_RUNS: usize = UNHELD_TURNS * RUNS_IN_A_TURN;
/// Requests of each of these runs: 100,000 in all.
pub const UNHELD_REQUESTS: u64 = 1_000;
/// Sent before each turn and not counted: a path that has just been set
/// up resolves its neighbours and warms the caches once.
pub const WARM_UP_REQUESTS: u64 = 500;
/// Wait before each turn: a path was just taken down and another set up,
/// and the kernel frees tables and programs behind the scenes.
const SETTLE: Duration = Duration::from_secs(1);

/// How large the experiment is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scale {
    /// Some 100 seconds: 4 ms a request, up to 10,000 requests.
    #[default]
    Quick,
    /// As slow as the original's server was, up to its 100,000 requests: some
    /// 35 minutes.
    Original,
}

impl Scale {
    pub const fn per_request(self) -> Duration {
        match self {
            Scale::Quick => Duration::from_micros(4_000),
            Scale::Original => Duration::from_micros(13_970),
        }
    }

    pub const fn requests(self) -> &'static [u64] {
        match self {
            Scale::Quick => &[100, 1_000, 10_000],
            Scale::Original => &[100, 1_000, 10_000, 100_000],
        }
    }
}

/// What the experiment is run with.
#[derive(Clone, Debug)]
pub struct DemoOptions {
    /// The program that holds the subcommands `run` and `ipvsadm`.
    pub executable: PathBuf,
    pub name: LabName,
    pub server: ServerKind,
    pub scale: Scale,
    /// Folder for report.svg, report.html and report.json.
    pub output: PathBuf,
}

impl DemoOptions {
    /// Only the embedded server can be held.
    fn capacity(&self) -> Capacity {
        match self.server {
            ServerKind::Embedded => Capacity::OneAtATime {
                per_request: self.scale.per_request(),
            },
            ServerKind::Apache | ServerKind::Nginx => Capacity::Unlimited,
        }
    }
}

/// Raises a lab, runs the experiment, prints tables to `out`, writes the
/// report files and removes the lab. The report says which expectations were
/// met; whether one that was not is a failure is the caller's to decide.
pub fn demo(
    options: &DemoOptions,
    observer: &dyn Observer,
    cancel: &Cancel,
    out: &mut dyn Write,
) -> Result<Report, LabError> {
    let mut stage = Stage::build(options, observer, cancel)?;
    let mut report = Report::new(options.server, options.capacity(), stage.server_names());
    write(out, &report::tables::heading(&report))?;

    measure_alone(&mut stage, options, &mut report, out)?;
    measure_virtual(&mut stage, options, &mut report, out)?;
    measure_unheld(&mut stage, &mut report, out)?;
    stage.remove()?;

    write(out, &report::tables::conclusion(&report))?;
    report::write_files(&report, &options.output)?;
    let files = options.output.display();
    write(
        out,
        &format!("Written: {files}/report.html, {files}/report.svg, {files}/report.json\n"),
    )?;
    Ok(report)
}

/// One server alone, reached by plain routing.
fn measure_alone(
    stage: &mut Stage<'_>,
    options: &DemoOptions,
    report: &mut Report,
    out: &mut dyn Write,
) -> Result<(), LabError> {
    stage.start_servers(options.capacity())?;
    stage.use_routing()?;
    for requests in options.scale.requests() {
        let run = stage.run(Target::Rs, Hold::of(options.capacity()), *requests, None)?;
        write(out, &report::tables::run_line(&run))?;
        report.runs.push(run);
    }
    Ok(())
}

/// The virtual server over all servers, set up by ipvsadm.
fn measure_virtual(
    stage: &mut Stage<'_>,
    options: &DemoOptions,
    report: &mut Report,
    out: &mut dyn Write,
) -> Result<(), LabError> {
    report.commands = stage.use_director()?;
    write(out, &report::tables::commands(&report.commands))?;
    for requests in options.scale.requests() {
        let run = stage.run(Target::Vs, Hold::of(options.capacity()), *requests, None)?;
        write(out, &report::tables::run_line(&run))?;
        report.runs.push(run);
    }
    report.listing = stage.listing()?;
    write(out, &report::tables::served(report))
}

/// Both paths to the same servers in turn, as fast as they go.
fn measure_unheld(
    stage: &mut Stage<'_>,
    report: &mut Report,
    out: &mut dyn Write,
) -> Result<(), LabError> {
    stage.start_servers(Capacity::Unlimited)?;
    for turn in 0..UNHELD_TURNS {
        // Each path is first as often as second: neither always follows the
        // other's taking down.
        let turns = match turn % 2 {
            0 => [Target::Routed, Target::Vs],
            _ => [Target::Vs, Target::Routed],
        };
        for target in turns {
            match target {
                Target::Vs => drop(stage.use_director()?),
                Target::Rs | Target::Routed => stage.use_routing()?,
            }
            thread::sleep(SETTLE);
            stage.warm_up(target)?;
            for run in 1..=RUNS_IN_A_TURN {
                let number = turn * RUNS_IN_A_TURN + run;
                let run = stage.run(target, Hold::Unheld, UNHELD_REQUESTS, Some(number))?;
                write(out, &report::tables::run_line(&run))?;
                report.runs.push(run);
            }
        }
    }
    Ok(())
}

fn write(out: &mut dyn Write, text: &str) -> Result<(), LabError> {
    out.write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .map_err(LabError::io("write to standard output"))
}

//! `cargo xtask fuzz`: searches for so long, and tells what it came to.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::Parser;
use vsnat_fuzz::corpus;
use vsnat_fuzz::hunt::{Found, Hunt};

/// How often the search tells how far it is.
const REPORT_EVERY: Duration = Duration::from_secs(30);
const FINDING: &str = "finding.script";

/// Fuzz the packet path and its tables.
#[derive(Parser)]
struct Options {
    /// How long to search
    #[arg(long, default_value_t = 10.0)]
    minutes: f64,
    /// What everything is drawn from
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Folder of the scripts to begin with
    #[arg(long)]
    corpus: PathBuf,
    /// Folder for a few scripts that reach every reason and the most else; a finding goes
    /// there too
    #[arg(long)]
    out: PathBuf,
}

fn main() -> anyhow::Result<ExitCode> {
    let options = Options::parse();
    let start = Instant::now();
    let mut hunt = Hunt::new(options.seed);
    // A panic is caught and told as a finding.
    std::panic::set_hook(Box::new(|_| {}));
    let scripts = corpus::read(&options.corpus).context("cannot begin the search")?;
    let known = scripts.len();
    let taken = scripts
        .into_iter()
        .try_for_each(|(_, script)| hunt.take(script));
    let until = start + Duration::from_secs_f64(options.minutes * 60.0);
    let done = taken.and_then(|()| search(&mut hunt, start, until));
    if let Err(found) = done {
        return report(&options, &found);
    }
    say(&summary(&hunt, known, start))?;
    let distilled = hunt.distilled();
    corpus::replace(&options.out, &distilled)?;
    let out = options.out.display();
    say(&format!(
        "{} scripts for every reason and the most else: {out}\n",
        distilled.len()
    ))?;
    Ok(ExitCode::SUCCESS)
}

fn search(hunt: &mut Hunt, start: Instant, until: Instant) -> Result<(), Box<Found>> {
    while Instant::now() < until {
        hunt.go_on(until.min(Instant::now() + REPORT_EVERY))?;
        let line = format!(
            "{:>4} s: {} scripts, {} packets, {} traces\n",
            start.elapsed().as_secs(),
            hunt.scripts,
            hunt.packets,
            hunt.traces()
        );
        // A reader that has left misses nothing but progress.
        let _ = say(&line);
    }
    Ok(())
}

fn report(options: &Options, found: &Found) -> anyhow::Result<ExitCode> {
    let path = options.out.join(FINDING);
    corpus::write(&path, &found.script)?;
    let Found { script, finding } = found;
    say(&format!(
        "FOUND: {finding}\n\n{script}\nin {}\n",
        path.display()
    ))?;
    Ok(ExitCode::FAILURE)
}

fn summary(hunt: &Hunt, known: usize, start: Instant) -> String {
    let mut text = format!(
        "{} scripts ({known} known), {} acts, {} packets in {} s: nothing found; {} traces\n",
        hunt.scripts,
        hunt.acts,
        hunt.packets,
        start.elapsed().as_secs(),
        hunt.traces()
    );
    let missing: Vec<&str> = hunt
        .reasons()
        .filter(|(_, reached)| !reached)
        .map(|(reason, _)| reason.name())
        .collect();
    // Writing to a String cannot fail.
    let _ = writeln!(text, "reasons not reached: {}", missing.join(", "));
    text
}

fn say(text: &str) -> std::io::Result<()> {
    std::io::stdout().lock().write_all(text.as_bytes())
}

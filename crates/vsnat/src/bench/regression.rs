//! `vsnat bench regression`: whether a packet became dearer than it was.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use vsnat_bench::regression::{self, Slower, TOLERANCE};
use vsnat_bench::{Figure, Scale, ShortRun};

use crate::output;

#[derive(Debug, Args)]
pub struct RegressionArgs {
    /// What `vsnat bench packet --json` printed then.
    #[arg(value_name = "FILE")]
    committed: PathBuf,
    /// Measure this eBPF object instead of the embedded one.
    #[arg(long, value_name = "FILE")]
    bpf_object: Option<PathBuf>,
}

pub fn main(args: RegressionArgs) -> anyhow::Result<ExitCode> {
    let committed = read(&args.committed)?;
    let run = ShortRun::like(&Scale::default());
    let mut fastest = Vec::new();
    let slower = regression::slower(
        &committed,
        || vsnat_bench::short(&run, args.bpf_object.clone()),
        |figures| {
            fastest = figures.to_vec();
            // A reader who went away misses the table, not the verdict.
            let _ = output::text(&table(&committed, figures));
        },
    )
    .context("cannot compare the price of a packet")?;
    if slower.is_empty() {
        output::text(&passed(&committed, &fastest))?;
        return Ok(ExitCode::SUCCESS);
    }
    output::error(&failed(&slower, &args.committed));
    Ok(ExitCode::FAILURE)
}

fn read(file: &Path) -> anyhow::Result<Vec<Figure>> {
    let name = file.display();
    let text = fs::read_to_string(file).with_context(|| {
        format!("cannot read {name}; make it by `vsnat bench packet --json > {name}`")
    })?;
    serde_json::from_str(&text)
        .with_context(|| format!("{name} is not what `vsnat bench packet --json` prints"))
}

fn table(committed: &[Figure], measured: &[Figure]) -> String {
    let mut text = format!(
        "{:<50} {:>9} {:>10} {:>7}\n",
        "case, in bare redirects", "committed", "now", "ratio"
    );
    for figure in measured {
        let Some(was) = regression::find(committed, &figure.case) else {
            continue;
        };
        // Writing to a String cannot fail, here and below.
        let _ = writeln!(
            text,
            "{:<50} {:>9.2} {:>10.2} {:>7.2}",
            figure.case,
            was.multiple,
            figure.multiple,
            figure.multiple / was.multiple
        );
    }
    text
}

/// Figures that are committed too high would let a later regression pass.
fn passed(committed: &[Figure], measured: &[Figure]) -> String {
    let faster = measured.iter().filter(|figure| {
        regression::find(committed, &figure.case)
            .is_some_and(|was| figure.multiple * TOLERANCE < was.multiple)
    });
    let faster: Vec<&str> = faster.map(|figure| figure.case.as_str()).collect();
    let mut text = "no case is more than 20 % over the committed figure\n".to_owned();
    if !faster.is_empty() {
        let _ = writeln!(
            text,
            "more than 20 % faster, so commit a new whole run: {}",
            faster.join("; ")
        );
    }
    text
}

fn failed(slower: &[Slower], committed: &Path) -> String {
    let mut text = String::from("vsnat: the packet path became slower, in bare redirects:\n");
    for Slower {
        case,
        committed,
        measured,
    } in slower
    {
        let measured: Vec<String> = measured.iter().map(|m| format!("{m:.2}")).collect();
        let _ = writeln!(
            text,
            "  {case}: {} in {} measurements, committed {committed:.2}, at most {:.2}",
            measured.join(", "),
            measured.len(),
            committed * TOLERANCE
        );
    }
    let _ = write!(
        text,
        "if that is deliberate, commit a new whole run: `vsnat bench packet --json > {}`",
        committed.display()
    );
    text
}

//! `vsnat bench packet`: what a packet costs on this machine.

use std::fmt::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use vsnat_bench::{Figure, Scale};

use crate::output;

#[derive(Debug, Args)]
pub struct PacketArgs {
    /// Print JSON, when everything is measured.
    #[arg(long)]
    json: bool,
    /// Measure this eBPF object instead of the embedded one.
    #[arg(long, value_name = "FILE")]
    bpf_object: Option<PathBuf>,
}

const FAILED: &str = "cannot measure the price of a packet";

pub fn main(args: PacketArgs) -> anyhow::Result<ExitCode> {
    let PacketArgs { json, bpf_object } = args;
    let scale = Scale::default();
    if json {
        let figures = vsnat_bench::packet(&scale, bpf_object, |_| {}).context(FAILED)?;
        output::text(&(serde_json::to_string_pretty(&figures)? + "\n"))?;
        return Ok(ExitCode::SUCCESS);
    }
    output::text(&title())?;
    let told = vsnat_bench::packet(&scale, bpf_object, |figure| {
        // A reader who went away misses the rest.
        let _ = output::text(&row(figure));
    });
    told.context(FAILED)?;
    Ok(ExitCode::SUCCESS)
}

fn title() -> String {
    format!(
        "{:<50} {:>9} {:>15} {:>9}\n",
        "case", "median ns", "10 % … 90 %", "redirects"
    )
}

fn row(figure: &Figure) -> String {
    let mut row = String::new();
    let spread = format!("{:.0} … {:.0}", figure.low_ns, figure.high_ns);
    // Writing to a String cannot fail.
    let _ = writeln!(
        row,
        "{:<50} {:>9.0} {spread:>15} {:>9.2}",
        figure.case, figure.median_ns, figure.multiple
    );
    row
}

//! `vsnat bench`: what a packet costs on this machine.

use std::fmt::Write;
use std::process::ExitCode;

use anyhow::Context;
use clap::{Args, Subcommand};
use vsnat_bench::{Figure, Scale};

use crate::output;

#[derive(Debug, Args)]
pub struct BenchArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Time the programs on packets that nobody sends, in the kernel.
    ///
    /// Every figure is told in nanoseconds and as a multiple of a program that
    /// only redirects, measured in the same run. Needs root; takes a minute or
    /// two, a network namespace of its own and about half a gigabyte.
    Packet {
        /// Print JSON, when everything is measured.
        #[arg(long)]
        json: bool,
    },
}

pub fn main(args: &BenchArgs) -> anyhow::Result<ExitCode> {
    match args.what {
        What::Packet { json: true } => {
            let figures = vsnat_bench::packet(&Scale::default(), |_| {})
                .context("cannot measure the price of a packet")?;
            output::text(&(serde_json::to_string_pretty(&figures)? + "\n"))?;
        }
        What::Packet { json: false } => {
            output::text(&title())?;
            vsnat_bench::packet(&Scale::default(), |figure| {
                // A reader who went away misses the rest.
                let _ = output::text(&row(figure));
            })
            .context("cannot measure the price of a packet")?;
        }
    }
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

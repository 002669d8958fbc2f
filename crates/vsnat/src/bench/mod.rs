//! `vsnat bench`: measuring, each way in a file of its own.

mod packet;
mod regression;

use std::process::ExitCode;

use clap::{Args, Subcommand};

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
    Packet(packet::PacketArgs),
    /// Compare a short run with the JSON of an earlier whole one.
    ///
    /// Measures the everyday cases for a few seconds, in several rounds, and
    /// fails when the multiple of one is more than 20 % over the earlier one in
    /// three measurements. Needs root.
    Regression(regression::RegressionArgs),
}

pub fn main(args: BenchArgs) -> anyhow::Result<ExitCode> {
    match args.what {
        What::Packet(args) => packet::main(args),
        What::Regression(args) => regression::main(args),
    }
}

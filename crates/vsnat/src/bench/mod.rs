//! `vsnat bench`: measuring, each way in a file of its own.

mod load;
mod packet;
mod path;
mod peers;
mod regression;
mod scale;

use std::process::ExitCode;

use anyhow::Context;
use clap::{Args, Subcommand};

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct BenchArgs {
    #[command(subcommand)]
    what: Option<What>,
    #[command(flatten)]
    load: Option<load::LoadArgs>,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Time the programs on packets that nobody sends, in the kernel.
    ///
    /// Every figure is told in nanoseconds and as a multiple of a program that
    /// only redirects, measured in the same run. Needs root; takes a minute or
    /// two, a network namespace of its own and about half a gigabyte.
    Packet(packet::PacketArgs),
    /// Send small packets from one CPU through links and director, and time each.
    ///
    /// Plain routing, vsnat and others have links of their own in network
    /// namespaces without names, and take turns. Every figure is told in
    /// nanoseconds a packet and as a multiple of plain routing in the same
    /// turn. Every packet must arrive. Ends with an error where a goal is not
    /// met. Needs root; takes a minute and half a gigabyte.
    Path(path::PathArgs),
    /// Load vsnat, nftables, HAProxy and nginx in turn, and compare them.
    ///
    /// Clients, director and four real servers are network namespaces on this
    /// machine, the same for everybody; what the director does with the packets
    /// changes from turn to turn. Every figure is told as a multiple of plain
    /// routing in the same repetition. Ends with an error where vsnat is not as
    /// far ahead as it has to be, or a request has failed. Needs root, haproxy
    /// and nginx; takes some ten minutes, quick about three.
    Peers(peers::PeersArgs),
    /// Compare a short run with the JSON of an earlier whole one.
    ///
    /// Measures the everyday cases for a few seconds, in several rounds, and
    /// fails when the multiple of one is more than 20 % over the earlier one in
    /// three measurements. Needs root.
    Regression(regression::RegressionArgs),
    /// Measure how large it may be: full tables, many services, floods.
    ///
    /// A million connections and what lies beyond them, ten thousand services
    /// of ten servers and one of 4,096, kernel memory, the sweeper's longest
    /// tick, and established traffic beside a SYN flood. Each figure is told
    /// with its goal where there is one. Ends with an error where a goal is not
    /// met. Needs root and two CPUs; takes some minutes and half a gigabyte.
    Scale(scale::ScaleArgs),
}

pub fn main(args: BenchArgs) -> anyhow::Result<ExitCode> {
    let Some(what) = args.what else {
        let load = args.load.context("name a URL, or what to measure")?;
        return load::main(&load);
    };
    match what {
        What::Packet(args) => packet::main(args),
        What::Path(args) => path::main(args),
        What::Peers(args) => peers::main(args),
        What::Regression(args) => regression::main(args),
        What::Scale(args) => scale::main(args),
    }
}

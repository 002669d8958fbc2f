//! `vsnat bench path`: the whole path of a packet, against plain routing.

use std::fmt::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::{Args, ValueEnum};
use vsnat_bench::path::{Contender, CpuUse, Options, Report, Spread, path};

use crate::output;

#[derive(Debug, Args)]
pub struct PathArgs {
    /// What to hold against plain routing, separated by commas
    #[arg(
        long,
        value_name = "DIRECTOR",
        value_delimiter = ',',
        default_value = "vsnat,nftables"
    )]
    compare: Vec<Director>,
    /// Flows that take turns
    #[arg(long, value_name = "NUMBER", default_value_t = Options::default().flows)]
    flows: u32,
    /// Flows of the rows of many flows; 0 leaves these rows out
    #[arg(long, value_name = "NUMBER", default_value_t = Options::default().many)]
    many: u32,
    /// Packets that are timed together
    #[arg(long, value_name = "NUMBER", default_value_t = Options::default().packets)]
    packets: u32,
    /// How often every row has its turn
    #[arg(long, value_name = "NUMBER", default_value_t = Options::default().repetitions)]
    repetitions: u32,
    /// Let other programs use the same CPU meanwhile.
    ///
    /// For kernels before 6.4, which put packets off to a thread that would not
    /// have a turn otherwise, and lose them.
    #[arg(long)]
    share_cpu: bool,
    /// Print JSON with every single time, when everything is measured.
    #[arg(long)]
    json: bool,
    /// Write the JSON into this file, beside the table on standard output.
    #[arg(long, value_name = "FILE", conflicts_with = "json")]
    save: Option<PathBuf>,
    /// Measure this eBPF object instead of the embedded one.
    #[arg(long, value_name = "FILE")]
    bpf_object: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Director {
    /// This program's packet path
    Vsnat,
    /// DNAT by nftables, with the kernel's connection tracking
    Nftables,
    /// NAT by the kernel's IPVS, where it is; needs ipvsadm
    Ipvs,
}

impl From<Director> for Contender {
    fn from(director: Director) -> Self {
        match director {
            Director::Vsnat => Contender::Vsnat,
            Director::Nftables => Contender::Nftables,
            Director::Ipvs => Contender::Ipvs,
        }
    }
}

/// Fails where a goal is not met.
pub fn main(args: PathArgs) -> anyhow::Result<ExitCode> {
    let options = Options {
        contenders: args.compare.into_iter().map(Contender::from).collect(),
        flows: args.flows,
        many: args.many,
        packets: args.packets,
        repetitions: args.repetitions,
        cpu: match args.share_cpu {
            true => CpuUse::Shared,
            false => CpuUse::Alone,
        },
        object: args.bpf_object,
    };
    let report = path(&options, output::error).context("cannot measure the path of a packet")?;
    let json = serde_json::to_string_pretty(&report)? + "\n";
    if args.json {
        output::text(&json)?;
    } else {
        output::text(&table(&report))?;
    }
    if let Some(file) = args.save {
        std::fs::write(&file, json).with_context(|| format!("cannot write {}", file.display()))?;
    }
    Ok(match report.is_met() {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}

fn table(report: &Report) -> String {
    let mut text = format!(
        "{:<26} {:>9} {:>15} {:>9} {:>13} {:>11}\n",
        "row", "median ns", "10 % … 90 %", "÷ routing", "10 % … 90 %", "less sender"
    );
    for figure in &report.figures {
        let less = figure.ratio_without_sender;
        let less = less.map_or_else(String::new, |ratio| format!("{:.3}", ratio.median));
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "{:<26} {:>9.0} {:>15} {:>9.3} {:>13} {less:>11}",
            figure.name,
            figure.ns.median,
            between(figure.ns, 0),
            figure.ratio.median,
            between(figure.ratio, 3),
        );
    }
    let _ = writeln!(text, "\n{}", conditions(report));
    for goal in &report.goals {
        let met = match goal.met {
            true => "met",
            false => "not met",
        };
        let (measured, most) = (goal.measured, goal.most);
        let _ = writeln!(
            text,
            "{met:<8} {}: {measured:.3}, at most {most:.2}",
            goal.what
        );
    }
    text
}

fn conditions(report: &Report) -> String {
    let mut text = format!(
        "Linux {}; {} flows, {} times {} packets of 60 bytes in a row",
        report.kernel, report.flows, report.repetitions, report.packets
    );
    if let Some(attached_by) = &report.attached_by {
        // Writing to a String cannot fail.
        let _ = write!(text, "; vsnat attached by {attached_by}");
    }
    if report.figures.iter().any(|figure| figure.row.is_many()) {
        let _ = write!(text, "; many flows are {}", report.many);
    }
    text
}

fn between(spread: Spread, digits: usize) -> String {
    format!("{:.digits$} … {:.digits$}", spread.low, spread.high)
}

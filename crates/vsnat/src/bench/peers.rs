//! `vsnat bench peers`: vsnat beside others, under the same load.

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::{Args, ValueEnum};
use serde_json::json;
use vsnat_bench::peers::{self, Options, Peer, Report, Verdict};
use vsnat_lab::{Cancel, LabName};

use crate::output;

#[derive(Debug, Args)]
pub struct PeersArgs {
    /// Print JSON with every single run, when everything is measured.
    #[arg(long)]
    json: bool,
    /// Write the JSON into this file, beside the table on standard output.
    #[arg(long, value_name = "FILE", conflicts_with = "json")]
    save: Option<PathBuf>,
    /// Write a picture of the throughput into this file.
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// Fewer and shorter runs, whose figures mean less.
    #[arg(long)]
    quick: bool,
    /// Measure only rows whose name contains this text, such as "per request".
    #[arg(long, value_name = "TEXT", default_value = "")]
    row: String,
    /// Who takes turns, separated by commas; plain routing always does.
    #[arg(long, value_name = "PEER", value_delimiter = ',', default_values_t = Contender::ALL)]
    peers: Vec<Contender>,
    /// How often every peer has its turn in every row.
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..=1000))]
    repetitions: Option<u32>,
    /// Look for haproxy and nginx below this folder before the system's.
    #[arg(long, value_name = "FOLDER", default_value = "target/peers/root")]
    programs: PathBuf,
    /// Name of the network namespaces that are made.
    #[arg(long, value_name = "NAME", default_value = "peers", value_parser = LabName::new)]
    name: LabName,
    /// Measure this eBPF object instead of the embedded one.
    #[arg(long, value_name = "FILE")]
    bpf_object: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Contender {
    Tc,
    Xdp,
    Nftables,
    Haproxy,
    Nginx,
}

impl Contender {
    const ALL: [Contender; 5] = [
        Contender::Tc,
        Contender::Xdp,
        Contender::Nftables,
        Contender::Haproxy,
        Contender::Nginx,
    ];

    /// Those that take turns for it: XDP has a plain routing of its own.
    const fn peers(self) -> &'static [Peer] {
        match self {
            Contender::Tc => &[Peer::VsnatTc],
            Contender::Xdp => &[Peer::PlainXdp, Peer::VsnatXdp],
            Contender::Nftables => &[Peer::Nftables],
            Contender::Haproxy => &[Peer::Haproxy],
            Contender::Nginx => &[Peer::Nginx],
        }
    }
}

impl std::fmt::Display for Contender {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let value = self.to_possible_value();
        f.pad(value.as_ref().map_or("", |value| value.get_name()))
    }
}

/// Fails where what has to be so is not.
pub fn main(args: PeersArgs) -> anyhow::Result<ExitCode> {
    let options = options(&args);
    let cancel = Cancel::on_signals()?;
    if !args.json {
        output::text(&peers::title(&options.peers))?;
    }
    let report = peers::run(&options, &cancel, |row| {
        // A reader who went away misses the rest.
        if !args.json {
            let _ = output::text(&peers::throughput(&options.peers, row));
        }
    });
    let report = report.context("cannot compare vsnat with its peers")?;
    let verdicts = peers::verdicts(&report);
    write(&args, &report, &verdicts)?;
    Ok(match verdicts.iter().all(|verdict| verdict.met) {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}

fn options(args: &PeersArgs) -> Options {
    let chosen = args.peers.iter().flat_map(|contender| contender.peers());
    let chosen: Vec<Peer> = chosen.copied().chain([Peer::Plain]).collect();
    let (repetitions, run) = match args.quick {
        true => (peers::REPETITIONS_QUICK, peers::RUN_QUICK),
        false => (peers::REPETITIONS, peers::RUN),
    };
    Options {
        name: args.name.clone(),
        programs: args.programs.clone(),
        object: args.bpf_object.clone(),
        peers: Peer::ALL
            .into_iter()
            .filter(|peer| chosen.contains(peer))
            .collect(),
        filter: args.row.clone(),
        repetitions: args.repetitions.unwrap_or(repetitions),
        run,
        warm_up: peers::WARM_UP,
    }
}

fn write(args: &PeersArgs, report: &Report, verdicts: &[Verdict]) -> anyhow::Result<()> {
    let json = json!({ "report": report, "verdicts": verdicts });
    let json = serde_json::to_string_pretty(&json)? + "\n";
    match args.json {
        true => output::text(&json)?,
        false => output::text(&peers::rest(report, verdicts))?,
    }
    let files = [(&args.save, json), (&args.svg, peers::chart(report))];
    for (file, text) in files {
        if let Some(file) = file {
            fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))?;
        }
    }
    Ok(())
}

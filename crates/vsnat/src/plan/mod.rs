//! `vsnat plan`: how many servers a director carries, and what gives out first.

mod answer;
mod inputs;
mod links;

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use vsnat_bench::capacity::{self, ByteRate, Curve, Nanoseconds};

use crate::cli::Target;
use crate::output;
use inputs::Inputs;

#[derive(Debug, Args)]
pub struct PlanArgs {
    /// Compute with the figures of the original experiment: 100 µs for each
    /// packet of 1,500 bytes, servers of 300 KiB/s. What else is given goes
    /// before these.
    #[arg(long)]
    original: bool,
    /// What translating a packet takes of a CPU, like 100us or 85ns [default:
    /// measured on this machine, which needs root and a few seconds].
    #[arg(long, value_name = "TIME")]
    translation: Option<Nanoseconds>,
    /// What a packet takes of a CPU on its whole way through the director,
    /// driver and kernel included; `vsnat bench path` measures it.
    #[arg(long, value_name = "TIME")]
    path: Option<Nanoseconds>,
    /// Bytes of a packet to a client, its IP header included.
    #[arg(long, value_name = "N", default_value_t = 1_500, value_parser = packet_bytes())]
    packet_bytes: u32,
    /// Packets that clients send for each one they get [default: 0.5, an
    /// acknowledgement of every second packet; 0 with --original].
    #[arg(long, value_name = "RATIO", value_parser = ratio)]
    packets_back: Option<f64>,
    /// What one server sends, like 300kB/s, 300KiB/s or 1Gbit/s [default:
    /// 100MB/s, of which a link of 1 Gbit/s is full].
    #[arg(long, value_name = "RATE")]
    server_rate: Option<ByteRate>,
    /// How many servers there are, so that they can be what gives out first.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    servers: Option<u32>,
    /// CPUs of the director that take packets [default: all; 1 with --original].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    cpus: Option<u32>,
    /// Speed of the link to the clients, like 10Gbit/s [default: that of the
    /// outer interface].
    #[arg(long, value_name = "RATE")]
    outer_link: Option<ByteRate>,
    /// Speed of the links to the servers together [default: that of the inner
    /// interfaces].
    #[arg(long, value_name = "RATE")]
    inner_link: Option<ByteRate>,
    /// The interface to the clients [default: that of the running director].
    #[arg(long, value_name = "INTERFACE")]
    outer: Option<String>,
    /// An interface to the servers [default: those of the running director].
    #[arg(long, value_name = "INTERFACE")]
    inner: Vec<String>,
    /// Bytes that a connection carries to its client: counts what opening and
    /// closing connections takes. Without it they last for ever.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    connection_bytes: Option<u64>,
    /// What the packet that opens a connection takes of a CPU [default: measured].
    #[arg(long, value_name = "TIME", requires = "connection_bytes")]
    opening: Option<Nanoseconds>,
    /// Print JSON, in bytes per second and nanoseconds.
    #[arg(long)]
    json: bool,
    /// Draw the curve into this file.
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    #[command(flatten)]
    target: Target,
}

pub fn main(args: &PlanArgs) -> anyhow::Result<ExitCode> {
    let inputs = Inputs::gather(args)?;
    let plan = inputs.plan();
    let found = plan.answer();
    let curve = Curve::new(&plan, &found);
    if let Some(file) = &args.svg {
        let figure = capacity::svg(&curve, inputs.units, &answer::subtitle(&inputs));
        fs::write(file, figure).with_context(|| format!("cannot write {}", file.display()))?;
    }
    let text = match args.json {
        true => answer::json(&inputs, &found)?,
        false => answer::text(&inputs, &found, &curve),
    };
    output::text(&text)?;
    Ok(ExitCode::SUCCESS)
}

/// From bare headers to the longest packet that IPv4 knows.
fn packet_bytes() -> clap::builder::RangedI64ValueParser<u32> {
    clap::value_parser!(u32).range(40..=65_535)
}

fn ratio(text: &str) -> Result<f64, String> {
    let ratio = text.parse::<f64>().ok();
    let is_ratio = |ratio: &f64| ratio.is_finite() && *ratio >= 0.0;
    let advice = "write how many, like 0.5 or 1".to_owned();
    ratio.filter(is_ratio).ok_or(advice)
}

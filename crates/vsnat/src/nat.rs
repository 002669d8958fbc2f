//! `vsnat nat`.

use std::fmt::Write;
use std::process::ExitCode;

use clap::Args;
use vsnat_api::{Nat, NatCounters, NatDirection, NatEnd, NatFlow, NatFlows, NatSource};

use crate::cli::Target;
use crate::output;

#[derive(Debug, Args)]
pub struct NatArgs {
    #[command(flatten)]
    target: Target,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

pub fn main(args: &NatArgs) -> anyhow::Result<ExitCode> {
    let nat = args.target.client().nat()?;
    let text = match args.json {
        true => serde_json::to_string_pretty(&nat)? + "\n",
        false => render(&nat),
    };
    output::text(&text)?;
    Ok(ExitCode::SUCCESS)
}

fn render(nat: &Nat) -> String {
    if nat.networks.is_empty() && nat.forwards.is_empty() {
        return "nothing is masqueraded or forwarded\n".to_owned();
    }
    let mut text = format!("by {}", nat.outer);
    // Writing to a String cannot fail.
    if let Some(ports) = nat.ports {
        let _ = write!(text, ", source ports {ports}");
    }
    let _ = writeln!(
        text,
        "\n\n{:<24} {:<22} {:>11} {:>12} {:>14} {:>12} {:>14}",
        "WHAT", "AS", "CONNECTIONS", "OUT PACKETS", "OUT BYTES", "IN PACKETS", "IN BYTES"
    );
    for network in &nat.networks {
        let source = match network.source {
            NatSource::Auto => nat.outer.clone(),
            NatSource::Keep => "itself".to_owned(),
            NatSource::Address(address) => address.to_string(),
        };
        text += &row(&network.network.to_string(), &source, network.counters);
    }
    for port in &nat.forwards {
        let forward = port.forward;
        let what = format!("{} {}", forward.protocol, forward.address);
        text += &row(&what, &forward.to.to_string(), port.counters);
    }
    text + &flows(&nat.flows)
}

fn row(what: &str, to: &str, counters: NatCounters) -> String {
    let NatCounters {
        connections,
        out_packets,
        out_bytes,
        in_packets,
        in_bytes,
    } = counters;
    format!(
        "{what:<24} {to:<22} {connections:>11} {out_packets:>12} {out_bytes:>14} {in_packets:>12} \
         {in_bytes:>14}\n"
    )
}

fn flows(flows: &NatFlows) -> String {
    if let Some(why) = &flows.unknown {
        return format!("\nopen flows: {why}\n");
    }
    let mut text = format!("\n{} open flows\n", flows.total);
    for flow in &flows.listed {
        text += &line(flow);
    }
    let more = flows.total.saturating_sub(flows.listed.len() as u64);
    if more > 0 {
        let _ = writeln!(text, "and {more} more");
    }
    text
}

fn line(flow: &NatFlow) -> String {
    let [source, destination, translated] =
        [flow.source, flow.destination, flow.translated].map(end);
    let way = match flow.direction {
        NatDirection::Out => format!("{source} > {destination} as {translated}"),
        NatDirection::In => format!("{source} > {destination} to {translated}"),
    };
    let state = flow.state.as_deref().unwrap_or("-");
    let (protocol, expires) = (&flow.protocol, flow.expires_s);
    format!("  {protocol:<5} {way}  {state}, {expires} s left\n")
}

fn end(end: NatEnd) -> String {
    match end.port {
        Some(port) => format!("{}:{port}", end.address),
        None => end.address.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use vsnat_api::{Forward, NatForward, NatNetwork, PortRange, Protocol};

    use super::*;

    fn some_end(text: &str, port: Option<u16>) -> NatEnd {
        let address = text.parse().unwrap();
        NatEnd { address, port }
    }

    #[test]
    fn readable() {
        let counters = NatCounters {
            connections: 2,
            out_packets: 20,
            out_bytes: 1_800,
            in_packets: 30,
            in_bytes: 40_000,
        };
        let nat = Nat {
            outer: "eth0".to_owned(),
            ports: PortRange::new(1_024, 65_535).ok(),
            networks: vec![NatNetwork {
                network: "10.0.100.0/24".parse().unwrap(),
                source: NatSource::Auto,
                counters,
            }],
            forwards: vec![NatForward {
                forward: Forward {
                    protocol: Protocol::Tcp,
                    address: "203.0.113.10:2201".parse().unwrap(),
                    to: "10.0.100.11:22".parse().unwrap(),
                },
                counters: NatCounters::default(),
            }],
            flows: NatFlows {
                total: 2,
                listed: vec![NatFlow {
                    direction: NatDirection::Out,
                    protocol: "tcp".to_owned(),
                    source: some_end("10.0.100.11", Some(40_000)),
                    destination: some_end("198.51.100.7", Some(443)),
                    translated: some_end("203.0.113.10", Some(40_000)),
                    state: Some("ESTABLISHED".to_owned()),
                    expires_s: 431_999,
                }],
                unknown: None,
            },
        };
        let expected = "\
by eth0, source ports 1024-65535

WHAT                     AS                     CONNECTIONS  OUT PACKETS      OUT BYTES   IN PACKETS       IN BYTES
10.0.100.0/24            eth0                             2           20           1800           30          40000
TCP 203.0.113.10:2201    10.0.100.11:22                   0            0              0            0              0

2 open flows
  tcp   10.0.100.11:40000 > 198.51.100.7:443 as 203.0.113.10:40000  ESTABLISHED, 431999 s left
and 1 more
";
        assert_eq!(render(&nat), expected);
    }
}

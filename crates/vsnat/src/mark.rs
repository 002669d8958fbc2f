//! `vsnat mark`.

use std::process::ExitCode;

use clap::{Args, Subcommand, ValueEnum};
use ipnet::Ipv4Net;
use vsnat_api::{Command, Mark, MarkRule, PortRange, Protocol};

use crate::cli::{Target, prefix4};
use crate::output;

#[derive(Debug, Args)]
pub struct MarkArgs {
    #[command(subcommand)]
    action: MarkAction,
    #[command(flatten)]
    target: Target,
}

#[derive(Debug, Subcommand)]
enum MarkAction {
    /// Put a rule behind the others; the first that matches counts.
    Add(RuleArgs),
    /// Remove a rule, given as it was added.
    #[command(alias = "del")]
    Delete(RuleArgs),
    /// Print the rules in the order in which they are tried.
    List {
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
}

/// What is left out matches everything.
#[derive(Debug, Args)]
struct RuleArgs {
    /// The mark of such packets, which a service names with `ipvsadm -f`.
    #[arg(long, value_name = "NUMBER", value_parser = mark)]
    mark: Mark,
    /// Transport protocol.
    #[arg(long)]
    protocol: Option<ProtocolName>,
    /// Source network or address.
    #[arg(long, value_name = "PREFIX", value_parser = prefix4)]
    source: Option<Ipv4Net>,
    /// Destination network or address.
    #[arg(long, value_name = "PREFIX", value_parser = prefix4)]
    destination: Option<Ipv4Net>,
    /// Destination ports, like 80,443,8000-8099.
    #[arg(long, value_name = "PORTS", value_delimiter = ',', value_parser = port_range)]
    ports: Vec<PortRange>,
    /// The interface by which the packets come.
    #[arg(long, value_name = "NAME")]
    interface: Option<String>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum ProtocolName {
    Tcp,
    Udp,
    Sctp,
}

impl From<ProtocolName> for Protocol {
    fn from(name: ProtocolName) -> Protocol {
        match name {
            ProtocolName::Tcp => Protocol::Tcp,
            ProtocolName::Udp => Protocol::Udp,
            ProtocolName::Sctp => Protocol::Sctp,
        }
    }
}

impl From<RuleArgs> for MarkRule {
    /// Ports are sorted, as those of a file are, so that rules can be compared.
    fn from(args: RuleArgs) -> MarkRule {
        let mut ports = args.ports;
        ports.sort();
        ports.dedup();
        MarkRule {
            mark: args.mark,
            protocol: args.protocol.map(Protocol::from),
            source: args.source,
            destination: args.destination,
            ports,
            interface: args.interface,
        }
    }
}

pub fn main(args: MarkArgs) -> anyhow::Result<ExitCode> {
    let client = args.target.client();
    let command = match args.action {
        MarkAction::Add(rule) => Command::MarkAdd(rule.into()),
        MarkAction::Delete(rule) => Command::MarkDelete(rule.into()),
        MarkAction::List { json } => {
            let marks = client.marks()?;
            let text = match json {
                true => serde_json::to_string_pretty(&marks)? + "\n",
                false => marks.rules.iter().map(|rule| format!("{rule}\n")).collect(),
            };
            output::text(&text)?;
            return Ok(ExitCode::SUCCESS);
        }
    };
    for result in client.commands(vec![command])? {
        result?;
    }
    Ok(ExitCode::SUCCESS)
}

fn mark(text: &str) -> Result<Mark, String> {
    let number: u32 = text
        .parse()
        .map_err(|_| format!("give a number from 1 to {}", u32::MAX))?;
    Mark::new(number).map_err(|error| error.to_string())
}

fn port_range(text: &str) -> Result<PortRange, String> {
    PortRange::try_from(text.to_owned()).map_err(|error| error.to_string())
}

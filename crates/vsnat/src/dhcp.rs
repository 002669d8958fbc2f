//! `vsnat dhcp`.

use std::fmt::Write;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use vsnat_api::{DhcpLease, DhcpLeaseState, DhcpLeases};

use crate::cli::Target;
use crate::output;

#[derive(Debug, Args)]
pub struct DhcpArgs {
    #[command(subcommand)]
    action: DhcpAction,
    #[command(flatten)]
    target: Target,
}

#[derive(Debug, Subcommand)]
enum DhcpAction {
    /// List the addresses that were given out, to whom and until when.
    ///
    /// An address that is "over" was given back or ran out, and is kept for its
    /// client as long as it can be; one that is "withdrawn" is used by somebody
    /// without a lease.
    Leases {
        /// Print JSON, with the counters of all messages.
        #[arg(long)]
        json: bool,
    },
}

pub fn main(args: &DhcpArgs) -> anyhow::Result<ExitCode> {
    let leases = args.target.client().dhcp_leases()?;
    let text = match args.action {
        DhcpAction::Leases { json: true } => serde_json::to_string_pretty(&leases)? + "\n",
        DhcpAction::Leases { json: false } => render(&leases),
    };
    output::text(&text)?;
    Ok(ExitCode::SUCCESS)
}

fn render(leases: &DhcpLeases) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    for network in &leases.networks {
        let _ = writeln!(
            text,
            "{}: {} active, {} addresses in its pools",
            network.network, network.active, network.pool_size
        );
    }
    if leases.leases.is_empty() {
        return text;
    }
    let _ = writeln!(
        text,
        "\n{:<15} {:<17} {:<9} {:>9} {:>9}  HOST NAME",
        "ADDRESS", "MAC", "STATE", "HELD", "ENDS IN"
    );
    for lease in &leases.leases {
        text += &row(lease);
    }
    text
}

fn row(lease: &DhcpLease) -> String {
    let (state, ends) = match lease.state {
        DhcpLeaseState::Offered => ("offered", duration(lease.ends_s)),
        DhcpLeaseState::Active => ("active", duration(lease.ends_s)),
        DhcpLeaseState::Over => ("over", "-".to_owned()),
        DhcpLeaseState::Withdrawn => ("withdrawn", duration(lease.ends_s)),
    };
    let address = lease.address.to_string();
    let held = duration(lease.held_s);
    let name = lease.host_name.as_deref().unwrap_or("-");
    // Whoever uses it is not the client that it was meant for.
    let mac = match lease.state {
        DhcpLeaseState::Withdrawn => "-",
        DhcpLeaseState::Offered | DhcpLeaseState::Active | DhcpLeaseState::Over => &lease.mac,
    };
    format!("{address:<15} {mac:<17} {state:<9} {held:>9} {ends:>9}  {name}\n")
}

/// 5025 as 1:23:45.
fn duration(seconds: u64) -> String {
    let (hours, minutes, rest) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    format!("{hours}:{minutes:02}:{rest:02}")
}

#[cfg(test)]
mod tests {
    use vsnat_api::{DhcpCounters, DhcpNetwork};

    use super::*;

    #[test]
    fn readable() {
        let lease = DhcpLease {
            address: "10.0.100.11".parse().unwrap(),
            mac: "52:54:00:12:34:56".to_owned(),
            client_id: None,
            host_name: Some("web1".to_owned()),
            vendor_class: None,
            state: DhcpLeaseState::Active,
            held_s: 5_025,
            ends_s: 59,
        };
        let over = DhcpLease {
            host_name: None,
            state: DhcpLeaseState::Over,
            ..lease.clone()
        };
        let leases = DhcpLeases {
            networks: vec![DhcpNetwork {
                network: "10.0.100.0/24".parse().unwrap(),
                pool_size: 100,
                active: 1,
            }],
            counters: DhcpCounters::default(),
            leases: vec![lease, over],
        };
        let expected = "\
10.0.100.0/24: 1 active, 100 addresses in its pools

ADDRESS         MAC               STATE          HELD   ENDS IN  HOST NAME
10.0.100.11     52:54:00:12:34:56 active      1:23:45   0:00:59  web1
10.0.100.11     52:54:00:12:34:56 over        1:23:45         -  -
";
        assert_eq!(render(&leases), expected);
    }
}

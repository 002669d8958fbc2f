//! The host's own translation, beside the packet path: what of the file asks
//! for it, which commands would take its packets, and what it does now.

use std::io::ErrorKind;

use vsnat_api::{
    Command, CommandError, Forward, MarkRule, Nat, NatDirection, NatEnd, NatFlow, NatFlows,
    NatForward, NatNetwork, NatSource, PortRange, ServiceKey,
};
use vsnat_config::{Config, Masquerade, taken_by};
use vsnat_dataplane::DataPlane;

use crate::engine::{Engine, Gone};
use crate::host::masquerade::{self, Rules};
use crate::host::{flows, ruleset};

/// Flows that are listed: some 2 MB of text. All are counted.
const MAX_LISTED: usize = 10_000;

/// Whether the file asks for an nftables table.
pub(crate) fn wants_table(config: &Config) -> bool {
    config.masquerade != Masquerade::Off
        || !config.network_masquerades.is_empty()
        || !config.forwards.is_empty()
}

/// Tells which ports of the file are not forwarded, since a service that was
/// added at run time has their packets.
pub(crate) fn warn_of_taken(config: &Config, data_plane: &DataPlane) {
    let marks = data_plane.marks();
    for forward in &config.forwards {
        if let Some(taker) = taken_by(forward, data_plane.service_keys(), &marks) {
            let (protocol, address) = (forward.protocol, forward.address);
            tracing::error!(
                "{protocol} {address} is not forwarded: {taker}, added at run time, takes its \
                 packets; delete it with ipvsadm, or forward another port"
            );
        }
    }
}

/// Refuses what would take the packets of a forwarded port.
pub(crate) fn check(
    command: &Command,
    config: &Config,
    data_plane: &DataPlane,
) -> Result<(), CommandError> {
    if config.forwards.is_empty() {
        return Ok(());
    }
    let taken = match command {
        Command::AddService(spec) => {
            first_taken(&config.forwards, &[spec.key], &data_plane.marks())
        }
        Command::MarkAdd(rule) => {
            let by_mark = data_plane
                .service_keys()
                .filter(|key| key.address().is_none());
            let by_mark: Vec<ServiceKey> = by_mark.collect();
            first_taken(&config.forwards, &by_mark, std::slice::from_ref(rule))
        }
        Command::EditService(_)
        | Command::DeleteService(_)
        | Command::Clear
        | Command::AddServer { .. }
        | Command::EditServer { .. }
        | Command::DeleteServer { .. }
        | Command::Zero(_)
        | Command::DenyAdd(_)
        | Command::DenyDelete(_)
        | Command::SetTimeouts(_)
        | Command::Set(_)
        | Command::MarkDelete(_) => None,
    };
    match taken {
        None => Ok(()),
        Some(message) => Err(CommandError::Failed { message }),
    }
}

fn first_taken(
    forwards: &[Forward],
    services: &[ServiceKey],
    marks: &[MarkRule],
) -> Option<String> {
    forwards.iter().find_map(|forward| {
        let taker = taken_by(forward, services.iter().copied(), marks)?;
        let Forward {
            protocol,
            address,
            to,
        } = forward;
        Some(format!(
            "{taker} would take the packets of {protocol} {address}, which the file forwards to \
             {to}; use another port, or remove that [[forward]]"
        ))
    })
}

impl Engine {
    /// What is translated now. The kernel's list of flows may be long, so it is
    /// read without the lock.
    pub fn nat(&self) -> Result<Nat, Gone> {
        let rules = self.with(|parts| parts.rules.clone())?;
        let outer = self.setup.config.outer.clone();
        let Some(rules) = rules else {
            return Ok(Nat {
                outer,
                ports: None,
                networks: Vec::new(),
                forwards: Vec::new(),
                flows: NatFlows::default(),
            });
        };
        let counts = masquerade::counts(&rules.table);
        let networks = rules.networks.iter().map(|(network, source)| NatNetwork {
            network: *network,
            source: *source,
            counters: ruleset::of_network(&counts, *network),
        });
        let forwards = rules.forwards.iter().map(|forward| NatForward {
            forward: *forward,
            counters: ruleset::of_forward(&counts, forward),
        });
        let ports = rules.hide().then_some(rules.ports);
        Ok(Nat {
            outer,
            ports: ports.and_then(|ports| PortRange::new(ports.low, ports.high).ok()),
            networks: networks.collect(),
            forwards: forwards.collect(),
            flows: flows_of(&rules),
        })
    }
}

fn flows_of(rules: &Rules) -> NatFlows {
    let mut found = NatFlows::default();
    let read = flows::each(|flow| {
        if !is_of(rules, &flow) {
            return;
        }
        found.total += 1;
        if found.listed.len() < MAX_LISTED {
            found.listed.push(flow);
        }
    });
    if let Err(error) = read {
        found.unknown = Some(match error.kind() {
            ErrorKind::NotFound => {
                "this kernel does not list them (CONFIG_NF_CONNTRACK_PROCFS)".to_owned()
            }
            _ => format!("cannot read them: {error}"),
        });
    }
    found
}

/// Whether one of these rules translates a flow: others may have theirs.
fn is_of(rules: &Rules, flow: &NatFlow) -> bool {
    match flow.direction {
        NatDirection::Out => {
            let source = flow.source.address;
            let mut networks = rules.networks.iter();
            let network = networks.find(|(network, _)| network.contains(&source));
            network.is_some_and(|(_, by)| *by != NatSource::Keep)
        }
        NatDirection::In => rules.forwards.iter().any(|forward| {
            let protocol = forward.protocol.to_string();
            let end = |address: std::net::SocketAddrV4| NatEnd {
                address: *address.ip(),
                port: Some(address.port()),
            };
            flow.protocol.eq_ignore_ascii_case(&protocol)
                && flow.destination == end(forward.address)
                && flow.translated == end(forward.to)
        }),
    }
}

//! The real servers: who of them answers, and by which way.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use crate::facts::{Facts, Neighbour, Server, Side, Transport};
use crate::finding::{Finding, Place};

pub(crate) fn examine(facts: &Facts, findings: &mut Vec<Finding>) {
    let mut routed = BTreeSet::new();
    let mut bypassed = BTreeSet::new();
    for server in &facts.servers {
        let address = *server.address.ip();
        if leaves_outside(facts, server) {
            // However many services it serves.
            if routed.insert(address) {
                findings.push(stray_route(server, address));
            }
            continue;
        }
        if !answers_nothing(server) {
            continue;
        }
        match server.neighbour {
            Neighbour::Silent => findings.push(unreachable(server)),
            Neighbour::Unknown | Neighbour::Known => {
                if let Some(gateway) = gateway(facts, address)
                    && bypassed.insert(address)
                {
                    findings.push(bypass(address, gateway));
                }
            }
        }
    }
    resting(facts, findings);
}

/// Whether packets go to it and none comes back; a datagram needs no answer.
fn answers_nothing(server: &Server) -> bool {
    match server.transport {
        Some(Transport::Tcp | Transport::Sctp) | None => {}
        Some(Transport::Udp) => return false,
    }
    let never = server.in_packets > 0 && server.out_packets == 0;
    let not_now = server.in_rate > 0 && server.out_rate == 0;
    server.weight > 0 && (never || not_now)
}

fn leaves_outside(facts: &Facts, server: &Server) -> bool {
    let Some(by) = &server.leaves_by else {
        return false;
    };
    let outer = facts.interfaces.iter().filter(|i| i.side == Side::Outer);
    outer.into_iter().any(|interface| interface.name == *by)
        && gateway(facts, *server.address.ip()).is_some()
}

/// The director's own address in the network of a server.
fn gateway(facts: &Facts, server: Ipv4Addr) -> Option<Ipv4Addr> {
    let inner = facts.interfaces.iter().filter(|i| i.side == Side::Inner);
    let names: Vec<&str> = inner.map(|i| i.name.as_str()).collect();
    let mut addresses = facts.addresses.iter();
    let own =
        addresses.find(|a| names.contains(&a.interface.as_str()) && a.network.contains(&server))?;
    Some(own.network.addr())
}

fn stray_route(server: &Server, address: Ipv4Addr) -> Finding {
    let by = server.leaves_by.as_deref().unwrap_or_default();
    Finding::fault(
        "stray-route",
        format!("the route to server {address} leads out by {by}, away from its network"),
        format!("ip route del {address} dev {by}"),
    )
}

fn bypass(address: Ipv4Addr, gateway: Ipv4Addr) -> Finding {
    let finding = Finding::fault(
        "server-gateway",
        format!(
            "packets go to server {address}, and nothing comes back by this host: its gateway is \
             another one, or none, and its answers bypass the director"
        ),
        format!("ip route replace default via {gateway}"),
    );
    finding.at(Place::Server(address))
}

fn unreachable(server: &Server) -> Finding {
    let (service, address) = (&server.service, server.address);
    Finding::fault(
        "server-unreachable",
        format!(
            "server {address} of service {service} is not on its network: nobody answers for its \
             address, and every client that is sent to it waits in vain"
        ),
        format!("ipvsadm -e {service} -r {address} -m -w 0"),
    )
}

/// Services all of whose servers have weight 0.
fn resting(facts: &Facts, findings: &mut Vec<Finding>) {
    let services: BTreeSet<&str> = facts.servers.iter().map(|s| s.service.as_str()).collect();
    for service in services {
        let mut servers = facts.servers.iter().filter(|s| s.service == service);
        let Some(first) = servers.clone().next() else {
            continue;
        };
        if servers.all(|server| server.weight == 0) {
            findings.push(Finding::fault(
                "no-weight",
                format!("all servers of service {service} have weight 0: every client is refused"),
                format!("ipvsadm -e {service} -r {} -m -w 1", first.address),
            ));
        }
    }
}

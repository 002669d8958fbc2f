//! Interfaces, addresses and routing.

use std::net::Ipv4Addr;

use ipnet::Ipv4Net;

use crate::facts::{Facts, Interface, Link, Side, Switch};
use crate::finding::{Finding, Place};

/// Reverse path filtering that drops what comes by another way.
const STRICT: u32 = 1;
const HOST_PREFIX: u8 = 32;

pub(crate) fn examine(facts: &Facts, findings: &mut Vec<Finding>) {
    if facts.forwarding == Some(Switch::Off) {
        findings.push(Finding::fault(
            "forwarding",
            "IPv4 forwarding is off, so the servers reach nothing beyond this host, and packets \
             that the kernel is to send on are dropped"
                .to_owned(),
            "sysctl -w net.ipv4.ip_forward=1".to_owned(),
        ));
    }
    for interface in &facts.interfaces {
        examine_interface(facts, interface, findings);
    }
    sizes(facts, findings);
    virtual_addresses(facts, findings);
    overlaps(facts, findings);
}

fn examine_interface(facts: &Facts, interface: &Interface, findings: &mut Vec<Finding>) {
    let name = &interface.name;
    let Some(link) = &interface.link else {
        findings.push(Finding::fault(
            "interface-missing",
            format!("there is no interface {name}, which the director is to work on"),
            "ip link show".to_owned(),
        ));
        return;
    };
    if link.up == Switch::Off {
        findings.push(Finding::fault(
            "interface-down",
            format!("{name} is down: nothing passes it"),
            format!("ip link set dev {name} up"),
        ));
    }
    // One switch for all is said once.
    if link.forwarding == Some(Switch::Off) && facts.forwarding != Some(Switch::Off) {
        findings.push(Finding::fault(
            "interface-forwarding",
            format!("forwarding is off on {name} alone: what comes in there is not sent on"),
            format!("sysctl -w net/ipv4/conf/{name}/forwarding=1"),
        ));
    }
    if link.reverse_path_filter == Some(STRICT) {
        findings.push(Finding::fault(
            "reverse-path-filter",
            format!(
                "{name} filters strictly by reverse path: packets that come by another way than \
                 answers would take are dropped in silence"
            ),
            format!("sysctl -w net/ipv4/conf/{name}/rp_filter=2"),
        ));
    }
    if link.xdp == Switch::On && link.strips_tags == Some(Switch::On) {
        findings.push(Finding::fault(
            "xdp-offload",
            format!(
                "{name} takes VLAN tags off before XDP sees them: a tagged frame to a VIP is \
                 taken for an untagged one"
            ),
            format!("ethtool -K {name} rxvlan off"),
        ));
    }
}

/// Servers and clients are to agree on the size of packets.
fn sizes(facts: &Facts, findings: &mut Vec<Finding>) {
    let Some((outer, outer_link)) = of_side(facts, Side::Outer).next() else {
        return;
    };
    for (inner, link) in of_side(facts, Side::Inner) {
        if link.mtu == outer_link.mtu {
            continue;
        }
        findings.push(Finding::fault(
            "mtu",
            format!(
                "packets on {outer} have up to {} bytes, those on {inner} up to {}: larger ones \
                 are refused, and clients behind firewalls that drop ICMP hang",
                outer_link.mtu, link.mtu
            ),
            format!("ip link set dev {inner} mtu {}", outer_link.mtu),
        ));
    }
}

fn virtual_addresses(facts: &Facts, findings: &mut Vec<Finding>) {
    let outer = facts.interfaces.iter().find(|i| i.side == Side::Outer);
    let Some(outer) = outer.map(|outer| outer.name.as_str()) else {
        return;
    };
    for vip in &facts.vips {
        if !facts.addresses.iter().any(|a| a.network.addr() == *vip) {
            let prefix = prefix_for(facts, outer, *vip);
            findings.push(Finding::fault(
                "vip-missing",
                format!("VIP {vip} is on no interface, so nobody finds it"),
                format!("ip address add {vip}/{prefix} dev {outer}"),
            ));
        }
    }
    for (vip, mac) in &facts.foreign_vips {
        let finding = Finding::fault(
            "vip-in-use",
            format!(
                "VIP {vip} is in use by the host {mac} on {outer} too: clients reach now the \
                 one, now the other"
            ),
            format!(
                "ip -o -4 address show to {vip} | while read -r _ dev _ net _; do ip address del \
                 \"$net\" dev \"$dev\"; done"
            ),
        );
        findings.push(finding.at(Place::Machine(mac.clone())));
    }
}

/// That of the network on the interface that the VIP belongs to.
fn prefix_for(facts: &Facts, outer: &str, vip: Ipv4Addr) -> u8 {
    let here = facts.addresses.iter().filter(|a| a.interface == outer);
    let networks = here.filter(|a| a.network.contains(&vip));
    networks
        .map(|a| a.network.prefix_len())
        .max()
        .unwrap_or(HOST_PREFIX)
}

/// Networks on both sides of which one has the addresses of the other.
fn overlaps(facts: &Facts, findings: &mut Vec<Finding>) {
    for outer in on_side(facts, Side::Outer) {
        let meets = |inner: &Ipv4Net| {
            inner.contains(&outer.1.trunc()) || outer.1.contains(&inner.network())
        };
        let Some((inner, network)) = on_side(facts, Side::Inner).find(|(_, net)| meets(net)) else {
            continue;
        };
        let (name, address) = outer;
        findings.push(Finding::fault(
            "overlap",
            format!(
                "{address} on {name} overlaps with the network {} on {inner}: packets to servers \
                 may leave on the clients' side",
                network.trunc()
            ),
            format!("ip address del {address} dev {name}"),
        ));
    }
}

fn on_side(facts: &Facts, side: Side) -> impl Iterator<Item = (&str, Ipv4Net)> {
    let of_side = move |name: &str| {
        let mut interfaces = facts.interfaces.iter();
        interfaces.any(|interface| interface.side == side && interface.name == name)
    };
    let addresses = facts.addresses.iter();
    addresses
        .filter(move |address| of_side(&address.interface))
        .map(|address| (address.interface.as_str(), address.network))
}

fn of_side(facts: &Facts, side: Side) -> impl Iterator<Item = (&str, &Link)> {
    let interfaces = facts.interfaces.iter().filter(move |i| i.side == side);
    interfaces.filter_map(|i| Some((i.name.as_str(), i.link.as_ref()?)))
}

//! The text of our nftables table, and the counters in it.
//!
//! Chains are emptied and filled, never deleted: their hooks, which translate
//! the packets of open connections, stay in place. Counters have names, so that
//! they outlive the rules that count; those that no rule uses any more go in the
//! same transaction.

use std::collections::BTreeMap;
use std::fmt::Write;

use ipnet::Ipv4Net;
use vsnat_api::{Forward, NatCounters, NatSource, Protocol};

use super::masquerade::{PortRange, Rules};

/// What is counted of each network and each forwarded port.
const KINDS: [&str; 3] = ["new", "out", "in"];

/// Packets and bytes by the name of their counter.
pub type Counts = BTreeMap<String, (u64, u64)>;

/// One transaction that makes the table hold exactly these rules. `present` are
/// the counters that it has.
pub fn script(rules: &Rules, present: &Counts) -> String {
    let table = &rules.table;
    let mut script = format!(
        "table ip {table} {{\n \
         chain prerouting {{\n  type nat hook prerouting priority dstnat; policy accept;\n }}\n \
         chain postrouting {{\n  type nat hook postrouting priority srcnat; policy accept;\n }}\n \
         chain forward {{\n  type filter hook forward priority filter; policy accept;\n }}\n"
    );
    let wanted = counters(rules);
    for counter in &wanted {
        // Writing to a String cannot fail.
        let _ = writeln!(script, " counter {counter} {{\n }}");
    }
    script += "}\n";
    for chain in ["prerouting", "postrouting", "forward"] {
        let _ = writeln!(script, "flush chain ip {table} {chain}");
    }
    for counter in present.keys().filter(|counter| !wanted.contains(counter)) {
        let _ = writeln!(script, "delete counter ip {table} {counter}");
    }
    // Ports first: what they translate is not to be counted for a network.
    for forward in &rules.forwards {
        forward_rules(&mut script, rules, forward);
    }
    for (network, source) in &rules.networks {
        network_rules(&mut script, rules, *network, *source);
    }
    script
}

/// What the table counted for a network.
pub fn of_network(counts: &Counts, network: Ipv4Net) -> NatCounters {
    gathered(counts, &network_name(network))
}

/// What the table counted for a forwarded port.
pub fn of_forward(counts: &Counts, forward: &Forward) -> NatCounters {
    gathered(counts, &forward_name(forward))
}

/// Reads what `nft list counters` prints.
pub fn read_counters(listing: &str) -> Counts {
    let mut counts = Counts::new();
    let mut name = None;
    for line in listing.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            ["counter", counter, "{"] => name = Some(counter.to_owned()),
            ["packets", packets, "bytes", bytes] => {
                let numbers = (packets.parse(), bytes.parse());
                if let (Some(name), (Ok(packets), Ok(bytes))) = (name.take(), numbers) {
                    counts.insert(name, (packets, bytes));
                }
            }
            _ => {}
        }
    }
    counts
}

fn gathered(counts: &Counts, name: &str) -> NatCounters {
    let [new, out, inward] = KINDS.map(|kind| {
        let count = counts.get(&format!("{name}_{kind}"));
        count.copied().unwrap_or_default()
    });
    NatCounters {
        connections: new.0,
        out_packets: out.0,
        out_bytes: out.1,
        in_packets: inward.0,
        in_bytes: inward.1,
    }
}

fn counters(rules: &Rules) -> Vec<String> {
    let networks = rules.networks.iter().map(|(net, _)| network_name(*net));
    let names = rules.forwards.iter().map(forward_name).chain(networks);
    let named = names.flat_map(|name| KINDS.map(|kind| format!("{name}_{kind}")));
    named.collect()
}

fn network_name(network: Ipv4Net) -> String {
    format!("net_{}_{}", network.addr(), network.prefix_len())
}

fn forward_name(forward: &Forward) -> String {
    let (protocol, address) = (word(forward.protocol), forward.address);
    format!("port_{protocol}_{}_{}", address.ip(), address.port())
}

fn forward_rules(script: &mut String, rules: &Rules, forward: &Forward) {
    let Rules { table, outer, .. } = rules;
    let name = forward_name(forward);
    let protocol = word(forward.protocol);
    let (address, port) = (forward.address.ip(), forward.address.port());
    let (host, to) = (forward.to.ip(), forward.to);
    let _ = writeln!(
        script,
        "add rule ip {table} prerouting iifname \"{outer}\" ip daddr {address} {protocol} dport \
         {port} counter name {name}_new dnat to {to}"
    );
    let of_port = format!(
        "ct status dnat meta l4proto {protocol} ct original ip daddr {address} ct original \
         proto-dst {port}"
    );
    for (kind, way) in [("in", "iifname"), ("out", "oifname")] {
        let end = if kind == "in" { "daddr" } else { "saddr" };
        let _ = writeln!(
            script,
            "add rule ip {table} forward {way} \"{outer}\" ip {end} {host} {of_port} counter name \
             {name}_{kind} accept"
        );
    }
}

fn network_rules(script: &mut String, rules: &Rules, network: Ipv4Net, source: NatSource) {
    let Rules {
        table,
        outer,
        ports: PortRange { low, high },
        ..
    } = rules;
    let name = network_name(network);
    let from = format!("add rule ip {table} postrouting oifname \"{outer}\" ip saddr {network}");
    let with_ports = "meta l4proto { tcp, udp, sctp }";
    let count = format!("counter name {name}_new");
    let _ = match source {
        NatSource::Keep => writeln!(script, "{from} {count} accept"),
        NatSource::Auto => writeln!(
            script,
            "{from} {with_ports} {count} masquerade to :{low}-{high}\n{from} {count} masquerade"
        ),
        NatSource::Address(address) => writeln!(
            script,
            "{from} {with_ports} {count} snat to {address}:{low}-{high}\n{from} {count} snat to \
             {address}"
        ),
    };
    let _ = writeln!(
        script,
        "add rule ip {table} forward oifname \"{outer}\" ip saddr {network} counter name \
         {name}_out accept\nadd rule ip {table} forward iifname \"{outer}\" ip daddr {network} \
         counter name {name}_in accept"
    );
}

/// The protocol in nft's words.
fn word(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Tcp => "tcp",
        Protocol::Udp => "udp",
        Protocol::Sctp => "sctp",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_read_back_by_network_and_port() {
        let listing = "table ip vsnat_default {\n\tcounter net_10.0.100.0_24_new {\n\t\tpackets 3 \
                       bytes 180\n\t}\n\tcounter net_10.0.100.0_24_out {\n\t\tpackets 9 bytes \
                       900\n\t}\n\tcounter port_tcp_192.0.2.1_2201_in {\n\t\tpackets 4 bytes \
                       240\n\t}\n}\n";
        let counts = read_counters(listing);
        assert_eq!(counts.len(), 3);
        let network = of_network(&counts, "10.0.100.0/24".parse().unwrap());
        let expected = NatCounters {
            connections: 3,
            out_packets: 9,
            out_bytes: 900,
            ..NatCounters::default()
        };
        assert_eq!(network, expected);
        let forward = Forward {
            protocol: Protocol::Tcp,
            address: "192.0.2.1:2201".parse().unwrap(),
            to: "10.0.100.11:22".parse().unwrap(),
        };
        assert_eq!(of_forward(&counts, &forward).in_packets, 4);
    }

    #[test]
    fn counters_that_no_rule_uses_go() {
        let rules = Rules {
            table: "vsnat_t".to_owned(),
            outer: "eth0".to_owned(),
            networks: vec![("10.0.100.0/24".parse().unwrap(), NatSource::Auto)],
            forwards: Vec::new(),
            ports: PortRange::UNPRIVILEGED,
        };
        let counts = [
            ("net_10.0.100.0_24_new", (1, 1)),
            ("net_10.0.9.0_24_new", (1, 1)),
        ];
        let present = counts.map(|(name, count)| (name.to_owned(), count));
        let script = script(&rules, &Counts::from(present));
        assert!(script.contains("delete counter ip vsnat_t net_10.0.9.0_24_new\n"));
        assert_eq!(script.matches("delete counter").count(), 1);
    }
}

//! The marking rules, and the list that the packet path tries one by one.
//!
//! A rule with several port ranges takes several entries, one behind the
//! other. A new list is written beside the old one and comes into force by
//! one store.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use ipnet::Ipv4Net;
use vsnat_abi::mark::{
    INTERFACE_NAME, MAX_MARKS, MarkRule4, mark_list, mark_list_first, mark_list_len,
};
use vsnat_abi::net::Be32;
use vsnat_api::{CommandError, Mark, MarkRule, PortRange, Protocol};

use crate::Backend;
use crate::plane::Plane;

/// Of a rule's destination up to 256 addresses are looked for one by one; of a
/// larger network every packet is taken for a possible one.
const SHORTEST_PREFIX: u8 = 24;

/// An interface that is not there now: no packet comes by it.
const NO_INTERFACE: u32 = u32::MAX;

/// Which addresses a rule may mark packets to.
enum Marked {
    Addresses(Vec<Be32>),
    Any,
}

impl<B: Backend> Plane<B> {
    /// The marking rules, in the order in which they are tried.
    pub fn marks(&self) -> Vec<MarkRule> {
        self.marks.clone()
    }

    pub(super) fn mark_add(&mut self, rule: &MarkRule) -> Result<(), CommandError> {
        let rule = tidy(rule);
        if self.marks.contains(&rule) {
            return Err(CommandError::MarkExists {
                rule: Box::new(rule),
            });
        }
        if let Some(name) = &rule.interface
            && self.backend.interface_index(name).is_none()
        {
            return Err(CommandError::Failed {
                message: format!("there is no interface {name}; `ip link` shows those that are"),
            });
        }
        let taken: usize = self.marks.iter().map(entries_of).sum();
        if taken + entries_of(&rule) > MAX_MARKS as usize {
            return Err(CommandError::Full {
                what: "port ranges in marking rules".to_owned(),
                limit: MAX_MARKS,
            });
        }
        self.hold_marked(&rule);
        self.marks.push(rule);
        self.write_marks();
        Ok(())
    }

    pub(super) fn mark_delete(&mut self, rule: &MarkRule) -> Result<(), CommandError> {
        let rule = tidy(rule);
        let Some(place) = self.marks.iter().position(|known| *known == rule) else {
            return Err(CommandError::NoSuchMark {
                rule: Box::new(rule),
            });
        };
        let rule = self.marks.remove(place);
        self.write_marks();
        self.leave_marked(&rule);
        Ok(())
    }

    /// An interface that was made anew has another index.
    pub(super) fn follow_interfaces(&mut self) {
        let named = self.marks.iter().any(|rule| rule.interface.is_some());
        if named && self.entries() != self.entries_in_force() {
            self.write_marks();
        }
    }

    pub(super) fn adopt_marks(&mut self) {
        let mut rules: Vec<MarkRule> = Vec::new();
        for entry in self.entries_in_force() {
            let ports = PortRange::new(entry.first_port, entry.last_port);
            let (Ok(ports), Ok(mark)) = (ports, Mark::new(entry.mark)) else {
                continue;
            };
            match rules.last_mut() {
                Some(rule) if entry.continues != 0 => rule.ports.push(ports),
                _ => rules.push(MarkRule {
                    mark,
                    protocol: Protocol::from_number(entry.protocol),
                    source: prefix(entry.source, entry.source_mask),
                    destination: prefix(entry.destination, entry.destination_mask),
                    ports: match ports {
                        PortRange::ALL => Vec::new(),
                        ports => vec![ports],
                    },
                    interface: name_in(&entry),
                }),
            }
        }
        rules.iter().for_each(|rule| self.hold_marked(rule));
        self.marks = rules;
    }

    /// Packets to the rule's destination may be ours from now on.
    fn hold_marked(&mut self, rule: &MarkRule) {
        match marked(rule) {
            Marked::Any => self.filters.vips.raise_all(),
            Marked::Addresses(addresses) => addresses
                .into_iter()
                .for_each(|address| self.filters.vips.raise(address)),
        }
    }

    fn leave_marked(&mut self, rule: &MarkRule) {
        match marked(rule) {
            Marked::Any => self.filters.vips.lower_all(),
            Marked::Addresses(addresses) => addresses
                .into_iter()
                .for_each(|address| self.filters.vips.lower(address)),
        }
    }

    fn write_marks(&mut self) {
        let entries = self.entries();
        let marks = self.backend.memory().marks;
        let in_force = self.backend.memory().settings.read(0).unwrap_or_default();
        let first = match mark_list_first(in_force.marks) {
            0 => MAX_MARKS,
            _ => 0,
        };
        for (at, entry) in (first..).zip(&entries) {
            marks.write(at, *entry);
        }
        let list = mark_list(first, entries.len() as u32);
        self.change(|settings| settings.marks = list);
    }

    fn entries_in_force(&self) -> Vec<MarkRule4> {
        let memory = self.backend.memory();
        let list = memory.settings.read(0).unwrap_or_default().marks;
        let places = (mark_list_first(list)..).take(mark_list_len(list) as usize);
        places.filter_map(|at| memory.marks.read(at)).collect()
    }

    fn entries(&self) -> Vec<MarkRule4> {
        let mut indices = BTreeMap::new();
        for name in self.marks.iter().filter_map(|rule| rule.interface.as_ref()) {
            let index = self.backend.interface_index(name);
            indices.insert(name.as_str(), index.unwrap_or(NO_INTERFACE));
        }
        let index_of = |rule: &MarkRule| {
            let name = rule.interface.as_deref();
            name.map_or(0, |name| indices.get(name).copied().unwrap_or(NO_INTERFACE))
        };
        let entries = self.marks.iter().flat_map(|rule| {
            let ifindex = index_of(rule);
            ports_of(rule)
                .into_iter()
                .enumerate()
                .map(move |(number, ports)| entry(rule, ifindex, ports, number))
        });
        entries.collect()
    }
}

fn marked(rule: &MarkRule) -> Marked {
    match rule.destination {
        Some(net) if net.prefix_len() >= SHORTEST_PREFIX => {
            let all = u32::from(net.network())..=u32::from(net.broadcast());
            Marked::Addresses(all.map(Be32::from_host).collect())
        }
        Some(_) | None => Marked::Any,
    }
}

fn ports_of(rule: &MarkRule) -> Vec<PortRange> {
    match rule.ports.is_empty() {
        true => vec![PortRange::ALL],
        false => rule.ports.clone(),
    }
}

fn entries_of(rule: &MarkRule) -> usize {
    rule.ports.len().max(1)
}

fn entry(rule: &MarkRule, ifindex: u32, ports: PortRange, number: usize) -> MarkRule4 {
    let (source, source_mask) = network(rule.source);
    let (destination, destination_mask) = network(rule.destination);
    MarkRule4 {
        mark: rule.mark.get(),
        source,
        source_mask,
        destination,
        destination_mask,
        ifindex,
        first_port: ports.first(),
        last_port: ports.last(),
        protocol: rule.protocol.map_or(0, Protocol::number),
        continues: u8::from(number > 0),
        zero: [0; 2],
        interface: name_bytes(rule.interface.as_deref()),
    }
}

fn name_bytes(name: Option<&str>) -> [u8; INTERFACE_NAME] {
    let mut bytes = [0; INTERFACE_NAME];
    for (place, byte) in bytes.iter_mut().zip(name.unwrap_or("").bytes()) {
        *place = byte;
    }
    bytes
}

fn name_in(entry: &MarkRule4) -> Option<String> {
    let name = String::from_utf8_lossy(&entry.interface);
    let name = name.trim_end_matches('\0');
    (!name.is_empty()).then(|| name.to_owned())
}

fn network(net: Option<Ipv4Net>) -> (Be32, Be32) {
    net.map_or((Be32::ZERO, Be32::ZERO), |net| {
        let (address, mask) = (net.network(), net.netmask());
        (
            Be32::from_bytes(address.octets()),
            Be32::from_bytes(mask.octets()),
        )
    })
}

fn prefix(address: Be32, mask: Be32) -> Option<Ipv4Net> {
    if mask == Be32::ZERO {
        return None;
    }
    let (address, mask) = (
        Ipv4Addr::from(address.bytes()),
        Ipv4Addr::from(mask.bytes()),
    );
    Ipv4Net::with_netmask(address, mask).ok()
}

/// Every way to say a rule is one rule: networks without host bits, all ports
/// as none, and "0.0.0.0/0" as no network.
fn tidy(rule: &MarkRule) -> MarkRule {
    let net = |net: Option<Ipv4Net>| net.map(|n| n.trunc()).filter(|n| n.prefix_len() > 0);
    let mut ports = rule.ports.clone();
    if ports.contains(&PortRange::ALL) {
        ports.clear();
    }
    ports.sort_unstable();
    MarkRule {
        source: net(rule.source),
        destination: net(rule.destination),
        ports,
        ..rule.clone()
    }
}

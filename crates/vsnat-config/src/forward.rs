//! `[[forward]]`: outer ports that lead to one host inside.
//!
//! Service traffic is taken before the host's translation sees it, so a port
//! that a service may get cannot be forwarded.

use toml::Spanned;
use vsnat_api::{Forward, MarkRule, PortRange, ServiceKey};

use crate::mistake::Notes;
use crate::section::Section;
use crate::{DesiredService, address, protocol};

const KEYS: [&str; 3] = ["protocol", "address", "to"];

/// Each takes three rules, which the kernel tries one after the other.
const MAX_FORWARDS: usize = 256;

/// Who takes the packets to a forwarded port, for people; none if it is free.
///
/// A rule of marks counts only where some service has its mark.
pub fn taken_by(
    forward: &Forward,
    services: impl IntoIterator<Item = ServiceKey>,
    marks: &[MarkRule],
) -> Option<String> {
    let takes = |service: &ServiceKey| match service {
        ServiceKey::Address { protocol, address } => {
            *protocol == forward.protocol
                && address.ip() == *forward.address.ip()
                && (address.port() == forward.address.port() || address.port() == 0)
        }
        ServiceKey::Mark { mark } => marks
            .iter()
            .any(|rule| rule.mark == *mark && is_marked(rule, forward)),
    };
    let taker = services.into_iter().find(takes);
    taker.map(|service| format!("service {service}"))
}

fn is_marked(rule: &MarkRule, forward: &Forward) -> bool {
    let address = forward.address;
    let has = |range: &PortRange| (range.first()..=range.last()).contains(&address.port());
    rule.protocol.is_none_or(|p| p == forward.protocol)
        && rule
            .destination
            .is_none_or(|net| net.contains(address.ip()))
        && (rule.ports.is_empty() || rule.ports.iter().any(has))
}

pub(crate) fn read(
    sections: &[Section],
    services: &[DesiredService],
    marks: &[MarkRule],
    notes: &mut Notes,
) -> Vec<Forward> {
    let mut kept: Vec<Spanned<Forward>> = Vec::new();
    if let Some(section) = sections.get(MAX_FORWARDS) {
        let message = format!("at most {MAX_FORWARDS} [[forward]]; remove some");
        notes.add(section.span(), message);
    }
    for section in sections {
        let Some(forward) = forward(section, notes) else {
            continue;
        };
        let (protocol, address) = (forward.protocol, forward.address);
        let keys = services.iter().map(|service| service.spec.key);
        if let Some(taker) = taken_by(&forward, keys, marks) {
            let message = format!(
                "{protocol} {address} cannot be forwarded: {taker} takes its packets; choose \
                 another port"
            );
            notes.add(section.span(), message);
            continue;
        }
        let is_same = |other: &Forward| other.protocol == protocol && other.address == address;
        if let Some(other) = kept.iter().find(|other| is_same(other.get_ref())) {
            let line = notes.line(&other.span());
            let message = format!("{protocol} {address} is forwarded on line {line}; remove one");
            notes.add(section.span(), message);
            continue;
        }
        kept.push(Spanned::new(section.span(), forward));
    }
    kept.into_iter().map(Spanned::into_inner).collect()
}

fn forward(section: &Section, notes: &mut Notes) -> Option<Forward> {
    section.check_keys(&KEYS, notes);
    for (key, example) in [
        ("protocol", "\"tcp\", \"udp\" or \"sctp\""),
        ("address", "\"203.0.113.10:2201\", what clients connect to"),
        ("to", "\"10.0.100.11:22\", the host inside"),
    ] {
        if section.value(key).is_none() {
            section.missing(key, example, notes);
        }
    }
    let protocol = section.text("protocol", notes);
    let protocol = protocol.and_then(|text| protocol::read(&text, notes));
    let address = end(section, "address", notes);
    let to = end(section, "to", notes);
    let forward = Forward {
        protocol: protocol?,
        address: address?,
        to: to?,
    };
    if forward.address.ip() == forward.to.ip() {
        let message = format!(
            "{} would be forwarded to itself; name a host inside",
            forward.to
        );
        notes.add(section.span(), message);
        return None;
    }
    Some(forward)
}

/// One address and one port.
fn end(section: &Section, key: &str, notes: &mut Notes) -> Option<std::net::SocketAddrV4> {
    let text = section.text(key, notes)?;
    let read = address::service_address4(text.get_ref()).and_then(|end| {
        address::unicast(*end.ip())?;
        match end.port() {
            0 => Err(format!("{end} has no port; write the one that is meant")),
            _ => Ok(end),
        }
    });
    read.map_err(|message| notes.add(text.span(), message)).ok()
}

//! `[[mark]]`: the rules that give packets their marks.

use std::ops::Range;

use ipnet::Ipv4Net;
use toml::de::DeValue;
use vsnat_api::{Mark, MarkRule, PortRange, Protocol};

use crate::mistake::Notes;
use crate::section::{Section, kind};
use crate::{address, protocol};

const KEYS: [&str; 6] = [
    "mark",
    "protocol",
    "source",
    "destination",
    "ports",
    "interface",
];

/// Rules are tried one after the other for every packet that has no connection;
/// each of its port ranges counts as a rule of its own.
const MAX_RULES: usize = 1_024;

/// The rules in their order. Without an outer interface (its line was wrong)
/// nothing is said about the interfaces of rules.
pub(crate) fn read(sections: &[Section], outer: Option<&str>, notes: &mut Notes) -> Vec<MarkRule> {
    let mut rules: Vec<(MarkRule, Range<usize>)> = Vec::new();
    let mut count = 0;
    for section in sections {
        let Some(rule) = rule(section, outer, notes) else {
            continue;
        };
        let before = count;
        count += rule.ports.len().max(1);
        if before <= MAX_RULES && count > MAX_RULES {
            let message = format!(
                "here the file passes {MAX_RULES} rules, each range of ports counted; remove some"
            );
            notes.add(section.span(), message);
        }
        if let Some((first, span)) = rules.iter().find(|(first, _)| same_packets(first, &rule)) {
            let (mark, line) = (first.mark, notes.line(span));
            let message = format!(
                "the rule on line {line} gives the same packets mark {mark}, and the first one \
                 counts; remove one of the two"
            );
            notes.add(section.span(), message);
            continue;
        }
        rules.push((rule, section.span()));
    }
    rules.into_iter().map(|(rule, _)| rule).collect()
}

/// The mark of a rule or of a service.
pub(crate) fn mark(section: &Section, notes: &mut Notes) -> Option<Mark> {
    let number = section.integer("mark", notes)?;
    let mark = u32::try_from(*number.get_ref()).ok();
    let mark = mark.and_then(|mark| Mark::new(mark).ok());
    if mark.is_none() {
        notes.add(
            number.span(),
            format!("mark must be from 1 to {}", u32::MAX),
        );
    }
    mark
}

fn rule(section: &Section, outer: Option<&str>, notes: &mut Notes) -> Option<MarkRule> {
    section.check_keys(&KEYS, notes);
    if section.value("mark").is_none() {
        section.missing("mark", "1, the number that a service by mark names", notes);
    }
    let before = notes.count();
    let rule = MarkRule {
        mark: mark(section, notes)?,
        protocol: protocol_of(section, notes),
        source: prefix(section, "source", notes),
        destination: prefix(section, "destination", notes),
        ports: ports(section, notes),
        interface: interface(section, outer, notes),
    };
    // A condition that was wrong is not a condition that was left out.
    (notes.count() == before).then_some(rule)
}

fn protocol_of(section: &Section, notes: &mut Notes) -> Option<Protocol> {
    let text = section.text("protocol", notes)?;
    protocol::read(&text, notes)
}

fn prefix(section: &Section, key: &str, notes: &mut Notes) -> Option<Ipv4Net> {
    let text = section.text(key, notes)?;
    match address::network4(text.get_ref()) {
        // Every address there is.
        Ok(net) if net.prefix_len() == 0 => None,
        Ok(net) => Some(net),
        Err(message) => {
            notes.add(text.span(), message);
            None
        }
    }
}

/// Sorted, and none for all, so that rules can be compared.
fn ports(section: &Section, notes: &mut Notes) -> Vec<PortRange> {
    let Some(value) = section.value("ports") else {
        return Vec::new();
    };
    let DeValue::Array(items) = value.get_ref() else {
        let found = kind(value.get_ref());
        let message = format!("ports must be a list like [80, \"8000-8099\"], not {found}");
        notes.add(value.span(), message);
        return Vec::new();
    };
    if items.is_empty() {
        let message = "ports is empty; leave it out if every port is meant";
        notes.add(value.span(), message);
    }
    let mut ports = Vec::new();
    for item in items.iter() {
        let text = match item.get_ref() {
            DeValue::String(text) => text.to_string(),
            DeValue::Integer(integer) if integer.radix() == 10 => integer.as_str().to_owned(),
            other => kind(other).to_owned(),
        };
        match PortRange::try_from(text.clone()) {
            Ok(range) => ports.push(range),
            Err(error) => notes.add(item.span(), format!("{text} among ports: {error}")),
        }
    }
    if ports.contains(&PortRange::ALL) {
        return Vec::new();
    }
    ports.sort();
    ports.dedup();
    ports
}

fn interface(section: &Section, outer: Option<&str>, notes: &mut Notes) -> Option<String> {
    let text = section.text("interface", notes)?;
    let interface = *text.get_ref();
    if let Some(outer) = outer.filter(|outer| *outer != interface) {
        let message = format!(
            "packets to services come by {outer}, the outer interface; write that, or leave it out"
        );
        notes.add(text.span(), message);
        return None;
    }
    Some(interface.to_owned())
}

fn same_packets(one: &MarkRule, other: &MarkRule) -> bool {
    let other = MarkRule {
        mark: one.mark,
        ..other.clone()
    };
    *one == other
}

//! `[[masquerade]]`: by which address the traffic of one network leaves.

use ipnet::Ipv4Net;
use toml::Spanned;
use vsnat_api::NatSource;

use crate::address;
use crate::mistake::Notes;
use crate::section::Section;

const KEYS: [&str; 2] = ["network", "source"];

/// Each takes three rules, which every forwarded packet passes.
const MAX_NETWORKS: usize = 64;

/// A network that does not follow `masquerade` of `[director]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NetworkMasquerade {
    pub network: Ipv4Net,
    pub source: NatSource,
}

/// The choices, of which none may overlap with another: which one holds must
/// not depend on their order.
pub(crate) fn read(sections: &[Section], notes: &mut Notes) -> Vec<NetworkMasquerade> {
    let mut kept: Vec<Spanned<NetworkMasquerade>> = Vec::new();
    if let Some(section) = sections.get(MAX_NETWORKS) {
        let message = format!("at most {MAX_NETWORKS} [[masquerade]]; join some networks");
        notes.add(section.span(), message);
    }
    for section in sections {
        let Some(choice) = choice(section, notes) else {
            continue;
        };
        let net = choice.network;
        let covers = |other: &Ipv4Net| other.contains(&net) || net.contains(other);
        if let Some(other) = kept.iter().find(|other| covers(&other.get_ref().network)) {
            let line = notes.line(&other.span());
            let message = format!("{net} overlaps with the network on line {line}; remove one");
            notes.add(section.span(), message);
            continue;
        }
        kept.push(Spanned::new(section.span(), choice));
    }
    kept.into_iter().map(Spanned::into_inner).collect()
}

fn choice(section: &Section, notes: &mut Notes) -> Option<NetworkMasquerade> {
    section.check_keys(&KEYS, notes);
    if section.value("network").is_none() {
        section.missing("network", "\"10.0.100.0/24\"", notes);
    }
    if section.value("source").is_none() {
        let example = "\"auto\", \"keep\" or an address of the outer interface";
        section.missing("source", example, notes);
    }
    let network = network(section, notes);
    let source = source(section, notes);
    Some(NetworkMasquerade {
        network: network?,
        source: source?,
    })
}

fn network(section: &Section, notes: &mut Notes) -> Option<Ipv4Net> {
    let text = section.text("network", notes)?;
    match address::network4(text.get_ref()) {
        Ok(net) if net.prefix_len() == 0 => {
            let message = format!("{net} is every address there is; name the network meant");
            notes.add(text.span(), message);
            None
        }
        Ok(net) => Some(net),
        Err(message) => {
            notes.add(text.span(), message);
            None
        }
    }
}

fn source(section: &Section, notes: &mut Notes) -> Option<NatSource> {
    let text = section.text("source", notes)?;
    match *text.get_ref() {
        "auto" => Some(NatSource::Auto),
        "keep" => Some(NatSource::Keep),
        other => match address::host4(other) {
            Ok((source, None)) if address::unicast(source).is_ok() => {
                Some(NatSource::Address(source))
            }
            Ok(_) | Err(_) => {
                let message = format!(
                    "source \"{other}\" is neither \"auto\", \"keep\" nor an address like 203.0.113.11"
                );
                notes.add(text.span(), message);
                None
            }
        },
    }
}

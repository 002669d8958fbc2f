//! Which machines become servers of which service once they have a lease.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::ops::RangeInclusive;

use toml::Spanned;
use vsnat_api::{Protocol, ServiceKey, Weight};

use super::pattern::Pattern;
use crate::duration;
use crate::mistake::Notes;
use crate::section::Section;
use crate::suggest::nearest;

const KEYS: [&str; 6] = [
    "service",
    "host_name",
    "vendor_class",
    "port",
    "weight",
    "slow_start",
];

const PORTS: RangeInclusive<u32> = 1..=65_535;
const WEIGHTS: RangeInclusive<u32> = 0..=Weight::MAX;

/// The services that have a name. None when some service was wrong: nothing is
/// said about names then.
pub(crate) type Names = Option<BTreeMap<String, ServiceKey>>;

/// A rule by which machines become servers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Enrolment {
    pub who: Enrolled,
    pub service: ServiceKey,
    /// The server's port.
    pub port: u16,
    pub weight: Weight,
    /// How long its weight grows from 1 to that; 0 is not at all.
    pub slow_start_s: u32,
}

/// By what a machine is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Enrolled {
    /// The address of a reservation.
    Reservation(Ipv4Addr),
    HostName(Pattern),
    VendorClass(Pattern),
}

/// `[[dhcp.enrol]]`.
pub(super) fn read(sections: &[Section], names: &Names, notes: &mut Notes) -> Vec<Enrolment> {
    let rules = sections.iter().filter_map(|section| {
        section.check_keys(&KEYS, notes);
        let who = pattern(section, notes);
        if section.value("service").is_none() {
            section.missing("service", "\"web\", the name of a service", notes);
        }
        enrolment(section, "service", who?, names, notes)
    });
    rules.collect()
}

/// What a section says of service, port and weight.
pub(super) fn enrolment(
    section: &Section,
    key: &str,
    who: Enrolled,
    names: &Names,
    notes: &mut Notes,
) -> Option<Enrolment> {
    let port = section.number("port", PORTS, notes);
    let weight = section.number("weight", WEIGHTS, notes);
    let weight = weight.and_then(|weight| Weight::new(weight).ok());
    let name = section.text(key, notes)?;
    let service = service(&name, names, notes)?;
    let own_port = service.address().map_or(0, |address| address.port());
    let is_checkable = service.protocol() == Some(Protocol::Tcp) && own_port != 0;
    if !is_checkable {
        let message = format!(
            "{service} is not of TCP on one port: whether a machine serves is found out by a TCP \
             connection, so it cannot be enrolled there"
        );
        notes.add(name.span(), message);
        return None;
    }
    Some(Enrolment {
        who,
        service,
        port: port
            .and_then(|port| u16::try_from(port).ok())
            .unwrap_or(own_port),
        weight: weight.unwrap_or(Weight::ONE),
        slow_start_s: slow_start(section, weight, notes),
    })
}

/// A weight of one cannot grow, so a time for it is a mistake.
fn slow_start(section: &Section, weight: Option<Weight>, notes: &mut Notes) -> u32 {
    let Some(text) = section.text("slow_start", notes) else {
        return 0;
    };
    if section.value("weight").is_none() || weight.is_some_and(|w| w <= Weight::ONE) {
        let message = "slow_start needs a weight to grow to; give all servers of the service larger \
                       ones, like weight = 100";
        notes.add(text.span(), message);
        return 0;
    }
    duration::seconds("slow_start", &text, notes).unwrap_or(0)
}

fn pattern(section: &Section, notes: &mut Notes) -> Option<Enrolled> {
    match (section.value("host_name"), section.value("vendor_class")) {
        (None, None) => {
            section.missing("host_name", "\"web-*\", or vendor_class", notes);
            None
        }
        (Some(_), Some(class)) => {
            let message = "a rule has either host_name or vendor_class; make two rules";
            notes.add(class.span(), message);
            None
        }
        (Some(_), None) => {
            let text = section.text("host_name", notes)?;
            Some(Enrolled::HostName(Pattern::new(text.get_ref())))
        }
        (None, Some(_)) => {
            let text = section.text("vendor_class", notes)?;
            Some(Enrolled::VendorClass(Pattern::new(text.get_ref())))
        }
    }
}

fn service(name: &Spanned<&str>, names: &Names, notes: &mut Notes) -> Option<ServiceKey> {
    let names = names.as_ref()?;
    if let Some(key) = names.get(*name.get_ref()) {
        return Some(*key);
    }
    let known: Vec<&str> = names.keys().map(String::as_str).collect();
    let hint = match nearest(name.get_ref(), &known) {
        Some(near) => format!("did you mean {near}?"),
        None => "give a [[service]] that name".to_owned(),
    };
    let message = format!("no service is named \"{}\"; {hint}", name.get_ref());
    notes.add(name.span(), message);
    None
}

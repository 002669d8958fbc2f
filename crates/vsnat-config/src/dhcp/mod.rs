//! `[dhcp]`: addresses for the real servers.

mod enrol;
mod network;
mod pattern;
mod reservation;

use std::net::Ipv4Addr;

use ipnet::Ipv4Net;
use toml::Spanned;
use toml::de::DeValue;
use vsnat_dhcp::{Range, Reservation, Route};

use enrol::Names;

use crate::mistake::Notes;
use crate::section::{Section, kind};

const KEYS: [&str; 9] = [
    "network",
    "reservation",
    "enrol",
    "force",
    "lease_time",
    "dns",
    "domain",
    "mtu",
    "ntp",
];
const NETWORK: &str = "[[dhcp.network]]";
const RESERVATION: &str = "[[dhcp.reservation]]";
const ENROL: &str = "[[dhcp.enrol]]";

pub use enrol::{Enrolled, Enrolment};
pub use pattern::Pattern;

/// What `[dhcp]` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dhcp {
    pub networks: Vec<DhcpNetwork>,
    pub reservations: Vec<Reservation>,
    /// Of several that fit a machine the first one counts; those of
    /// reservations come first.
    pub enrolments: Vec<Enrolment>,
    pub others: OtherServers,
}

/// Whether to start where another DHCP server answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OtherServers {
    Refuse,
    Tolerate,
}

/// A network that addresses are given out in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DhcpNetwork {
    pub network: Ipv4Net,
    /// Absent, it is the director's address in this network.
    pub router: Option<Ipv4Addr>,
    pub pools: Vec<Range>,
    pub lease_time_s: u32,
    pub dns: Vec<Ipv4Addr>,
    pub domain: Option<String>,
    pub mtu: Option<u16>,
    pub ntp: Vec<Ipv4Addr>,
    pub routes: Vec<Route>,
}

pub(crate) fn read(section: &Section, names: &Names, notes: &mut Notes) -> Dhcp {
    section.check_keys(&KEYS, notes);
    let usual = network::usual(section, notes);
    let sections = Section::all_of(section, NETWORK, "network", notes);
    if section.value("network").is_none() {
        let message = "[dhcp] has no [[dhcp.network]]; add one with a network and its pools";
        notes.add_missing(section.span(), message.to_owned());
    }
    let networks = network::read(&sections, &usual, notes);
    let sections = Section::all_of(section, RESERVATION, "reservation", notes);
    let reservations = reservation::read(&sections, &networks, notes);
    let mut enrolments = reservation::enrolments(&sections, &reservations, names, notes);
    let sections = Section::all_of(section, ENROL, "enrol", notes);
    enrolments.extend(enrol::read(&sections, names, notes));
    Dhcp {
        networks,
        reservations,
        enrolments,
        others: others(section, notes),
    }
}

fn others(section: &Section, notes: &mut Notes) -> OtherServers {
    let Some(value) = section.value("force") else {
        return OtherServers::Refuse;
    };
    match value.get_ref() {
        DeValue::Boolean(true) => OtherServers::Tolerate,
        DeValue::Boolean(false) => OtherServers::Refuse,
        other => {
            let found = kind(other);
            notes.add(
                value.span(),
                format!("force must be true or false, not {found}"),
            );
            OtherServers::Refuse
        }
    }
}

/// The address of one host.
fn host(text: &Spanned<&str>, notes: &mut Notes) -> Option<Ipv4Addr> {
    let read = crate::address::host4(text.get_ref());
    let address = read.and_then(|(address, port)| match port {
        None => crate::address::unicast(address).map(|()| address),
        Some(_) => Err(format!("{address} has no port here; leave it out")),
    });
    match address {
        Ok(address) => Some(address),
        Err(message) => {
            notes.add(text.span(), message);
            None
        }
    }
}

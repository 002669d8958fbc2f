//! `[[dhcp.reservation]]`: an address for one client.

use std::net::Ipv4Addr;
use std::ops::Range as Span;

use vsnat_dhcp::{HostName, Owner, Reservation};

use super::enrol::{self, Enrolled, Enrolment, Names};
use super::{DhcpNetwork, host};
use crate::mistake::Notes;
use crate::section::Section;

const KEYS: [&str; 8] = [
    "mac",
    "client_id",
    "address",
    "host_name",
    "enrol",
    "port",
    "weight",
    "slow_start",
];

/// The reservations; an address has one owner, and an owner one address in a
/// network.
pub(super) fn read(
    sections: &[Section],
    networks: &[DhcpNetwork],
    notes: &mut Notes,
) -> Vec<Reservation> {
    let mut kept: Vec<(Reservation, Span<usize>)> = Vec::new();
    let network_of = |address| networks.iter().position(|n| n.network.contains(&address));
    for section in sections {
        let Some(reservation) = one(section, networks, notes) else {
            continue;
        };
        let clashes = |other: &Reservation| {
            let is_same_net = network_of(other.address) == network_of(reservation.address);
            other.address == reservation.address
                || (other.owner == reservation.owner && is_same_net)
        };
        if let Some((_, span)) = kept.iter().find(|(other, _)| clashes(other)) {
            let line = notes.line(span);
            let message = format!(
                "the reservation on line {line} is for the same address or the same client; \
                 remove one of the two"
            );
            notes.add(section.span(), message);
            continue;
        }
        kept.push((reservation, section.span()));
    }
    kept.into_iter()
        .map(|(reservation, _)| reservation)
        .collect()
}

/// The reservations whose machines become servers; none where one was wrong.
pub(super) fn enrolments(
    sections: &[Section],
    reservations: &[Reservation],
    names: &Names,
    notes: &mut Notes,
) -> Vec<Enrolment> {
    if sections.len() != reservations.len() {
        return Vec::new();
    }
    let mut enrolments = Vec::new();
    for (section, reservation) in sections.iter().zip(reservations) {
        if section.value("enrol").is_some() {
            let who = Enrolled::Reservation(reservation.address);
            enrolments.extend(enrol::enrolment(section, "enrol", who, names, notes));
            continue;
        }
        for key in ["port", "weight", "slow_start"] {
            if let Some(value) = section.value(key) {
                let message = format!("{key} says nothing without enrol = \"…\", a service's name");
                notes.add(value.span(), message);
            }
        }
    }
    enrolments
}

fn one(section: &Section, networks: &[DhcpNetwork], notes: &mut Notes) -> Option<Reservation> {
    section.check_keys(&KEYS, notes);
    if section.value("address").is_none() {
        section.missing("address", "\"10.0.100.11\"", notes);
    }
    let address = address(section, networks, notes);
    let owner = owner(section, notes);
    let host_name = host_name(section, notes);
    Some(Reservation {
        owner: owner?,
        address: address?,
        host_name: host_name?,
    })
}

fn address(section: &Section, networks: &[DhcpNetwork], notes: &mut Notes) -> Option<Ipv4Addr> {
    let text = section.text("address", notes)?;
    let address = host(&text, notes)?;
    let Some(network) = networks.iter().find(|n| n.network.contains(&address)) else {
        let message =
            format!("{address} is in no [[dhcp.network]]; add its network, or correct it");
        notes.add(text.span(), message);
        return None;
    };
    let net = network.network;
    let is_taken = network.router == Some(address);
    if is_taken || address == net.network() || address == net.broadcast() {
        let message = format!("{address} is the router's, the network's or the broadcast address");
        notes.add(text.span(), message);
        return None;
    }
    Some(address)
}

fn owner(section: &Section, notes: &mut Notes) -> Option<Owner> {
    match (section.value("mac"), section.value("client_id")) {
        (None, None) => {
            section.missing("mac", "\"52:54:00:12:34:56\", or client_id", notes);
            None
        }
        (Some(_), Some(id)) => {
            let message = "a reservation has either mac or client_id; remove one of the two";
            notes.add(id.span(), message);
            None
        }
        (Some(_), None) => {
            let text = section.text("mac", notes)?;
            let read = text.get_ref().parse();
            let owner = read.map(Owner::Hardware);
            owner
                .map_err(|error| notes.add(text.span(), format!("{error}")))
                .ok()
        }
        (None, Some(_)) => {
            let text = section.text("client_id", notes)?;
            let read = text.get_ref().parse();
            let owner = read.map(Owner::Id);
            owner
                .map_err(|error| notes.add(text.span(), format!("{error}")))
                .ok()
        }
    }
}

/// None where there is one that is wrong.
fn host_name(section: &Section, notes: &mut Notes) -> Option<Option<HostName>> {
    if section.value("host_name").is_none() {
        return Some(None);
    }
    let text = section.text("host_name", notes)?;
    let name = HostName::new(text.get_ref());
    if name.is_none() {
        let message = format!(
            "\"{}\" is no host name: letters, digits, hyphens and dots, at most 63 of them",
            text.get_ref()
        );
        notes.add(text.span(), message);
        return None;
    }
    Some(name)
}

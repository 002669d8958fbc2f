//! `persistence` of a service: a duration, or a table with a netmask.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::Ipv4Net;
use toml::de::DeValue;
use vsnat_api::Persistence;

use crate::duration;
use crate::mistake::Notes;
use crate::section::{Section, kind};

const KEY: &str = "persistence";

/// What a service asks for; wrong where it asks for something impossible.
pub(crate) enum Asked {
    Nothing,
    Wrong,
    For(Persistence),
}

impl Asked {
    fn of(asked: Option<Persistence>) -> Self {
        asked.map_or(Asked::Wrong, Asked::For)
    }
}

pub(crate) fn read(service: &Section, notes: &mut Notes) -> Asked {
    let Some(value) = service.value(KEY) else {
        return Asked::Nothing;
    };
    match value.get_ref() {
        DeValue::String(_) => Asked::of(for_each_client(service, notes)),
        DeValue::Table(table) => {
            let table = Section::new(KEY, table, value.span());
            Asked::of(for_networks(&table, notes))
        }
        other => {
            let found = kind(other);
            let message = format!(
                "{KEY} must be a duration like \"5m\", or a table like {{ timeout = \"5m\", \
                 netmask = \"255.255.255.0\" }}, not {found}"
            );
            notes.add(value.span(), message);
            Asked::Wrong
        }
    }
}

fn for_each_client(service: &Section, notes: &mut Notes) -> Option<Persistence> {
    let text = service.text(KEY, notes)?;
    Some(Persistence {
        timeout_s: duration::seconds(KEY, &text, notes)?,
        netmask: Persistence::EVERY_CLIENT,
    })
}

fn for_networks(table: &Section, notes: &mut Notes) -> Option<Persistence> {
    table.check_keys(&["timeout", "netmask"], notes);
    let timeout_s = match table.value("timeout") {
        None => Some(Persistence::DEFAULT_TIMEOUT_S),
        Some(_) => {
            let text = table.text("timeout", notes);
            text.and_then(|text| duration::seconds("timeout", &text, notes))
        }
    };
    let netmask = match table.value("netmask") {
        None => Some(Persistence::EVERY_CLIENT),
        Some(_) => netmask(table, notes),
    };
    Some(Persistence {
        timeout_s: timeout_s?,
        netmask: netmask?,
    })
}

fn netmask(table: &Section, notes: &mut Notes) -> Option<IpAddr> {
    let text = table.text("netmask", notes)?;
    let mask = mask4(text.get_ref()).or_else(|| mask6(text.get_ref()));
    if mask.is_none() {
        let message = format!(
            "\"{}\" is no netmask; write it like \"255.255.255.0\", or for IPv6 as the length of \
             a prefix like \"64\"",
            text.get_ref()
        );
        notes.add(text.span(), message);
    }
    mask
}

/// Taken for a mask only where its ones come first.
fn mask4(text: &str) -> Option<IpAddr> {
    let mask = text.parse().ok();
    let is_mask = |mask: &Ipv4Addr| Ipv4Net::with_netmask(Ipv4Addr::UNSPECIFIED, *mask).is_ok();
    mask.filter(is_mask).map(IpAddr::V4)
}

fn mask6(text: &str) -> Option<IpAddr> {
    let length = text.trim_start_matches('/').parse().ok();
    let is_length = |length: &u8| (1..=Ipv6Addr::BITS).contains(&u32::from(*length));
    length
        .filter(is_length)
        .map(Persistence::netmask_of_prefix6)
}

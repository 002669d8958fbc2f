//! `[[dhcp.network]]`, and what `[dhcp]` says for all of them.

use std::net::Ipv4Addr;
use std::ops::{Range as Span, RangeInclusive};

use ipnet::Ipv4Net;
use toml::Spanned;
use toml::de::DeValue;
use vsnat_dhcp::{Range, Route};

use super::{DhcpNetwork, host};
use crate::mistake::Notes;
use crate::section::{Section, kind};
use crate::{address, duration};

const KEYS: [&str; 9] = [
    "network",
    "router",
    "pools",
    "lease_time",
    "dns",
    "domain",
    "mtu",
    "ntp",
    "routes",
];
const ROUTE_KEYS: [&str; 2] = ["to", "via"];
const ROUTE: &str = "routes";

/// Addresses of all pools together. Each takes some hundred bytes once it was
/// leased, and clients that only ask can make all of them taken.
const MAX_ADDRESSES: u64 = 65_536;

/// From a network of two hosts to one of sixteen million.
const PREFIXES: RangeInclusive<u8> = 8..=30;

/// A client with the shortest lease asks again every five seconds.
const LEAST_LEASE_S: u32 = 10;

/// Long enough that a server need not ask often, short enough that one that is
/// taken away is missed within the hour.
const USUAL_LEASE_S: u32 = 3_600;

/// More would not fit into the answer that every client can take.
const MAX_HOSTS: usize = 8;
const MAX_ROUTES: usize = 16;

/// Every IPv4 host takes 576 bytes.
const MTUS: RangeInclusive<u32> = 576..=65_535;

/// The longest name of DNS.
const MAX_DOMAIN: usize = 253;

/// What holds for networks that do not say otherwise.
pub(super) struct Usual {
    lease_time_s: u32,
    dns: Vec<Ipv4Addr>,
    domain: Option<String>,
    mtu: Option<u16>,
    ntp: Vec<Ipv4Addr>,
}

pub(super) fn usual(section: &Section, notes: &mut Notes) -> Usual {
    let none = Usual {
        lease_time_s: USUAL_LEASE_S,
        dns: Vec::new(),
        domain: None,
        mtu: None,
        ntp: Vec::new(),
    };
    overlaid(section, &none, notes)
}

/// The networks, none of which meets another.
pub(super) fn read(sections: &[Section], usual: &Usual, notes: &mut Notes) -> Vec<DhcpNetwork> {
    let mut networks: Vec<(DhcpNetwork, Span<usize>)> = Vec::new();
    let mut addresses = 0;
    for section in sections {
        let Some(network) = one(section, usual, notes) else {
            continue;
        };
        let meets =
            |other: &Ipv4Net| other.contains(&network.network) || network.network.contains(other);
        if let Some((other, span)) = networks.iter().find(|(o, _)| meets(&o.network)) {
            let line = notes.line(span);
            let (this, other) = (network.network, other.network);
            let message = format!("{this} and {other} (line {line}) overlap; keep one of the two");
            notes.add(section.span(), message);
            continue;
        }
        let before = addresses;
        addresses += network.pools.iter().map(|pool| pool.size()).sum::<u64>();
        if before <= MAX_ADDRESSES && addresses > MAX_ADDRESSES {
            let message =
                format!("here the pools pass {MAX_ADDRESSES} addresses; make them smaller");
            notes.add(section.span(), message);
        }
        networks.push((network, section.span()));
    }
    networks.into_iter().map(|(network, _)| network).collect()
}

fn one(section: &Section, usual: &Usual, notes: &mut Notes) -> Option<DhcpNetwork> {
    section.check_keys(&KEYS, notes);
    if section.value("network").is_none() {
        section.missing("network", "\"10.0.100.0/24\"", notes);
        return None;
    }
    let text = section.text("network", notes)?;
    let network = match address::network4(text.get_ref()) {
        Ok(network) => network,
        Err(message) => {
            notes.add(text.span(), message);
            return None;
        }
    };
    if !PREFIXES.contains(&network.prefix_len()) {
        let message = format!("a network here has a prefix from /8 to /30, and {network} has not");
        notes.add(text.span(), message);
        return None;
    }
    let Usual {
        lease_time_s,
        dns,
        domain,
        mtu,
        ntp,
    } = overlaid(section, usual, notes);
    Some(DhcpNetwork {
        network,
        router: router(section, network, notes),
        pools: pools(section, network, notes),
        lease_time_s,
        dns,
        domain,
        mtu,
        ntp,
        routes: routes(section, network, notes),
    })
}

fn overlaid(section: &Section, below: &Usual, notes: &mut Notes) -> Usual {
    let mtu = section.number("mtu", MTUS, notes);
    Usual {
        lease_time_s: lease_time(section, notes).unwrap_or(below.lease_time_s),
        dns: hosts(section, "dns", notes).unwrap_or_else(|| below.dns.clone()),
        domain: domain(section, notes).or_else(|| below.domain.clone()),
        mtu: mtu.and_then(|mtu| u16::try_from(mtu).ok()).or(below.mtu),
        ntp: hosts(section, "ntp", notes).unwrap_or_else(|| below.ntp.clone()),
    }
}

fn lease_time(section: &Section, notes: &mut Notes) -> Option<u32> {
    let text = section.text("lease_time", notes)?;
    let seconds = duration::seconds("lease_time", &text, notes)?;
    if seconds < LEAST_LEASE_S {
        let message = format!("lease_time must be at least {LEAST_LEASE_S}s");
        notes.add(text.span(), message);
        return None;
    }
    Some(seconds)
}

fn hosts(section: &Section, key: &str, notes: &mut Notes) -> Option<Vec<Ipv4Addr>> {
    let texts = section.texts(key, notes)?;
    if let Some(text) = texts.get(MAX_HOSTS) {
        let message = format!("{key} has at most {MAX_HOSTS} addresses");
        notes.add(text.span(), message);
    }
    Some(texts.iter().filter_map(|text| host(text, notes)).collect())
}

fn domain(section: &Section, notes: &mut Notes) -> Option<String> {
    let text = section.text("domain", notes)?;
    let domain = *text.get_ref();
    let is_fit = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
    let is_domain = (1..=MAX_DOMAIN).contains(&domain.len())
        && domain.chars().all(is_fit)
        && !domain.starts_with(['-', '.']);
    if !is_domain {
        let message = format!("\"{domain}\" is no domain; write it like \"example.org\"");
        notes.add(text.span(), message);
        return None;
    }
    Some(domain.to_owned())
}

fn router(section: &Section, network: Ipv4Net, notes: &mut Notes) -> Option<Ipv4Addr> {
    let text = section.text("router", notes)?;
    let router = host(&text, notes)?;
    inside(router, network, text.span(), notes)
}

fn inside(
    address: Ipv4Addr,
    network: Ipv4Net,
    span: Span<usize>,
    notes: &mut Notes,
) -> Option<Ipv4Addr> {
    if !network.contains(&address) {
        let message = format!("{address} is not in {network}, so its clients cannot reach it");
        notes.add(span, message);
        return None;
    }
    Some(address)
}

/// The ranges, none of which meets another.
fn pools(section: &Section, network: Ipv4Net, notes: &mut Notes) -> Vec<Range> {
    let mut pools: Vec<Range> = Vec::new();
    for text in section.texts("pools", notes).unwrap_or_default() {
        let range: Range = match text.get_ref().parse() {
            Ok(range) => range,
            Err(error) => {
                notes.add(text.span(), format!("\"{}\": {error}", text.get_ref()));
                continue;
            }
        };
        if !network.contains(&range.first()) || !network.contains(&range.last()) {
            notes.add(text.span(), format!("{range} is not within {network}"));
            continue;
        }
        if let Some(other) = pools.iter().find(|other| other.overlaps(range)) {
            let message = format!("{range} and {other} overlap; keep the one that is meant");
            notes.add(text.span(), message);
            continue;
        }
        pools.push(range);
    }
    pools
}

fn routes(section: &Section, network: Ipv4Net, notes: &mut Notes) -> Vec<Route> {
    let Some(value) = section.value("routes") else {
        return Vec::new();
    };
    let DeValue::Array(items) = value.get_ref() else {
        let found = kind(value.get_ref());
        let message = format!(
            "routes must be a list like [{{ to = \"10.9.0.0/16\", via = \"10.0.100.254\" }}], not \
             {found}"
        );
        notes.add(value.span(), message);
        return Vec::new();
    };
    if let Some(item) = items.get(MAX_ROUTES) {
        notes.add(
            item.span(),
            format!("there are at most {MAX_ROUTES} routes"),
        );
    }
    let routes = items.iter().filter_map(|item| route(item, network, notes));
    routes.collect()
}

fn route(item: &Spanned<DeValue>, network: Ipv4Net, notes: &mut Notes) -> Option<Route> {
    let DeValue::Table(table) = item.get_ref() else {
        let found = kind(item.get_ref());
        let message = format!("a route is a table like {{ to = \"…\", via = \"…\" }}, not {found}");
        notes.add(item.span(), message);
        return None;
    };
    let section = Section::new(ROUTE, table, item.span());
    section.check_keys(&ROUTE_KEYS, notes);
    for (key, example) in [("to", "\"10.9.0.0/16\""), ("via", "\"10.0.100.254\"")] {
        if section.value(key).is_none() {
            section.missing(key, example, notes);
        }
    }
    let to = section.text("to", notes);
    let via = section.text("via", notes);
    let (to, via) = (to?, via?);
    let destination = match address::network4(to.get_ref()) {
        Ok(destination) => destination,
        Err(message) => {
            notes.add(to.span(), message);
            return None;
        }
    };
    let gateway = inside(host(&via, notes)?, network, via.span(), notes)?;
    Some(Route {
        to: destination,
        via: gateway,
    })
}

//! `[[service.server]]`.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::ops::{Range, RangeInclusive};

use ipnet::IpNet;
use toml::Spanned;
use vsnat_api::{Forwarding, ServerSpec, Weight};

use crate::address;
use crate::mistake::Notes;
use crate::section::Section;
use crate::services::Context;

const SERVER: &str = "[[service.server]]";

const KEYS: [&str; 5] = [
    "address",
    "forwarding",
    "weight",
    "upper_threshold",
    "lower_threshold",
];

/// The packet path looks for the next server of a service in so many steps.
const MAX_SERVERS_OF_SERVICE: usize = 4_096;

const THRESHOLDS: RangeInclusive<u32> = 0..=ServerSpec::MAX_THRESHOLD;

/// The servers of a service. Without its port (its key was wrong) those that
/// name none are left out.
pub(crate) fn read(
    service: &Section,
    service_port: Option<u16>,
    context: &Context,
    notes: &mut Notes,
) -> Vec<ServerSpec> {
    let mut servers = Vec::new();
    let mut seen: BTreeMap<SocketAddr, Range<usize>> = BTreeMap::new();
    for section in Section::all_of(service, SERVER, "server", notes) {
        section.check_keys(&KEYS, notes);
        let forwarding = forwarding(&section, notes);
        let weight = weight(&section, notes);
        let (upper_threshold, lower_threshold) = thresholds(&section, notes);
        let Some(address) = server_address(&section, service_port, context, notes) else {
            continue;
        };
        let (span, address) = (address.span(), address.into_inner());
        if servers.len() == MAX_SERVERS_OF_SERVICE {
            let message = format!(
                "a service has at most {MAX_SERVERS_OF_SERVICE} servers; remove this and the \
                 following, or divide them between services"
            );
            notes.add(span, message);
            break;
        }
        if let Some(first) = seen.get(&address) {
            let line = notes.line(first);
            let message =
                format!("server {address} is there already, on line {line}; remove one of the two");
            notes.add(span, message);
            continue;
        }
        if forwarding == Forwarding::Route && service_port.is_some_and(|p| p != address.port()) {
            let message = "packets to a server with forwarding = \"route\" keep their port; \
                           leave the server's out";
            notes.add(span, message);
            continue;
        }
        let spec = ServerSpec {
            address,
            forwarding,
            weight,
            upper_threshold,
            lower_threshold,
        };
        seen.insert(address, span);
        servers.push(spec);
    }
    servers
}

fn server_address(
    section: &Section,
    service_port: Option<u16>,
    context: &Context,
    notes: &mut Notes,
) -> Option<Spanned<SocketAddr>> {
    if section.value("address").is_none() {
        section.missing("address", "\"10.0.100.11:80\"", notes);
        return None;
    }
    let text = section.text("address", notes)?;
    let checked = address::server_address(text.get_ref()).and_then(|(address, port)| {
        address::unicast(address)?;
        Ok((address, port))
    });
    let (address, port) = match checked {
        Ok(checked) => checked,
        Err(message) => {
            notes.add(text.span(), message);
            return None;
        }
    };
    let is_vip = |vips: &[IpNet]| vips.iter().any(|vip| vip.addr() == address);
    if context.vips.is_some_and(is_vip) {
        let message = format!("{address} is a VIP; a real server needs its own, private address");
        notes.add(text.span(), message);
        return None;
    }
    let port = port.or(service_port)?;
    Some(Spanned::new(text.span(), SocketAddr::new(address, port)))
}

fn forwarding(section: &Section, notes: &mut Notes) -> Forwarding {
    if section.value("forwarding").is_none() {
        return Forwarding::default();
    }
    let Some(text) = section.text("forwarding", notes) else {
        return Forwarding::default();
    };
    let mut all = Forwarding::ALL.into_iter();
    let found = all.find(|forwarding| forwarding.name() == *text.get_ref());
    found.unwrap_or_else(|| {
        let message = format!(
            "there is no forwarding \"{}\"; there are \"masquerade\" and \"route\"",
            text.get_ref()
        );
        notes.add(text.span(), message);
        Forwarding::default()
    })
}

fn weight(section: &Section, notes: &mut Notes) -> Weight {
    let Some(number) = section.integer("weight", notes) else {
        return Weight::ONE;
    };
    let weight = u32::try_from(*number.get_ref()).ok();
    match weight.and_then(|weight| Weight::new(weight).ok()) {
        Some(weight) => weight,
        None => {
            let message = format!(
                "weight must be from 0 (no new connections) to {}",
                Weight::MAX
            );
            notes.add(number.span(), message);
            Weight::ONE
        }
    }
}

/// The upper and the lower threshold; 0 stands for none.
fn thresholds(section: &Section, notes: &mut Notes) -> (u32, u32) {
    let mut threshold = |key| section.number(key, THRESHOLDS, notes).unwrap_or(0);
    let upper = threshold("upper_threshold");
    let lower = threshold("lower_threshold");
    if lower > upper
        && let Some(value) = section.value("lower_threshold")
    {
        let message = match upper {
            0 => "a lower_threshold needs an upper_threshold above it".to_owned(),
            _ => format!("lower_threshold must not be above upper_threshold, which is {upper}"),
        };
        notes.add(value.span(), message);
    }
    (upper, lower)
}

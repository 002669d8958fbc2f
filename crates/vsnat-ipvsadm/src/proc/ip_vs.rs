//! `/proc/net/ip_vs`: the services and their servers.

use std::fmt::Write;
use std::net::{IpAddr, SocketAddr};

use vsnat_api::{Persistence, ServerView, ServiceKey, ServiceSpec, Services};

use crate::listing::{forwarding, version_line};

const TITLE: &str = concat!(
    "Prot LocalAddress:Port Scheduler Flags\n",
    "  -> RemoteAddress:Port Forward Weight ActiveConn InActConn\n",
);

/// IPVS shows timeouts of persistence in ticks of its kernel, of which the
/// usual one has 250 in a second.
const TICKS_PER_SECOND: u64 = 250;

pub fn ip_vs(services: &Services) -> String {
    let mut text = version_line(services);
    text.push_str(TITLE);
    for service in &services.services {
        write_service(&mut text, &service.spec);
        for server in &service.servers {
            write_server(&mut text, server);
        }
    }
    text
}

fn write_service(text: &mut String, spec: &ServiceSpec) {
    let scheduler = spec.scheduler;
    let one_packet = if spec.one_packet { "ops " } else { "" };
    // Writing to a string cannot fail. The blanks are IPVS's.
    let _ = match spec.key {
        ServiceKey::Address { protocol, address } => {
            let end = end(address);
            // One blank less behind an IPv6 address, as in IPVS.
            let blank = if address.is_ipv4() { " " } else { "" };
            write!(text, "{protocol}  {end} {scheduler} {one_packet}{blank}")
        }
        ServiceKey::Mark { mark } => {
            write!(text, "FWM  {:08X} {scheduler} {one_packet}", mark.get())
        }
    };
    let _ = match spec.persistence {
        Some(persistence) => {
            let ticks = u64::from(persistence.timeout_s) * TICKS_PER_SECOND;
            let mask = mask(spec.key, &persistence);
            writeln!(text, "persistent {ticks} {mask:08X}")
        }
        None => writeln!(text),
    };
}

fn write_server(text: &mut String, server: &ServerView) {
    let end = end(server.spec.address);
    let weight = server.spec.weight.get();
    let (active, inactive) = (server.active, server.inactive);
    let forwarding = forwarding(&server.spec);
    // Writing to a string cannot fail.
    let _ = writeln!(
        text,
        "  -> {end}      {forwarding:<7} {weight:<6} {active:<10} {inactive:<10}"
    );
}

/// Address and port in hexadecimal; IPv6 in brackets.
fn end(address: SocketAddr) -> String {
    let port = address.port();
    match address.ip() {
        IpAddr::V4(host) => format!("{:08X}:{port:04X}", host.to_bits()),
        IpAddr::V6(host) => {
            let groups = host.segments().map(|group| format!("{group:04x}"));
            format!("[{}]:{port:04X}", groups.join(":"))
        }
    }
}

/// The mask as IPVS shows it: the length of an IPv6 prefix is kept as it is on
/// a little-endian machine, and shown the other way round.
fn mask(key: ServiceKey, persistence: &Persistence) -> u32 {
    let is_ipv6 = key.address().is_some_and(|address| address.is_ipv6());
    match (is_ipv6, persistence.netmask) {
        (false, IpAddr::V4(mask)) => mask.to_bits(),
        (true, _) | (false, IpAddr::V6(_)) => {
            u32::from(persistence.prefix6().unwrap_or_default()).swap_bytes()
        }
    }
}

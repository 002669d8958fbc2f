//! `/proc/net/ip_vs`: the services and their servers.

use std::fmt::Write;

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
            let (host, port) = (address.ip().to_bits(), address.port());
            write!(
                text,
                "{protocol}  {host:08X}:{port:04X} {scheduler} {one_packet} "
            )
        }
        ServiceKey::Mark { mark } => {
            write!(text, "FWM  {:08X} {scheduler} {one_packet}", mark.get())
        }
    };
    let _ = match spec.persistence {
        Some(Persistence { timeout_s, netmask }) => {
            let ticks = u64::from(timeout_s) * TICKS_PER_SECOND;
            writeln!(text, "persistent {ticks} {:08X}", netmask.to_bits())
        }
        None => writeln!(text),
    };
}

fn write_server(text: &mut String, server: &ServerView) {
    let address = server.spec.address;
    let (host, port) = (address.ip().to_bits(), address.port());
    let weight = server.spec.weight.get();
    let (active, inactive) = (server.active, server.inactive);
    let forwarding = forwarding(&server.spec);
    // Writing to a string cannot fail.
    let _ = writeln!(
        text,
        "  -> {host:08X}:{port:04X}      {forwarding:<7} {weight:<6} {active:<10} {inactive:<10}"
    );
}

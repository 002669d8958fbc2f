//! The tables as command lines.
//!
//! Two things differ from ipvsadm, whose lines lose them: thresholds are saved,
//! and a mark of more than 31 bits is written as `-f` reads it, not as a negative
//! number that it refuses.

use std::fmt::Write;

use vsnat_api::{Forwarding, Protocol, ServerSpec, ServiceKey, ServiceSpec, Services};

use crate::listing::mask;
use crate::names::endpoint;
use crate::{NameStyle, Names, Order, order};

/// Lines that rebuild the tables when `-R` reads them.
///
/// Names are written whole: a name that was cut would not be found again.
pub fn render_save(services: &Services, style: NameStyle, names: &dyn Names) -> String {
    let mut text = String::new();
    for service in order::services(&services.services, Order::Sorted) {
        let key = service.spec.key;
        let option = service_option(key, style, names);
        // Writing to a string cannot fail.
        let _ = writeln!(text, "-A {option} {}", settings(&service.spec));
        for server in order::servers(&service.servers, Order::Sorted) {
            let server_name = endpoint(server.spec.address, key.protocol(), style, names);
            let weight = server.spec.weight.get();
            let thresholds = thresholds(&server.spec);
            let method = match server.spec.forwarding {
                Forwarding::Masquerade => "-m",
                Forwarding::Route => "-g",
            };
            let _ = writeln!(
                text,
                "-a {option} -r {server_name} {method} -w {weight}{thresholds}"
            );
        }
    }
    text
}

fn service_option(key: ServiceKey, style: NameStyle, names: &dyn Names) -> String {
    match key {
        ServiceKey::Address { protocol, address } => {
            let option = match protocol {
                Protocol::Tcp => "-t",
                Protocol::Udp => "-u",
                Protocol::Sctp => "--sctp-service",
            };
            let address = endpoint(address, Some(protocol), style, names);
            format!("{option} {address}")
        }
        ServiceKey::Mark { mark } => format!("-f {mark}"),
    }
}

/// The options of a service, in ipvsadm's order.
fn settings(spec: &ServiceSpec) -> String {
    let mut text = format!("-s {}", spec.scheduler);
    if let Some(persistence) = spec.persistence {
        // Writing to a string cannot fail.
        let _ = write!(text, " -p {}", persistence.timeout_s);
        if let Some(mask) = mask(&persistence) {
            let _ = write!(text, " -M {mask}");
        }
    }
    if spec.one_packet {
        text.push_str(" -o");
    }
    if !spec.flags.is_empty() {
        let _ = write!(text, " -b {}", spec.flags.names(spec.scheduler));
    }
    text
}

fn thresholds(spec: &ServerSpec) -> String {
    let mut text = String::new();
    for (option, threshold) in [("-x", spec.upper_threshold), ("-y", spec.lower_threshold)] {
        if threshold != 0 {
            // Writing to a string cannot fail.
            let _ = write!(text, " {option} {threshold}");
        }
    }
    text
}

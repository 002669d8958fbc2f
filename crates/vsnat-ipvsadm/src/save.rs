//! The tables as command lines.

use std::fmt::Write;

use vsnat_api::{Protocol, ServiceKey, Services};

use crate::names::endpoint;
use crate::{NameStyle, Names, Order, order};

/// Lines that rebuild the tables when `-R` reads them.
///
/// Names are written whole: a name that was cut would not be found again.
pub fn render_save(services: &Services, style: NameStyle, names: &dyn Names) -> String {
    let mut text = String::new();
    for service in order::services(&services.services, Order::Sorted) {
        let key = service.spec.key;
        let address = service_option(key, style, names);
        let scheduler = service.spec.scheduler;
        // Writing to a string cannot fail.
        let flags = match service.spec.flags.is_empty() {
            true => String::new(),
            false => format!(" -b {}", service.spec.flags.names(scheduler)),
        };
        let _ = writeln!(text, "-A {address} -s {scheduler}{flags}");
        for server in order::servers(&service.servers, Order::Sorted) {
            let server_name = endpoint(server.spec.address, key.protocol, style, names);
            let weight = server.spec.weight.get();
            let _ = writeln!(text, "-a {address} -r {server_name} -m -w {weight}");
        }
    }
    text
}

fn service_option(key: ServiceKey, style: NameStyle, names: &dyn Names) -> String {
    let option = match key.protocol {
        Protocol::Tcp => "-t",
        Protocol::Udp => "-u",
    };
    let address = endpoint(key.address, key.protocol, style, names);
    format!("{option} {address}")
}

//! Listings of services and servers, column by column as ipvsadm prints them.

use std::fmt::Write;

use vsnat_api::{Counters, Protocol, Rates, ServerView, ServiceView, Services};

use crate::names::endpoint;
use crate::number::counter;
use crate::{Figures, Format, ListOptions, Listed, NameStyle, Names, Refusal, order};

/// Columns of a service's protocol and name, and of a server's arrow and name.
const NAME_WIDTH: usize = 33;

/// Columns of a server's name: those of a service's less "  -> ".
const SERVER_WIDTH: usize = NAME_WIDTH - 5;

/// The version of IPVS whose language this is.
const IPVS_VERSION: &str = "1.2.1";

/// Lists all services, or the one that is asked for.
pub fn render_services(
    services: &Services,
    options: &ListOptions,
    names: &dyn Names,
) -> Result<String, Refusal> {
    let mut text = String::new();
    let mut listed = order::services(&services.services, options.order);
    match options.listed {
        Listed::OneService(key) => {
            listed.retain(|service| service.spec.key == key);
            if listed.is_empty() {
                return Err(Refusal::not_listed());
            }
        }
        Listed::Services | Listed::Connections => {
            let capacity = services.capacity;
            text.push_str("IP Virtual Server version ");
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{IPVS_VERSION} (size={capacity})");
        }
    }
    text.push_str(title(options.format));
    for service in listed {
        text.push_str(&service_row(service, options, names));
        for server in order::servers(&service.servers, options.order) {
            text.push_str(&server_row(
                server,
                service.spec.key.protocol,
                options,
                names,
            ));
        }
    }
    Ok(text)
}

fn title(format: Format) -> &'static str {
    match format {
        Format::Default => concat!(
            "Prot LocalAddress:Port Scheduler Flags\n",
            "  -> RemoteAddress:Port           Forward Weight ActiveConn InActConn\n",
        ),
        Format::Stats => concat!(
            "Prot LocalAddress:Port               Conns   InPkts  OutPkts  InBytes OutBytes\n",
            "  -> RemoteAddress:Port\n",
        ),
        Format::Rate => concat!(
            "Prot LocalAddress:Port                 CPS    InPPS   OutPPS    InBPS   OutBPS\n",
            "  -> RemoteAddress:Port\n",
        ),
    }
}

fn service_row(service: &ServiceView, options: &ListOptions, names: &dyn Names) -> String {
    let key = service.spec.key;
    let name = endpoint(key.address, key.protocol, options.names, names);
    let name = cut(&format!("{:<4} {name}", key.protocol), NAME_WIDTH);
    let figures = options.figures;
    match options.format {
        Format::Default => {
            let spec = &service.spec;
            let flags = match spec.flags.is_empty() {
                true => String::new(),
                false => format!(" ({})", spec.flags.names(spec.scheduler)),
            };
            format!("{name} {}{flags}\n", spec.scheduler)
        }
        Format::Stats => {
            let totals = totals(&service.counters).map(|count| counter(count, figures));
            format!("{name:<NAME_WIDTH$}{}\n", totals.concat())
        }
        Format::Rate => {
            let rates = rates(&service.rates).map(|rate| counter(rate, figures));
            format!("{name:<NAME_WIDTH$}{}\n", rates.concat())
        }
    }
}

fn server_row(
    server: &ServerView,
    protocol: Protocol,
    options: &ListOptions,
    names: &dyn Names,
) -> String {
    let name = server_name(server, protocol, options.names, names);
    match options.format {
        Format::Default => format!(
            "{name} {:<7} {:<6} {:<10} {:<10}\n",
            "Masq",
            server.spec.weight.get(),
            server.active,
            server.inactive,
        ),
        Format::Stats => {
            let totals = totals(&server.counters).map(|count| counter(count, options.figures));
            format!("{name}{}\n", totals.concat())
        }
        Format::Rate => {
            // ipvsadm never cuts the three numbers of connections and packets.
            let [connections, incoming, outgoing, bytes @ ..] = rates(&server.rates);
            let whole = [connections, incoming, outgoing].map(|n| counter(n, Figures::Exact));
            let bytes = bytes.map(|rate| counter(rate, options.figures));
            format!("{name}{}{}\n", whole.concat(), bytes.concat())
        }
    }
}

fn server_name(
    server: &ServerView,
    protocol: Protocol,
    style: NameStyle,
    names: &dyn Names,
) -> String {
    let name = endpoint(server.spec.address, protocol, style, names);
    let name = cut(&name, SERVER_WIDTH);
    format!("  -> {name:<SERVER_WIDTH$}")
}

fn totals(counters: &Counters) -> [u64; 5] {
    [
        counters.connections,
        counters.in_packets,
        counters.out_packets,
        counters.in_bytes,
        counters.out_bytes,
    ]
}

fn rates(rates: &Rates) -> [u64; 5] {
    [
        rates.connections,
        rates.in_packets,
        rates.out_packets,
        rates.in_bytes,
        rates.out_bytes,
    ]
}

fn cut(text: &str, width: usize) -> String {
    text.chars().take(width).collect()
}

//! Listings of services and servers, column by column as ipvsadm prints them.

use std::fmt::Write;
use std::net::{IpAddr, SocketAddr};

use vsnat_api::{
    Counters, Forwarding, Persistence, Protocol, Rates, ServerSpec, ServerView, ServiceKey,
    ServiceSpec, ServiceView, Services,
};

use crate::names::endpoint;
use crate::number::counter;
use crate::{Figures, Format, ListOptions, Listed, NameStyle, Names, Refusal, order};

/// Columns of a service's protocol and name, and of a server's arrow and name.
const NAME_WIDTH: usize = 33;

/// Columns of a server's name: those of a service's less "  -> ".
const SERVER_WIDTH: usize = NAME_WIDTH - 5;

/// The version of IPVS whose language this is.
pub(crate) const IPVS_VERSION: &str = "1.2.1";

/// How a server is reached, in ipvsadm's words.
pub(crate) const fn forwarding(spec: &ServerSpec) -> &'static str {
    match spec.forwarding {
        Forwarding::Masquerade => "Masq",
        Forwarding::Route => "Route",
    }
}

/// The tunnel of a server that needs none.
const NO_TUNNEL: &str = "n/a";

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
        Listed::Services => text.push_str(&version_line(services)),
    }
    text.push_str(title(options.format));
    for service in listed {
        text.push_str(&service_row(service, options, names));
        for server in order::servers(&service.servers, options.order) {
            let protocol = service.spec.key.protocol();
            text.push_str(&server_row(server, protocol, options, names));
        }
    }
    Ok(text)
}

pub(crate) fn version_line(services: &Services) -> String {
    let capacity = services.capacity;
    format!("IP Virtual Server version {IPVS_VERSION} (size={capacity})\n")
}

fn title(format: Format) -> &'static str {
    match format {
        Format::Stats => concat!(
            "Prot LocalAddress:Port               Conns   InPkts  OutPkts  InBytes OutBytes\n",
            "  -> RemoteAddress:Port\n",
        ),
        Format::Rate => concat!(
            "Prot LocalAddress:Port                 CPS    InPPS   OutPPS    InBPS   OutBPS\n",
            "  -> RemoteAddress:Port\n",
        ),
        Format::Thresholds => concat!(
            "Prot LocalAddress:Port            Uthreshold Lthreshold ActiveConn InActConn \n",
            "  -> RemoteAddress:Port\n",
        ),
        Format::PersistentConn => concat!(
            "Prot LocalAddress:Port            Weight    PersistConn ActiveConn InActConn \n",
            "  -> RemoteAddress:Port\n",
        ),
        Format::TunInfo => concat!(
            "Prot LocalAddress:Port Scheduler Flags\n",
            "  -> RemoteAddress:Port           Forward TunnelInfo    Weight ActiveConn InActConn\n",
        ),
        Format::Default => concat!(
            "Prot LocalAddress:Port Scheduler Flags\n",
            "  -> RemoteAddress:Port           Forward Weight ActiveConn InActConn\n",
        ),
    }
}

fn service_row(service: &ServiceView, options: &ListOptions, names: &dyn Names) -> String {
    let name = service_name(service.spec.key, options.names, names);
    let name = match service.spec.key.address() {
        Some(SocketAddr::V6(_)) => name,
        Some(SocketAddr::V4(_)) | None => cut(&name, NAME_WIDTH),
    };
    let figures = options.figures;
    match options.format {
        Format::Stats => {
            let totals = totals(&service.counters).map(|count| counter(count, figures));
            format!("{name:<NAME_WIDTH$}{}\n", totals.concat())
        }
        Format::Rate => {
            let rates = rates(&service.rates).map(|rate| counter(rate, figures));
            format!("{name:<NAME_WIDTH$}{}\n", rates.concat())
        }
        Format::Thresholds | Format::PersistentConn | Format::TunInfo | Format::Default => {
            format!("{name} {}\n", settings(&service.spec))
        }
    }
}

fn service_name(key: ServiceKey, style: NameStyle, names: &dyn Names) -> String {
    match key {
        ServiceKey::Address { protocol, address } => {
            let name = endpoint(address, Some(protocol), style, names);
            format!("{protocol:<4} {name}")
        }
        // ipvsadm prints marks as if they were signed.
        ServiceKey::Mark { mark } => format!("FWM  {}", mark.get().cast_signed()),
    }
}

/// The scheduler of a service, and what else is asked for.
fn settings(spec: &ServiceSpec) -> String {
    let mut text = spec.scheduler.to_string();
    if !spec.flags.is_empty() {
        // Writing to a string cannot fail.
        let _ = write!(text, " ({})", spec.flags.names(spec.scheduler));
    }
    if let Some(persistence) = spec.persistence {
        let _ = write!(text, " persistent {}", persistence.timeout_s);
        if let Some(mask) = mask(&persistence) {
            let _ = write!(text, " mask {mask}");
        }
    }
    if spec.one_packet {
        text.push_str(" ops");
    }
    text
}

fn server_row(
    server: &ServerView,
    protocol: Option<Protocol>,
    options: &ListOptions,
    names: &dyn Names,
) -> String {
    let name = server_name(server, protocol, options.names, names);
    let weight = server.spec.weight.get();
    let forwarding = forwarding(&server.spec);
    let connections = format!("{:<10} {:<10}", server.active, server.inactive);
    match options.format {
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
        Format::Thresholds => {
            let (upper, lower) = (server.spec.upper_threshold, server.spec.lower_threshold);
            format!("{name} {upper:<10} {lower:<10} {connections}\n")
        }
        Format::PersistentConn => {
            let templates = server.persistent;
            format!("{name} {weight:<9} {templates:<11} {connections}\n")
        }
        Format::TunInfo => {
            format!("{name} {forwarding:<7} {NO_TUNNEL:<13} {weight:<6} {connections}\n")
        }
        Format::Default => format!("{name} {forwarding:<7} {weight:<6} {connections}\n"),
    }
}

fn server_name(
    server: &ServerView,
    protocol: Option<Protocol>,
    style: NameStyle,
    names: &dyn Names,
) -> String {
    let name = endpoint(server.spec.address, protocol, style, names);
    let name = match server.spec.address {
        SocketAddr::V6(_) => name,
        SocketAddr::V4(_) => cut(&name, SERVER_WIDTH),
    };
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

/// The mask of the clients that are one, in ipvsadm's words; none where each
/// client is one by itself.
pub(crate) fn mask(persistence: &Persistence) -> Option<String> {
    if persistence.netmask == Persistence::EVERY_CLIENT {
        return None;
    }
    match (persistence.netmask, persistence.prefix6()) {
        (IpAddr::V6(_), Some(length)) => Some(length.to_string()),
        (netmask, _) => Some(netmask.to_string()),
    }
}

/// ipvsadm cuts names of IPv4 to their column, and none of IPv6.
fn cut(text: &str, width: usize) -> String {
    text.chars().take(width).collect()
}

//! Look-ups between numbers and names.
//!
//! The crate opens no socket, so whoever prints or reads names lends the
//! look-ups: an executable those of its C library, a test a small table.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use vsnat_api::Protocol;

use crate::NameStyle;

/// Host and service names, in both directions.
pub trait Names {
    /// The first IPv4 address of a host.
    fn address_of(&self, host: &str) -> Option<Ipv4Addr>;
    /// The first IPv6 address of a host. ipvsadm looks for none, so that it
    /// cannot read the names in brackets that it writes itself.
    fn address6_of(&self, host: &str) -> Option<Ipv6Addr>;
    /// The port of a service such as "http". Each protocol has names of its
    /// own: "http" is none of SCTP's.
    fn port_of(&self, service: &str, protocol: Protocol) -> Option<u16>;
    /// The name of a host.
    fn host_of(&self, address: IpAddr) -> Option<String>;
    /// The name of the service at a port.
    fn service_of(&self, port: u16, protocol: Protocol) -> Option<String>;
}

/// Knows no name at all.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoNames;

impl Names for NoNames {
    fn address_of(&self, _host: &str) -> Option<Ipv4Addr> {
        None
    }

    fn address6_of(&self, _host: &str) -> Option<Ipv6Addr> {
        None
    }

    fn port_of(&self, _service: &str, _protocol: Protocol) -> Option<u16> {
        None
    }

    fn host_of(&self, _address: IpAddr) -> Option<String> {
        None
    }

    fn service_of(&self, _port: u16, _protocol: Protocol) -> Option<String> {
        None
    }
}

/// `host:port` as a listing shows it. Without a protocol a port has no name:
/// so it is with the servers of a mark.
pub(crate) fn endpoint(
    address: SocketAddr,
    protocol: Option<Protocol>,
    style: NameStyle,
    names: &dyn Names,
) -> String {
    match style {
        NameStyle::Numeric => address.to_string(),
        NameStyle::Names => {
            let host = names.host_of(address.ip());
            let host = host.unwrap_or_else(|| address.ip().to_string());
            let port = port_name(address.port(), protocol, names);
            match address {
                SocketAddr::V4(_) => format!("{host}:{port}"),
                // ipvsadm puts names in brackets too.
                SocketAddr::V6(_) => format!("[{host}]:{port}"),
            }
        }
    }
}

/// Port 0 stands for "any port" and has no name.
fn port_name(port: u16, protocol: Option<Protocol>, names: &dyn Names) -> String {
    let name = match (port, protocol) {
        (0, _) | (_, None) => None,
        (port, Some(protocol)) => names.service_of(port, protocol),
    };
    name.unwrap_or_else(|| port.to_string())
}

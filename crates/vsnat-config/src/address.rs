//! Addresses and networks as a file writes them, and why some cannot be.

use std::net::{IpAddr, Ipv4Addr, SocketAddrV4};

use ipnet::Ipv4Net;

/// Prefix length of a single address.
const HOST_PREFIX: u8 = 32;

/// An address with an optional prefix, for an interface: `192.0.2.1/24`.
pub(crate) fn interface_address(text: &str) -> Result<Ipv4Net, String> {
    let net = prefixed(text)?;
    unicast(net.addr())?;
    let has_ends = net.prefix_len() < 31;
    if has_ends && net.addr() == net.network() {
        return Err(format!(
            "{text} is the address of the network itself; give the host's address"
        ));
    }
    if has_ends && net.addr() == net.broadcast() {
        return Err(format!(
            "{text} is the network's broadcast address; give the host's address"
        ));
    }
    Ok(net)
}

/// A network or a single address: `203.0.113.0/24`.
pub(crate) fn network(text: &str) -> Result<Ipv4Net, String> {
    let net = prefixed(text)?;
    if net.addr() != net.network() {
        let trunc = net.trunc();
        let host = net.addr();
        return Err(format!(
            "{text} has bits behind its prefix; write {trunc} for the network or {host} for the host"
        ));
    }
    Ok(net)
}

/// The address of a service: `192.0.2.1:80`. Port 0 stands for all ports.
pub(crate) fn service_address(text: &str) -> Result<SocketAddrV4, String> {
    let Some((host, port)) = text.rsplit_once(':') else {
        return Err(format!("{text} has no port; write it as {text}:80"));
    };
    let address = ipv4(host)?;
    Ok(SocketAddrV4::new(address, port_number(port)?))
}

/// The address of a server, whose port may be left out.
pub(crate) fn server_address(text: &str) -> Result<(Ipv4Addr, Option<u16>), String> {
    if !text.contains(':') {
        return ipv4(text).map(|address| (address, None));
    }
    let address = service_address(text)?;
    match address.port() {
        0 => Err("port 0 serves nobody; leave it out for the service's port".to_owned()),
        port => Ok((*address.ip(), Some(port))),
    }
}

/// Refuses what no single host on a link can have.
pub(crate) fn unicast(address: Ipv4Addr) -> Result<(), String> {
    let what = if address.is_unspecified() || address.octets()[0] == 0 {
        "no host's address"
    } else if address.is_loopback() {
        "a loopback address, which never leaves its host"
    } else if address.is_multicast() {
        "a multicast address"
    } else if address.is_broadcast() {
        "the broadcast address"
    } else if address.octets()[0] >= 240 {
        "a reserved address"
    } else {
        return Ok(());
    };
    Err(format!(
        "{address} is {what}; give the address of one host, like 10.0.100.11"
    ))
}

fn prefixed(text: &str) -> Result<Ipv4Net, String> {
    let Some((host, prefix)) = text.split_once('/') else {
        return ipv4(text).map(|address| Ipv4Net::new_assert(address, HOST_PREFIX));
    };
    let address = ipv4(host)?;
    let length = prefix.parse::<u8>().ok();
    let net = length.and_then(|length| Ipv4Net::new(address, length).ok());
    net.ok_or_else(|| format!("/{prefix} is no prefix length; it goes from /0 to /32"))
}

fn ipv4(text: &str) -> Result<Ipv4Addr, String> {
    if let Ok(address) = text.parse() {
        return Ok(address);
    }
    let bare = text.trim_matches(['[', ']']);
    if matches!(bare.parse(), Ok(IpAddr::V6(_))) || text.contains("::") {
        return Err(format!(
            "{text} is an IPv6 address; services are IPv4 only, give an IPv4 address"
        ));
    }
    if text.starts_with(|c: char| c.is_ascii_alphabetic()) {
        return Err(format!(
            "{text} is a name; names are not looked up here, give its IPv4 address"
        ));
    }
    Err(format!(
        "{text} is no IPv4 address; write four numbers from 0 to 255, like 10.0.100.11"
    ))
}

fn port_number(text: &str) -> Result<u16, String> {
    let port = text.parse();
    port.map_err(|_| format!("\"{text}\" is no port; give a number from 1 to 65535"))
}

//! Addresses and networks as a file writes them, and why some cannot be.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

use ipnet::{IpNet, Ipv4Net};

/// Prefix lengths of a single address.
const HOST_PREFIX: u8 = 32;
const HOST_PREFIX6: u8 = 128;

/// An address with an optional prefix, for an interface: `192.0.2.1/24`.
pub(crate) fn interface_address(text: &str) -> Result<IpNet, String> {
    let net = prefixed(text)?;
    unicast(net.addr())?;
    // The first address of an IPv6 network is a host's as any other.
    let has_ends = matches!(net, IpNet::V4(_)) && net.prefix_len() < 31;
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
pub(crate) fn network(text: &str) -> Result<IpNet, String> {
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

/// The same where there is IPv4 only.
pub(crate) fn network4(text: &str) -> Result<Ipv4Net, String> {
    match network(text)? {
        IpNet::V4(net) => Ok(net),
        IpNet::V6(_) => Err(only_ipv4(text)),
    }
}

/// The address of a service: `192.0.2.1:80`, `[2001:db8::1]:80`. Port 0 stands
/// for all ports.
pub(crate) fn service_address(text: &str) -> Result<SocketAddr, String> {
    if let Ok(address) = text.parse::<Ipv6Addr>() {
        return Err(format!("{text} has no port; write it as [{address}]:80"));
    }
    if let Some(bracketed) = text.strip_prefix('[') {
        return service_address6(text, bracketed);
    }
    let Some((host, port)) = text.rsplit_once(':') else {
        return Err(format!("{text} has no port; write it as {text}:80"));
    };
    let address = ip(host)?;
    Ok(SocketAddr::new(address, port_number(port)?))
}

/// The same where there is IPv4 only.
pub(crate) fn service_address4(text: &str) -> Result<SocketAddrV4, String> {
    match service_address(text)? {
        SocketAddr::V4(address) => Ok(address),
        SocketAddr::V6(_) => Err(only_ipv4(text)),
    }
}

fn service_address6(text: &str, bracketed: &str) -> Result<SocketAddr, String> {
    let Some((host, rest)) = bracketed.split_once(']') else {
        return Err(format!(
            "{text} has no closing bracket; write it like [2001:db8::1]:80"
        ));
    };
    let Ok(address) = host.parse::<Ipv6Addr>() else {
        return Err(format!(
            "{host} is no IPv6 address; write it like [2001:db8::1]:80"
        ));
    };
    let Some(port) = rest.strip_prefix(':') else {
        return Err(format!("{text} has no port; write it as [{address}]:80"));
    };
    Ok(SocketAddrV6::new(address, port_number(port)?, 0, 0).into())
}

/// The address of a server, whose port may be left out.
pub(crate) fn server_address(text: &str) -> Result<(IpAddr, Option<u16>), String> {
    let bare = text.strip_prefix('[').and_then(|t| t.strip_suffix(']'));
    if let Ok(address) = bare.unwrap_or(text).parse::<Ipv6Addr>() {
        return Ok((address.into(), None));
    }
    if !text.contains(':') {
        return ip(text).map(|address| (address, None));
    }
    let address = service_address(text)?;
    match address.port() {
        0 => Err("port 0 serves nobody; leave it out for the service's port".to_owned()),
        port => Ok((address.ip(), Some(port))),
    }
}

/// The address of a host where there is IPv4 only, and no port is.
pub(crate) fn host4(text: &str) -> Result<(Ipv4Addr, Option<u16>), String> {
    match server_address(text)? {
        (IpAddr::V4(address), port) => Ok((address, port)),
        (IpAddr::V6(_), _) => Err(only_ipv4(text)),
    }
}

/// Refuses what no single host on a link can have.
pub(crate) fn unicast(address: impl Into<IpAddr>) -> Result<(), String> {
    let address = address.into();
    let (what, example) = match address {
        IpAddr::V4(address) => (no_unicast4(address), "10.0.100.11"),
        IpAddr::V6(address) => (no_unicast6(address), "2001:db8::11"),
    };
    match what {
        None => Ok(()),
        Some(what) => Err(format!(
            "{address} is {what}; give the address of one host, like {example}"
        )),
    }
}

fn no_unicast4(address: Ipv4Addr) -> Option<&'static str> {
    if address.is_unspecified() || address.octets()[0] == 0 {
        Some("no host's address")
    } else if address.is_loopback() {
        Some("a loopback address, which never leaves its host")
    } else if address.is_multicast() {
        Some("a multicast address")
    } else if address.is_broadcast() {
        Some("the broadcast address")
    } else if address.octets()[0] >= 240 {
        Some("a reserved address")
    } else {
        None
    }
}

fn no_unicast6(address: Ipv6Addr) -> Option<&'static str> {
    if address.is_unspecified() {
        Some("no host's address")
    } else if address.is_loopback() {
        Some("a loopback address, which never leaves its host")
    } else if address.is_multicast() {
        Some("a multicast address")
    } else if address.is_unicast_link_local() {
        Some("a link-local address, which means another host on each link")
    } else if address.to_ipv4_mapped().is_some() {
        Some("an IPv4 address in IPv6's words")
    } else {
        None
    }
}

fn prefixed(text: &str) -> Result<IpNet, String> {
    let Some((host, prefix)) = text.split_once('/') else {
        return ip(text).map(IpNet::from);
    };
    let address = ip(host)?;
    let longest = match address {
        IpAddr::V4(_) => HOST_PREFIX,
        IpAddr::V6(_) => HOST_PREFIX6,
    };
    let length = prefix.parse::<u8>().ok();
    let net = length.and_then(|length| IpNet::new(address, length).ok());
    net.ok_or_else(|| format!("/{prefix} is no prefix length; it goes from /0 to /{longest}"))
}

fn ip(text: &str) -> Result<IpAddr, String> {
    if let Ok(address) = text.parse() {
        return Ok(address);
    }
    if text.contains(':') {
        return Err(format!(
            "{text} is no IPv6 address; write it like 2001:db8::11"
        ));
    }
    if text.starts_with(|c: char| c.is_ascii_alphabetic()) {
        return Err(format!(
            "{text} is a name; names are not looked up here, give its address"
        ));
    }
    Err(format!(
        "{text} is no IPv4 address; write four numbers from 0 to 255, like 10.0.100.11"
    ))
}

fn only_ipv4(text: &str) -> String {
    format!("{text} is of IPv6; here is IPv4 only, give an IPv4 address")
}

fn port_number(text: &str) -> Result<u16, String> {
    let port = text.parse();
    port.map_err(|_| format!("\"{text}\" is no port; give a number from 1 to 65535"))
}

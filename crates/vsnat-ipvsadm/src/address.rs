//! `host[:port]` as ipvsadm reads it.
//!
//! Hosts are read by `inet_aton` first, so "010.0.0.1" is octal, "10.1" is
//! 10.0.0.1 and "167772516" is 10.0.1.100; then by name. IPv6 is written bare,
//! without a port, or in brackets, with one.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use vsnat_api::Protocol;

use crate::{Names, number};

/// A host, and the port if one was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct HostPort {
    pub(crate) host: IpAddr,
    pub(crate) port: Option<u16>,
}

/// `protocol` is that of the service names; without one they mean nothing.
pub(crate) fn host_port(
    text: &str,
    protocol: Option<Protocol>,
    names: &dyn Names,
) -> Option<HostPort> {
    // A number alone is taken for a forgotten address, not for one.
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    if let Some(rest) = text.strip_prefix('[') {
        let (host, port) = rest.split_once("]:")?;
        let host = host.parse().ok().or_else(|| names.address6_of(host))?;
        return finish(host, Some(port), protocol, names);
    }
    if let Ok(host) = text.parse::<Ipv6Addr>() {
        return finish(host, None, protocol, names);
    }
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (text, None),
    };
    finish(ipv4(host, names)?, port, protocol, names)
}

/// An IPv4 address or the name of a host.
pub(crate) fn ipv4(text: &str, names: &dyn Names) -> Option<Ipv4Addr> {
    inet_aton(text).or_else(|| names.address_of(text))
}

fn finish(
    host: impl Into<IpAddr>,
    port: Option<&str>,
    protocol: Option<Protocol>,
    names: &dyn Names,
) -> Option<HostPort> {
    let port = match port {
        Some(text) => Some(port_number(text, protocol, names)?),
        None => None,
    };
    let host = host.into();
    Some(HostPort { host, port })
}

fn port_number(text: &str, protocol: Option<Protocol>, names: &dyn Names) -> Option<u16> {
    let port = number::in_range(text, 0..=i64::from(u16::MAX));
    if let Some(port) = port {
        return u16::try_from(port).ok();
    }
    names.port_of(text, protocol?)
}

/// The classic forms: one to four parts, each decimal, octal (0…) or
/// hexadecimal (0x…); the last part fills what is left of the 32 bits.
fn inet_aton(text: &str) -> Option<Ipv4Addr> {
    let parts: Vec<u32> = text.split('.').map(c_integer).collect::<Option<_>>()?;
    let (last, leading) = parts.split_last()?;
    if leading.len() > 3 || leading.iter().any(|part| *part > 0xff) {
        return None;
    }
    let free_bits = 32 - 8 * leading.len();
    if u64::from(*last) >= 1 << free_bits {
        return None;
    }
    let mut address = *last;
    for (index, part) in leading.iter().enumerate() {
        address |= part << (24 - 8 * index);
    }
    Some(Ipv4Addr::from_bits(address))
}

fn c_integer(text: &str) -> Option<u32> {
    let (digits, radix) = match text.as_bytes() {
        [b'0', b'x' | b'X', ..] => (&text[2..], 16),
        [b'0', _, ..] => (&text[1..], 8),
        _ => (text, 10),
    };
    // `from_str_radix` would take a sign.
    if !digits.chars().all(|c| c.is_digit(radix)) {
        return None;
    }
    u32::from_str_radix(digits, radix).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::NoNames;

    fn read(text: &str) -> Option<(String, Option<u16>)> {
        let found = host_port(text, Some(Protocol::Tcp), &NoNames)?;
        Some((found.host.to_string(), found.port))
    }

    fn found(host: &str, port: Option<u16>) -> Option<(String, Option<u16>)> {
        Some((host.to_owned(), port))
    }

    #[test]
    fn ipv4_takes_every_form_of_inet_aton() {
        assert_eq!(read("10.0.1.100:80"), found("10.0.1.100", Some(80)));
        assert_eq!(read("10.0.1.100"), found("10.0.1.100", None));
        assert_eq!(read("10.0.1:80"), found("10.0.0.1", Some(80)));
        assert_eq!(read("010.0x10.0.1:80"), found("8.16.0.1", Some(80)));
        assert_eq!(read("167772516:82"), found("10.0.1.100", Some(82)));
        assert_eq!(read("10.1.65536"), None);
        assert_eq!(read("10.0.1.300:80"), None);
        assert_eq!(read("1.2.3.4.5:80"), None);
        assert_eq!(read("09.0.0.1:80"), None);
        assert_eq!(read("+1.0.0.1:80"), None);
    }

    #[test]
    fn an_address_needs_a_host_and_a_whole_port() {
        for text in ["", "80", ":80", "10.0.0.1:", "10.0.0.1:x", "10.0.0.1:65536"] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn ipv6_has_a_port_only_in_brackets() {
        assert_eq!(read("[fd00::1]:80"), found("fd00::1", Some(80)));
        assert_eq!(read("fd00:1::100:80"), found("fd00:1::100:80", None));
        assert_eq!(read("[fd00::1]"), None);
        assert_eq!(read("[fd00::1"), None);
        assert_eq!(read("[fd00::zz]:80"), None);
    }
}

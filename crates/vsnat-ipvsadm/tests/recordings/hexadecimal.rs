//! Addresses as the files of IPVS show them.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddrV4, SocketAddrV6};

/// A row of `/proc/net/ip_vs` with the numbers of a listing.
pub fn readable(row: &str) -> String {
    let words: Vec<&str> = row.split_whitespace().collect();
    let words = words.iter().enumerate().map(|(index, word)| {
        let is_mark = index == 1 && words[0] == "FWM";
        match is_mark {
            true => mark(word).map(|mark| mark.to_string()),
            false => endpoint(word),
        }
        .unwrap_or_else(|| (*word).to_owned())
    });
    words.collect::<Vec<String>>().join(" ")
}

pub fn address(host: &str, port: &str) -> Option<SocketAddrV4> {
    // An IPv6 address holds colons, which are no digits.
    let host = Ipv4Addr::from_bits(mark(host)?);
    Some(SocketAddrV4::new(host, u16::from_str_radix(port, 16).ok()?))
}

fn endpoint(word: &str) -> Option<String> {
    let (host, port) = word.rsplit_once(':')?;
    if let Some(host) = host.strip_prefix('[') {
        let host: Ipv6Addr = host.trim_end_matches(']').parse().ok()?;
        let port = u16::from_str_radix(port, 16).ok()?;
        return Some(SocketAddrV6::new(host, port, 0, 0).to_string());
    }
    address(host, port).map(|address| address.to_string())
}

fn mark(text: &str) -> Option<u32> {
    u32::from_str_radix(text, 16).ok()
}

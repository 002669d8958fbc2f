//! Addresses as the files of IPVS show them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

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

pub fn address(host: &str, port: &str) -> Option<SocketAddr> {
    let host: IpAddr = match host.strip_prefix('[') {
        Some(host) => host.trim_end_matches(']').parse::<Ipv6Addr>().ok()?.into(),
        None => Ipv4Addr::from_bits(mark(host)?).into(),
    };
    Some(SocketAddr::new(host, u16::from_str_radix(port, 16).ok()?))
}

fn endpoint(word: &str) -> Option<String> {
    let (host, port) = word.rsplit_once(':')?;
    address(host, port).map(|address| address.to_string())
}

fn mark(text: &str) -> Option<u32> {
    u32::from_str_radix(text, 16).ok()
}

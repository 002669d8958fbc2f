//! Telling the neighbours of IPv6 that an address is here now.

use std::io;
use std::net::{Ipv6Addr, SocketAddrV6};

use socket2::{Domain, Protocol, Socket, Type};

use super::link::Link;

/// All nodes on the link.
const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);

/// Whoever gets less knows that a router was in between (RFC 4861 §7.1.2).
const HOP_LIMIT: u32 = 255;

/// Type, flags and option of a neighbour advertisement (RFC 4861 §4.4): it
/// replaces what is known, and holds the address of the link.
const ADVERTISEMENT: u8 = 136;
const OVERRIDE: u8 = 0x20;
const ROUTER: u8 = 0x80;
const TARGET_LINK_ADDRESS: [u8; 2] = [2, 1];

/// Sends an advertisement that nobody asked for. The kernel fills its checksum
/// in, as always with ICMPv6.
pub fn announce(link: &Link, address: Ipv6Addr) -> io::Result<()> {
    let Some(mac) = link.mac() else {
        return Ok(());
    };
    let socket = Socket::new(Domain::IPV6, Type::RAW, Some(Protocol::ICMPV6))?;
    socket.set_multicast_hops_v6(HOP_LIMIT)?;
    socket.set_multicast_if_v6(link.index)?;
    socket.bind(&SocketAddrV6::new(address, 0, 0, link.index).into())?;
    let everybody = SocketAddrV6::new(ALL_NODES, 0, 0, link.index);
    socket.send_to(&advertisement(mac, address), &everybody.into())?;
    Ok(())
}

fn advertisement(mac: [u8; 6], address: Ipv6Addr) -> Vec<u8> {
    let mut message = vec![ADVERTISEMENT, 0, 0, 0, OVERRIDE | ROUTER, 0, 0, 0];
    message.extend(address.octets());
    message.extend(TARGET_LINK_ADDRESS);
    message.extend(mac);
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_advertisement_is_four_words_of_address_between_flags_and_mac() {
        let message = advertisement([2, 0, 0, 0, 0, 7], "2001:db8::7".parse().unwrap());
        assert_eq!(message.len(), 32);
        assert_eq!(message[..5], [136, 0, 0, 0, 0xa0]);
        assert_eq!(message[8..12], [0x20, 1, 0xd, 0xb8]);
        assert_eq!(message[24..], [2, 1, 2, 0, 0, 0, 0, 7]);
    }
}

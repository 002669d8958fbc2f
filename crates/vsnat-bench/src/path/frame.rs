//! The smallest frames of Ethernet, with a UDP datagram each.
//!
//! They are written one flow after the other into the same few places, so that
//! a million flows need no more of the sender's memory than one.

use std::net::{Ipv4Addr, SocketAddrV4};

use crate::path::network::Mac;

/// Without the checksum of the wire.
pub const FRAME: usize = 60;
pub type Frame = [u8; FRAME];

const ETHERNET: usize = 14;
const IP: usize = 20;
const IP_TOTAL: u16 = (FRAME - ETHERNET) as u16;
const UDP_LENGTH: u16 = IP_TOTAL - IP as u16;
const UDP: u8 = 17;
const TTL: u8 = 64;
const DONT_FRAGMENT: u16 = 0x4000;

/// What all of them have in common, without the addresses' share.
const IP_SUM: u32 =
    0x4500 + IP_TOTAL as u32 + DONT_FRAGMENT as u32 + ((TTL as u32) << 8 | UDP as u32);
/// Of the pseudo-header and the UDP header; the payload is zeros.
const UDP_SUM: u32 = UDP as u32 + 2 * UDP_LENGTH as u32;

/// A frame between these two, for no flow yet.
pub fn blank(from: Mac, to: Mac) -> Frame {
    let mut frame = [0; FRAME];
    frame[0..6].copy_from_slice(&to);
    frame[6..12].copy_from_slice(&from);
    put(&mut frame, 12, 0x0800);
    frame[14] = 0x45;
    put(&mut frame, 16, IP_TOTAL);
    put(&mut frame, 20, DONT_FRAGMENT);
    frame[22] = TTL;
    frame[23] = UDP;
    put(&mut frame, 38, UDP_LENGTH);
    frame
}

/// Gives a frame its ends, and the checksums that belong to them.
pub fn address(frame: &mut Frame, src: SocketAddrV4, dst: SocketAddrV4) {
    let (from, to) = (u32::from(*src.ip()), u32::from(*dst.ip()));
    let addresses = (from >> 16) + (from & 0xffff) + (to >> 16) + (to & 0xffff);
    let ports = u32::from(src.port()) + u32::from(dst.port());
    frame[26..30].copy_from_slice(&from.to_be_bytes());
    frame[30..34].copy_from_slice(&to.to_be_bytes());
    put(frame, 34, src.port());
    put(frame, 36, dst.port());
    put(frame, 24, !folded(IP_SUM + addresses));
    let udp = match !folded(UDP_SUM + addresses + ports) {
        // Zero would say that there is none.
        0 => 0xffff,
        sum => sum,
    };
    put(frame, 40, udp);
}

/// A frame that came through, or why it is not one of ours.
pub fn read(bytes: &[u8]) -> Result<(SocketAddrV4, SocketAddrV4), String> {
    let Some(frame) = bytes.first_chunk::<FRAME>() else {
        return Err(format!("{} bytes", bytes.len()));
    };
    if get(frame, 12) != 0x0800 || frame[14] != 0x45 || frame[23] != UDP {
        return Err("no UDP over IPv4".to_owned());
    }
    if frame[22] != TTL - 1 {
        return Err(format!("a packet with TTL {}", frame[22]));
    }
    let sum = |range: std::ops::Range<usize>| -> u32 {
        let words = range.step_by(2);
        words.map(|at| u32::from(get(frame, at))).sum()
    };
    if folded(sum(ETHERNET..ETHERNET + IP)) != 0xffff {
        return Err("a packet with a wrong IP checksum".to_owned());
    }
    let pseudo = u32::from(UDP) + u32::from(UDP_LENGTH);
    if folded(pseudo + sum(26..FRAME)) != 0xffff {
        return Err("a packet with a wrong UDP checksum".to_owned());
    }
    let end = |address: usize, port: usize| {
        let ip = Ipv4Addr::from(
            u32::from(get(frame, address)) << 16 | u32::from(get(frame, address + 2)),
        );
        SocketAddrV4::new(ip, get(frame, port))
    };
    Ok((end(26, 34), end(30, 36)))
}

fn put(frame: &mut Frame, at: usize, value: u16) {
    frame[at..at + 2].copy_from_slice(&value.to_be_bytes());
}

fn get(frame: &Frame, at: usize) -> u16 {
    u16::from_be_bytes([frame[at], frame[at + 1]])
}

fn folded(sum: u32) -> u16 {
    let once = (sum >> 16) + (sum & 0xffff);
    ((once >> 16) + (once & 0xffff)) as u16
}

#[cfg(test)]
mod tests {
    use etherparse::{NetHeaders, PacketHeaders, TransportHeader};

    use super::{address, blank, read};
    use crate::path::network::{CLIENTS_MAC, OUTER_MAC, VIP, client, server};

    #[test]
    fn checksums_are_those_of_the_addresses() {
        let mut frame = blank(CLIENTS_MAC, OUTER_MAC);
        for flow in [0, 77, 4_097, 1_000_003] {
            address(&mut frame, client(flow), VIP);
            let headers = PacketHeaders::from_ethernet_slice(&frame).unwrap();
            let Some(NetHeaders::Ipv4(ip, _)) = headers.net else {
                panic!("no IPv4");
            };
            assert_eq!(ip.header_checksum, ip.calc_header_checksum());
            let Some(TransportHeader::Udp(udp)) = headers.transport else {
                panic!("no UDP");
            };
            let payload = headers.payload.slice();
            assert_eq!(udp.checksum, udp.calc_checksum_ipv4(&ip, payload).unwrap());
        }
    }

    #[test]
    fn a_frame_is_read_after_a_hop() {
        let mut frame = blank(CLIENTS_MAC, OUTER_MAC);
        address(&mut frame, client(5), server(2));
        assert!(read(&frame).unwrap_err().contains("TTL 64"));
        frame[22] -= 1;
        assert!(read(&frame).unwrap_err().contains("IP checksum"));
        frame[24] += 1;
        assert_eq!(read(&frame).unwrap(), (client(5), server(2)));
        frame[37] ^= 1;
        assert!(read(&frame).unwrap_err().contains("UDP checksum"));
        assert!(read(&frame[..40]).is_err());
    }
}

//! Ethernet frames with IPv4 in them, well-formed and otherwise.

use std::net::Ipv4Addr;

pub const TCP: u8 = 6;
pub const UDP: u8 = 17;
pub const ICMP: u8 = 1;
const IPV4: u16 = 0x0800;

pub type Mac = [u8; 6];

/// Bits and offset of the IPv4 header's fragment field.
pub const MORE_FRAGMENTS: u16 = 0x2000;
pub const DONT_FRAGMENT: u16 = 0x4000;

/// The IPv4 part of a frame to be.
#[derive(Clone, Debug)]
pub struct Ip<'a> {
    pub source: Ipv4Addr,
    pub destination: Ipv4Addr,
    pub protocol: u8,
    pub id: u16,
    pub ttl: u8,
    pub fragment: u16,
    /// Whole words.
    pub options: &'a [u8],
}

impl Ip<'_> {
    pub fn packet(&self, payload: &[u8]) -> Vec<u8> {
        let header_length = 20 + self.options.len();
        let mut packet = vec![0; header_length];
        packet[0] = 0x40 | (header_length / 4) as u8;
        let total = (header_length + payload.len()) as u16;
        packet[2..4].copy_from_slice(&total.to_be_bytes());
        packet[4..6].copy_from_slice(&self.id.to_be_bytes());
        packet[6..8].copy_from_slice(&self.fragment.to_be_bytes());
        packet[8] = self.ttl;
        packet[9] = self.protocol;
        packet[12..16].copy_from_slice(&self.source.octets());
        packet[16..20].copy_from_slice(&self.destination.octets());
        packet[20..header_length].copy_from_slice(self.options);
        let sum = checksum(&[&packet]);
        packet[10..12].copy_from_slice(&sum.to_be_bytes());
        packet.extend_from_slice(payload);
        packet
    }

    pub fn udp(&self, ports: (u16, u16), data: &[u8]) -> Vec<u8> {
        let mut datagram = udp_without_checksum(ports, data);
        let sum = self.transport_checksum(&datagram);
        datagram[6..8].copy_from_slice(&sum.to_be_bytes());
        datagram
    }

    pub fn tcp(&self, ports: (u16, u16), flags: u8, options: &[u8], data: &[u8]) -> Vec<u8> {
        let header_length = 20 + options.len();
        let mut segment = vec![0; header_length];
        segment[0..2].copy_from_slice(&ports.0.to_be_bytes());
        segment[2..4].copy_from_slice(&ports.1.to_be_bytes());
        segment[4..8].copy_from_slice(&0x0102_0304u32.to_be_bytes());
        segment[12] = (header_length as u8 / 4) << 4;
        segment[13] = flags;
        segment[14..16].copy_from_slice(&64_240u16.to_be_bytes());
        segment[20..].copy_from_slice(options);
        segment.extend_from_slice(data);
        let sum = self.transport_checksum(&segment);
        segment[16..18].copy_from_slice(&sum.to_be_bytes());
        segment
    }

    fn transport_checksum(&self, transport: &[u8]) -> u16 {
        let mut pseudo = [0; 12];
        pseudo[0..4].copy_from_slice(&self.source.octets());
        pseudo[4..8].copy_from_slice(&self.destination.octets());
        pseudo[9] = self.protocol;
        pseudo[10..12].copy_from_slice(&(transport.len() as u16).to_be_bytes());
        checksum(&[&pseudo, transport])
    }
}

/// A checksum of zero tells the receiver that there is none.
pub fn udp_without_checksum(ports: (u16, u16), data: &[u8]) -> Vec<u8> {
    let length = (8 + data.len()) as u16;
    let words = [ports.0, ports.1, length, 0];
    let mut datagram: Vec<u8> = words.iter().flat_map(|word| word.to_be_bytes()).collect();
    datagram.extend_from_slice(data);
    datagram
}

pub fn icmp_echo(data: &[u8]) -> Vec<u8> {
    let mut message = vec![8, 0, 0, 0, 0x12, 0x34, 0, 1];
    message.extend_from_slice(data);
    let sum = checksum(&[&message]);
    message[2..4].copy_from_slice(&sum.to_be_bytes());
    message
}

pub fn ipv4_frame(to: Mac, from: Mac, packet: &[u8]) -> Vec<u8> {
    frame(to, from, IPV4, packet)
}

pub fn frame(to: Mac, from: Mac, ethertype: u16, payload: &[u8]) -> Vec<u8> {
    [&to[..], &from[..], &ethertype.to_be_bytes(), payload].concat()
}

/// The Internet checksum; each part but the last has an even length.
fn checksum(parts: &[&[u8]]) -> u16 {
    let words = parts.iter().flat_map(|part| part.chunks(2));
    let words = words.map(|pair| u16::from_be_bytes([pair[0], *pair.get(1).unwrap_or(&0)]));
    let sum: u32 = words.map(u32::from).sum();
    let folded = (sum & 0xffff) + (sum >> 16);
    !((folded & 0xffff) + (folded >> 16)) as u16
}

//! A packet as its fields, and the bytes that it becomes.

use std::net::{IpAddr, SocketAddr};

use etherparse::checksum::Sum16BitWords;

use crate::machine::OUTER_MAC;
use crate::sums::Crc;

pub const ICMP: u8 = 1;
pub const TCP: u8 = 6;
pub const UDP: u8 = 17;
pub const SCTP: u8 = 132;
pub const FIN: u8 = 0x01;
pub const SYN: u8 = 0x02;
pub const RST: u8 = 0x04;
pub const ACK: u8 = 0x10;
const SENDER_MAC: [u8; 6] = [2, 0, 0, 0, 9, 9];
const IPV4: [u8; 2] = [0x08, 0x00];
const IPV6: [u8; 2] = [0x86, 0xdd];
const DF: u16 = 0x4000;

/// What is written where the transport's checksum is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SumField {
    Right,
    Wrong,
    Zero,
    /// The pseudo header's: a card is to fill in the rest.
    Pseudo,
}

#[derive(Clone, Debug)]
pub struct Draft {
    pub dst_mac: [u8; 6],
    pub src: SocketAddr,
    pub dst: SocketAddr,
    pub protocol: u8,
    pub tos: u8,
    pub ttl: u8,
    pub id: u16,
    /// Flags and offset of a fragment, without DF.
    pub piece: u16,
    pub may_fragment: bool,
    pub options: Vec<u8>,
    /// TCP's flags.
    pub flags: u8,
    /// TCP's options, a multiple of four.
    pub tcp_options: Vec<u8>,
    /// SCTP: kinds of its chunks. ICMP: its type.
    pub kinds: Vec<u8>,
    pub payload: Vec<u8>,
    pub sum: SumField,
}

impl Draft {
    pub fn new(protocol: u8, src: SocketAddr, dst: SocketAddr) -> Self {
        Draft {
            dst_mac: OUTER_MAC,
            src,
            dst,
            protocol,
            tos: 0,
            ttl: 64,
            id: 77,
            piece: 0,
            may_fragment: false,
            options: Vec::new(),
            flags: ACK,
            tcp_options: Vec::new(),
            kinds: Vec::new(),
            payload: b"hello".to_vec(),
            sum: SumField::Right,
        }
    }

    /// The whole frame.
    pub fn frame(&self) -> Vec<u8> {
        let mut frame = [self.dst_mac, SENDER_MAC].concat();
        match self.src.ip() {
            IpAddr::V4(_) => frame.extend_from_slice(&IPV4),
            IpAddr::V6(_) => frame.extend_from_slice(&IPV6),
        }
        frame.extend_from_slice(&self.packet());
        frame
    }

    /// From the IP header on.
    pub fn packet(&self) -> Vec<u8> {
        let addresses = self.addresses();
        // A later piece has no transport header.
        let segment = match self.piece & 0x1fff {
            0 => self.segment(&addresses),
            _ => self.payload.clone(),
        };
        let mut packet = match self.src.ip() {
            IpAddr::V4(_) => self.header_v4(&addresses, segment.len()),
            IpAddr::V6(_) => self.header_v6(&addresses, segment.len()),
        };
        packet.extend_from_slice(&segment);
        packet
    }

    /// Both addresses; those of IPv4 where the two are of different kinds.
    fn addresses(&self) -> Vec<u8> {
        match (self.src.ip(), self.dst.ip()) {
            (IpAddr::V4(src), IpAddr::V4(dst)) => [src.octets(), dst.octets()].concat(),
            (IpAddr::V6(src), IpAddr::V6(dst)) => [src.octets(), dst.octets()].concat(),
            (IpAddr::V4(src), IpAddr::V6(_)) => [src.octets(), src.octets()].concat(),
            (IpAddr::V6(src), IpAddr::V4(_)) => [src.octets(), src.octets()].concat(),
        }
    }

    fn header_v4(&self, addresses: &[u8], payload: usize) -> Vec<u8> {
        let length = 20 + self.options.len();
        let total = (length + payload) as u16;
        let df = if self.may_fragment { 0 } else { DF };
        let mut header = vec![0x40 | (length / 4) as u8, self.tos];
        header.extend_from_slice(&total.to_be_bytes());
        header.extend_from_slice(&self.id.to_be_bytes());
        header.extend_from_slice(&(self.piece | df).to_be_bytes());
        header.extend_from_slice(&[self.ttl, self.protocol, 0, 0]);
        header.extend_from_slice(addresses);
        header.extend_from_slice(&self.options);
        let sum = sum_of(Sum16BitWords::new().add_slice(&header));
        header[10..12].copy_from_slice(&sum);
        header
    }

    fn header_v6(&self, addresses: &[u8], payload: usize) -> Vec<u8> {
        let mut header = vec![0x60, self.tos << 4, 0, 0];
        header.extend_from_slice(&(payload as u16).to_be_bytes());
        header.extend_from_slice(&[self.protocol, self.ttl]);
        header.extend_from_slice(addresses);
        header
    }

    fn segment(&self, addresses: &[u8]) -> Vec<u8> {
        match self.protocol {
            TCP => self.tcp(addresses),
            UDP => self.udp(addresses),
            SCTP => self.sctp(),
            ICMP => self.icmp(),
            _ => self.payload.clone(),
        }
    }

    fn ports(&self) -> Vec<u8> {
        let (src, dst) = (self.src.port(), self.dst.port());
        [src.to_be_bytes(), dst.to_be_bytes()].concat()
    }

    fn tcp(&self, addresses: &[u8]) -> Vec<u8> {
        let mut segment = self.ports();
        segment.extend_from_slice(&1_000u32.to_be_bytes());
        segment.extend_from_slice(&2_000u32.to_be_bytes());
        let length = 20 + self.tcp_options.len();
        segment.extend_from_slice(&[((length / 4) << 4) as u8, self.flags, 0x10, 0]);
        segment.extend_from_slice(&[0; 4]);
        segment.extend_from_slice(&self.tcp_options);
        segment.extend_from_slice(&self.payload);
        self.summed(segment, 16, addresses)
    }

    fn udp(&self, addresses: &[u8]) -> Vec<u8> {
        let mut segment = self.ports();
        let length = (8 + self.payload.len()) as u16;
        segment.extend_from_slice(&length.to_be_bytes());
        segment.extend_from_slice(&[0, 0]);
        segment.extend_from_slice(&self.payload);
        let mut segment = self.summed(segment, 6, addresses);
        if self.sum == SumField::Right && segment[6..8] == [0, 0] {
            segment[6..8].copy_from_slice(&[0xff; 2]);
        }
        segment
    }

    fn sctp(&self) -> Vec<u8> {
        let mut packet = self.ports();
        packet.extend_from_slice(&[0, 0, 0, 1, 0, 0, 0, 0]);
        for kind in &self.kinds {
            packet.extend_from_slice(&[*kind, 0, 0, 8, 1, 2, 3, 4]);
        }
        packet.extend_from_slice(&self.payload);
        let mut crc = Crc::new();
        crc.add(&packet);
        let crc = crc.end();
        let field = match self.sum {
            SumField::Right => crc,
            SumField::Wrong | SumField::Pseudo => crc ^ 0x55,
            SumField::Zero => 0,
        };
        packet[8..12].copy_from_slice(&field.to_le_bytes());
        packet
    }

    fn icmp(&self) -> Vec<u8> {
        let kind = self.kinds.first().copied().unwrap_or(8);
        let mut message = vec![kind, (self.id % 5) as u8, 0, 0, 0, 0, 5, 0x14];
        message.extend_from_slice(&self.payload);
        let sum = sum_of(Sum16BitWords::new().add_slice(&message));
        message[2..4].copy_from_slice(&sum);
        message
    }

    fn summed(&self, mut segment: Vec<u8>, at: usize, addresses: &[u8]) -> Vec<u8> {
        let pseudo = Sum16BitWords::new()
            .add_slice(addresses)
            .add_4bytes((segment.len() as u32).to_be_bytes())
            .add_2bytes([0, self.protocol]);
        let right = sum_of(pseudo.clone().add_slice(&segment));
        let field = match self.sum {
            SumField::Right => right,
            SumField::Wrong => [right[0] ^ 0x40, right[1] ^ 1],
            SumField::Zero => [0, 0],
            SumField::Pseudo => sum_of(pseudo).map(|byte| !byte),
        };
        segment[at..at + 2].copy_from_slice(&field);
        segment
    }
}

/// etherparse gives its sums in the order in which they lie in memory.
fn sum_of(sum: Sum16BitWords) -> [u8; 2] {
    sum.ones_complement().to_ne_bytes()
}

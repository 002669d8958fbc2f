//! Making and reading SCTP packets, whose checksum is computed bit by bit.

use etherparse::{IpNumber, Ipv4Header};

use super::frame::Frame;

/// The first chunk of a packet (RFC 9260, section 3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chunk {
    Data = 0,
    Init = 1,
    InitAck = 2,
    Abort = 6,
    Shutdown = 7,
    ShutdownAck = 8,
    CookieEcho = 10,
    CookieAck = 11,
    ShutdownComplete = 14,
}

const TAG: [u8; 4] = [0x12, 0x34, 0x56, 0x78];
const IP_LEN: usize = 20;
const AT: usize = 14 + IP_LEN;

impl Frame {
    /// With one chunk around the payload.
    pub fn sctp(&self, chunk: Chunk) -> Vec<u8> {
        let mut bytes = self.sctp_without_checksum(chunk);
        let sum = crc32c(&bytes[AT..]).to_le_bytes();
        bytes[AT + 8..AT + 12].copy_from_slice(&sum);
        bytes
    }

    pub fn sctp_without_checksum(&self, chunk: Chunk) -> Vec<u8> {
        let mut packet = Vec::new();
        packet.extend(self.src.1.to_be_bytes());
        packet.extend(self.dst.1.to_be_bytes());
        packet.extend(TAG);
        packet.extend([0; 4]);
        let length = 4 + self.payload.len() as u16;
        packet.extend([chunk as u8, 0]);
        packet.extend(length.to_be_bytes());
        packet.extend(&self.payload);
        packet.resize(packet.len().next_multiple_of(4), 0);

        let protocol = IpNumber::SCTP;
        let length = packet.len() as u16;
        let mut ip = Ipv4Header::new(length, self.ttl, protocol, self.src.0, self.dst.0).unwrap();
        ip.dont_fragment = true;
        ip.header_checksum = ip.calc_header_checksum();
        let mut bytes = Vec::new();
        bytes.extend(self.dst_mac);
        bytes.extend(self.src_mac);
        bytes.extend([0x08, 0x00]);
        ip.write(&mut bytes).unwrap();
        bytes.extend(packet);
        bytes
    }
}

/// What an SCTP packet says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenAssociation {
    pub src: ([u8; 4], u16),
    pub dst: ([u8; 4], u16),
    pub ttl: u8,
    /// As it lies there.
    pub checksum: [u8; 4],
    /// Behind the common header.
    pub chunks: Vec<u8>,
}

/// Reads an SCTP packet; a wrong checksum is a failure, none is not.
#[track_caller]
pub fn read_association(bytes: &[u8]) -> SeenAssociation {
    let (ip, _) = Ipv4Header::from_slice(&bytes[14..]).unwrap();
    assert_eq!(ip.header_checksum, ip.calc_header_checksum(), "IP checksum");
    assert_eq!(ip.protocol, IpNumber::SCTP);
    let mut packet = bytes[AT..].to_vec();
    let checksum: [u8; 4] = packet[8..12].try_into().unwrap();
    packet[8..12].fill(0);
    if checksum != [0; 4] {
        assert_eq!(checksum, crc32c(&packet).to_le_bytes(), "SCTP checksum");
    }
    let port = |at: usize| u16::from_be_bytes([packet[at], packet[at + 1]]);
    SeenAssociation {
        src: (ip.source, port(0)),
        dst: (ip.destination, port(2)),
        ttl: ip.time_to_live,
        checksum,
        chunks: packet[12..].to_vec(),
    }
}

/// RFC 9260, appendix A, by the book.
fn crc32c(bytes: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            let carry = crc & 1;
            crc >>= 1;
            if carry != 0 {
                crc ^= 0x82f6_3b78;
            }
        }
    }
    !crc
}

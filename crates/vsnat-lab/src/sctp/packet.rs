//! SCTP packets: the common header, the checksum, and chunks.

use thiserror::Error;

use super::checksum::crc32c;
use super::chunk::{Chunk, word};

const HEADER_LEN: usize = 12;
const CHECKSUM: std::ops::Range<usize> = 8..HEADER_LEN;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    pub src_port: u16,
    pub dst_port: u16,
    pub tag: u32,
    pub chunks: Vec<Chunk>,
}

/// Why a packet is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Unreadable {
    #[error("the packet carries the checksum {carried:#010x}, but its bytes have {computed:#010x}")]
    Checksum { carried: u32, computed: u32 },
    #[error("the packet is cut short")]
    CutShort,
}

impl Packet {
    /// The packet with its checksum.
    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        bytes.extend_from_slice(&self.src_port.to_be_bytes());
        bytes.extend_from_slice(&self.dst_port.to_be_bytes());
        bytes.extend_from_slice(&self.tag.to_be_bytes());
        bytes.extend_from_slice(&[0; 4]);
        for chunk in &self.chunks {
            chunk.write(&mut bytes);
        }
        let checksum = crc32c(&bytes);
        bytes[CHECKSUM].copy_from_slice(&checksum.to_le_bytes());
        bytes
    }

    /// Reads a packet, checksum first.
    pub fn read(bytes: &[u8]) -> Result<Packet, Unreadable> {
        let (Some((src_port, dst_port)), Some(tag)) = (ports(bytes), word(bytes, 4)) else {
            return Err(Unreadable::CutShort);
        };
        let carried = word(bytes, CHECKSUM.start).ok_or(Unreadable::CutShort)?;
        let carried = carried.swap_bytes();
        let mut covered = bytes.to_vec();
        covered[CHECKSUM].fill(0);
        let computed = crc32c(&covered);
        if carried != computed {
            return Err(Unreadable::Checksum { carried, computed });
        }
        let mut chunks = Vec::new();
        let mut rest = &bytes[HEADER_LEN..];
        while !rest.is_empty() {
            let (chunk, behind) = Chunk::read(rest).ok_or(Unreadable::CutShort)?;
            chunks.push(chunk);
            rest = behind;
        }
        Ok(Packet {
            src_port,
            dst_port,
            tag,
            chunks,
        })
    }
}

/// Source and destination port of a packet that is not read yet.
pub(super) fn ports(bytes: &[u8]) -> Option<(u16, u16)> {
    let ports = word(bytes, 0)?;
    Some(((ports >> 16) as u16, ports as u16))
}

#[cfg(test)]
mod tests {
    use super::super::chunk::{Start, TagOf};
    use super::*;

    fn packet() -> Packet {
        let start = Start { tag: 7, tsn: 8 };
        Packet {
            src_port: 40_000,
            dst_port: 2_905,
            tag: 0x1234_5678,
            chunks: vec![
                Chunk::Init(start),
                Chunk::InitAck {
                    start,
                    cookie: vec![1, 2, 3, 4, 5],
                },
                Chunk::CookieEcho(vec![9; 13]),
                Chunk::CookieAck,
                Chunk::Data {
                    tsn: 8,
                    message: b"odd".to_vec(),
                },
                Chunk::Sack { cumulative: 8 },
                Chunk::Heartbeat(vec![0, 1, 0, 4]),
                Chunk::Abort(TagOf::Sender),
                Chunk::Shutdown { cumulative: 8 },
                Chunk::ShutdownAck,
                Chunk::ShutdownComplete(TagOf::Receiver),
            ],
        }
    }

    #[test]
    fn a_packet_is_read_as_it_was_written() {
        assert_eq!(Packet::read(&packet().bytes()), Ok(packet()));
    }

    #[test]
    fn every_flipped_bit_is_found() {
        let bytes = packet().bytes();
        for bit in 0..bytes.len() * 8 {
            let mut broken = bytes.clone();
            broken[bit / 8] ^= 1 << (bit % 8);
            let refused = Packet::read(&broken);
            assert!(matches!(refused, Err(Unreadable::Checksum { .. })));
        }
    }

    #[test]
    fn short_packets_are_refused() {
        let bytes = packet().bytes();
        for length in 0..HEADER_LEN {
            assert_eq!(Packet::read(&bytes[..length]), Err(Unreadable::CutShort));
        }
    }
}

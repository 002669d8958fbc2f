//! The packets that are measured.

use std::net::SocketAddrV4;

use etherparse::PacketBuilder;

use crate::world::{GATEWAY_MAC, INNER_MAC, OUTER_MAC, SERVER_MAC};

/// The longest life: a packet that is fed back loses one each time.
const TTL: u8 = 255;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Segment {
    Syn,
    SynAck,
    Ack,
}

/// From a client, by the outer link.
pub fn from_client(src: SocketAddrV4, dst: SocketAddrV4, segment: Segment) -> Vec<u8> {
    frame([GATEWAY_MAC, OUTER_MAC], src, dst, segment, TTL)
}

/// From a server, by the inner link.
pub fn from_server(src: SocketAddrV4, dst: SocketAddrV4, segment: Segment) -> Vec<u8> {
    frame([SERVER_MAC, INNER_MAC], src, dst, segment, TTL)
}

/// From a client, and at the end of its life.
pub fn dying(src: SocketAddrV4, dst: SocketAddrV4) -> Vec<u8> {
    frame([GATEWAY_MAC, OUTER_MAC], src, dst, Segment::Ack, 1)
}

fn frame(
    [from, to]: [[u8; 6]; 2],
    src: SocketAddrV4,
    dst: SocketAddrV4,
    segment: Segment,
    ttl: u8,
) -> Vec<u8> {
    let builder = PacketBuilder::ethernet2(from, to)
        .ipv4(src.ip().octets(), dst.ip().octets(), ttl)
        .tcp(src.port(), dst.port(), 1_000, 4_000);
    let builder = match segment {
        Segment::Syn => builder.syn(),
        Segment::SynAck => builder.syn().ack(2_000),
        Segment::Ack => builder.ack(2_000),
    };
    let mut bytes = Vec::with_capacity(builder.size(0));
    // Writing to a vector cannot fail.
    let _ = builder.write(&mut bytes, &[]);
    bytes
}

//! Frames that no service knows, of every length and protocol, whole, broken
//! and cut short: all drawn from one seed.

use std::net::Ipv4Addr;

use vsnat_lab::VIP;

use crate::frame::{Ip, frame, ipv4_frame};
use crate::strangers::{Ends, strangers};

const KINDS: usize = 6;
const ETH_LEN: usize = 14;
const DATA_MAX: usize = 1_500;
const IPV6: u16 = 0x86dd;
/// The kernel takes a VLAN tag out of a frame before anybody sees it, and the
/// servers' bridge drops IPv6 packets that are none.
const OTHERS_TYPES: [u16; 4] = [0x8100, 0x88a8, 0x9100, IPV6];
/// The least that a packet socket sends, and what a capture tells apart.
const FRAME_MIN: usize = 24;

/// Marsaglia's xorshift: the same frames on every run.
struct Draw(u64);

impl Draw {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 >> 16
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    fn bytes(&mut self, length: usize) -> Vec<u8> {
        (0..length).map(|_| self.next() as u8).collect()
    }
}

/// `count` frames, of each kind about the same number.
pub fn assorted(ends: &Ends, count: usize, seed: u64) -> Vec<Vec<u8>> {
    let mut draw = Draw(seed);
    let known = strangers(ends, count.div_ceil(KINDS) * 2);
    (0..count)
        .map(|number| one(&mut draw, ends, number, &known[number / KINDS..]))
        .collect()
}

fn one(draw: &mut Draw, ends: &Ends, number: usize, known: &[Vec<u8>]) -> Vec<u8> {
    // Every length comes up, in the order of the numbers.
    let length = number / KINDS % (DATA_MAX + 1);
    match number % KINDS {
        0 => known[0].clone(),
        1 => of_any_type(draw, ends, length),
        2 => of_any_protocol(draw, ends, length),
        3 => of_ipv6(draw, ends, length),
        4 => broken(draw, ends, length),
        _ => cut_short(draw, ends, number),
    }
}

fn of_any_type(draw: &mut Draw, ends: &Ends, length: usize) -> Vec<u8> {
    let kind = draw.next() as u16;
    let kind = match OTHERS_TYPES.contains(&kind) {
        true => 0x88b5,
        false => kind,
    };
    let data = draw.bytes(length.max(FRAME_MIN));
    // What claims to be of IP is no packet of it.
    let mut frame = frame(ends.to, ends.from, kind, &data);
    if kind == 0x0800 {
        frame[ETH_LEN] = 0x15;
    }
    frame
}

/// Neither TCP nor UDP nor SCTP nor ICMP, to whomever.
fn of_any_protocol(draw: &mut Draw, ends: &Ends, length: usize) -> Vec<u8> {
    let protocol = match draw.next() as u8 {
        1 | 6 | 17 | 132 => 254,
        other => other,
    };
    let destination = [VIP, ends.director, ends.far, Ipv4Addr::BROADCAST][draw.below(4)];
    let data = draw.bytes(length.clamp(4, DATA_MAX - 20));
    packet(draw, ends, destination, protocol, &data)
}

fn of_ipv6(draw: &mut Draw, ends: &Ends, length: usize) -> Vec<u8> {
    let payload = draw.bytes(length.min(DATA_MAX - 40));
    let mut packet = vec![0x60, 0, 0, 0];
    packet.extend_from_slice(&(payload.len() as u16).to_be_bytes());
    // A bridge looks into hop-by-hop options (0), and drops what it cannot read.
    packet.extend_from_slice(&[(draw.next() as u8).max(1), 64]);
    packet.extend_from_slice(&[0x20, 1, 0xd, 0xb8]);
    packet.extend_from_slice(&draw.bytes(12));
    packet.extend_from_slice(&[0x20, 1, 0xd, 0xb8]);
    packet.extend_from_slice(&draw.bytes(12));
    packet.extend_from_slice(&payload);
    frame(ends.to, ends.from, IPV6, &packet)
}

/// To a host behind the director, with bytes of the headers changed.
fn broken(draw: &mut Draw, ends: &Ends, length: usize) -> Vec<u8> {
    let protocol = [1, 6, 17, 132][draw.below(4)];
    let mut data = draw.bytes(length.clamp(20, DATA_MAX - 20));
    // Ports of no service: from 40,000 on.
    data[0] = 0x9c | data[0] & 3;
    data[2] = 0x9c | data[2] & 3;
    let mut frame = packet(draw, ends, ends.far, protocol, &data);
    for _ in 0..1 + draw.below(3) {
        // All of the IP header but its addresses.
        let at = ETH_LEN + draw.below(12);
        frame[at] = draw.next() as u8;
    }
    frame
}

/// A frame that ends somewhere within its headers.
fn cut_short(draw: &mut Draw, ends: &Ends, number: usize) -> Vec<u8> {
    let protocol = [1, 6, 17, 132][draw.below(4)];
    let data = draw.bytes(40);
    let mut frame = packet(draw, ends, VIP, protocol, &data);
    // To another port than those of services, if there is one.
    frame[ETH_LEN + 20 + 2] = 0x9c;
    frame.truncate(FRAME_MIN + number / KINDS % 46);
    frame
}

fn packet(draw: &mut Draw, ends: &Ends, to: Ipv4Addr, protocol: u8, data: &[u8]) -> Vec<u8> {
    let ip = Ip {
        source: ends.source,
        destination: to,
        protocol,
        id: draw.next() as u16,
        ttl: draw.next() as u8,
        fragment: 0,
        options: &[],
    };
    ipv4_frame(ends.to, ends.from, &ip.packet(data))
}

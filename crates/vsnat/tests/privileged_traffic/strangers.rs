//! Frames of all kinds that belong to no service.

use std::net::Ipv4Addr;

use vsnat_lab::VIP;
use vsnat_lab::servers::bulk::Pattern;

use crate::frame::{
    DONT_FRAGMENT, ICMP, Ip, MORE_FRAGMENTS, Mac, TCP, UDP, frame, icmp_echo, ipv4_frame,
    udp_without_checksum,
};

/// Who sends to whom.
#[derive(Clone, Copy, Debug)]
pub struct Ends {
    pub from: Mac,
    pub to: Mac,
    pub source: Ipv4Addr,
    /// The director's own address on this side.
    pub director: Ipv4Addr,
    /// A host behind the director.
    pub far: Ipv4Addr,
    pub source_port: u16,
}

const KINDS: usize = 26;
/// No service is there.
const PORT: u16 = 8_081;
const SYN: u8 = 0x02;
const PUSH_ACK: u8 = 0x18;
const GRE: u8 = 47;
const SCTP: u8 = 132;
/// Carries test frames (IEEE 802, local experimental).
const EXPERIMENTAL: u16 = 0x88b5;
const ARP: u16 = 0x0806;
/// Three no-operations and the end of the list.
const IP_OPTIONS: [u8; 4] = [1, 1, 1, 0];
/// MSS 1460, window scale 7, a no-operation.
const TCP_OPTIONS: [u8; 8] = [2, 4, 5, 0xb4, 3, 3, 7, 1];
/// What fits into an Ethernet frame behind the longest headers used here.
const DATA_MAX: usize = 1_440;

/// `count` frames, of each kind the same number; no two are equal.
pub fn strangers(ends: &Ends, count: usize) -> Vec<Vec<u8>> {
    let mut random = vec![0; DATA_MAX + 8 * 7];
    Pattern::default().fill(&mut random);
    (0..count)
        .map(|number| {
            // Odd lengths and even ones, from nothing to the largest.
            let length = number * 37 % (DATA_MAX - 3);
            let from = number % 50;
            let mut data = (number as u32).to_be_bytes().to_vec();
            data.extend_from_slice(&random[from..from + length]);
            stranger(ends, number, &data)
        })
        .collect()
}

/// What opens a connection of the service on TCP port 80.
pub fn opening_frame(ends: &Ends) -> Vec<u8> {
    let ip = Ip {
        source: ends.source,
        destination: VIP,
        protocol: TCP,
        id: 1,
        ttl: 64,
        fragment: DONT_FRAGMENT,
        options: &[],
    };
    let segment = ip.tcp((ends.source_port, 80), SYN, &TCP_OPTIONS, &[]);
    ipv4_frame(ends.to, ends.from, &ip.packet(&segment))
}

fn stranger(ends: &Ends, number: usize, data: &[u8]) -> Vec<u8> {
    let to = |destination, protocol| Ip {
        source: ends.source,
        destination,
        protocol,
        id: number as u16,
        ttl: 64,
        fragment: 0,
        options: &[],
    };
    let ports = (ends.source_port, PORT);
    let plain = |ip: Ip<'_>, payload: Vec<u8>| ipv4_frame(ends.to, ends.from, &ip.packet(&payload));
    let udp = |ip: Ip<'_>| plain(ip.clone(), ip.udp(ports, data));
    let tcp = |ip: Ip<'_>, flags| plain(ip.clone(), ip.tcp(ports, flags, &[], data));
    match number % KINDS {
        0 => udp(to(VIP, UDP)),
        1 => plain(to(VIP, UDP), udp_without_checksum(ports, data)),
        2 => tcp(to(VIP, TCP), SYN),
        3 => tcp(to(VIP, TCP), PUSH_ACK),
        4 => plain(to(VIP, ICMP), icmp_echo(data)),
        5 => udp(to(ends.director, UDP)),
        6 => tcp(to(ends.far, TCP), PUSH_ACK),
        7 => udp(to(ends.far, UDP)),
        8 => plain(to(ends.far, UDP), udp_without_checksum(ports, data)),
        9 => plain(to(ends.far, ICMP), icmp_echo(data)),
        10 => tcp(with_options(to(ends.far, TCP)), PUSH_ACK),
        11 => udp(with_options(to(VIP, UDP))),
        12 => {
            let ip = to(ends.far, TCP);
            plain(ip.clone(), ip.tcp(ports, SYN, &TCP_OPTIONS, data))
        }
        13 => plain(to(VIP, GRE), data.to_vec()),
        14 => plain(to(ends.far, SCTP), data.to_vec()),
        15..20 => plain(fragment(number, to, ends.far), data.to_vec()),
        20 => broken(plain(to(VIP, TCP), data.to_vec()), number),
        21 => cut_short(udp(to(VIP, UDP)), number),
        22 => frame(ends.to, ends.from, EXPERIMENTAL, data),
        23 => tcp(
            Ip {
                ttl: 1,
                ..to(ends.far, TCP)
            },
            SYN,
        ),
        24 => padded(udp(to(VIP, UDP)), data),
        _ => other_ports_of_services(ends, number, to, data),
    }
}

fn with_options(ip: Ip<'static>) -> Ip<'static> {
    Ip {
        options: &IP_OPTIONS,
        ..ip
    }
}

/// First, middle and last ones, to the host and beyond it. Those of TCP and UDP
/// to a VIP may be a service's.
fn fragment(number: usize, to: impl Fn(Ipv4Addr, u8) -> Ip<'static>, far: Ipv4Addr) -> Ip<'static> {
    let (destination, protocol, fragment) = match number % KINDS {
        15 => (far, ICMP, MORE_FRAGMENTS),
        16 => (far, UDP, MORE_FRAGMENTS | 185),
        17 => (far, UDP, 370),
        18 => (VIP, ICMP, MORE_FRAGMENTS),
        _ => (VIP, ICMP, 370),
    };
    Ip {
        fragment,
        ..to(destination, protocol)
    }
}

/// A wrong header checksum, or a header that says too much.
fn broken(mut frame: Vec<u8>, number: usize) -> Vec<u8> {
    match number / KINDS % 3 {
        0 => frame[24] ^= 0x55,
        1 => frame[14] = 0x4f,
        _ => frame[14] = 0x65,
    }
    frame
}

/// Ends within the IPv4 header, or within the one behind it.
fn cut_short(mut frame: Vec<u8>, number: usize) -> Vec<u8> {
    frame.truncate(15 + number / KINDS % 26);
    // What tells it from the others that end here.
    frame[6..10].copy_from_slice(&(number as u32 | 0x0200_0000).to_be_bytes());
    frame
}

/// A short packet in a frame that goes on behind it.
fn padded(mut frame: Vec<u8>, data: &[u8]) -> Vec<u8> {
    let room = DATA_MAX.saturating_sub(data.len()).min(18);
    frame.extend_from_slice(&[0xee; 18][..room]);
    frame
}

/// A service is a protocol, an address and a port; two of the three are none.
fn other_ports_of_services(
    ends: &Ends,
    number: usize,
    to: impl Fn(Ipv4Addr, u8) -> Ip<'static>,
    data: &[u8],
) -> Vec<u8> {
    let from = ends.source_port;
    let (ip, payload) = match number / KINDS % 5 {
        0 => (to(VIP, UDP), to(VIP, UDP).udp((from, 80), data)),
        1 => (to(VIP, TCP), to(VIP, TCP).tcp((from, 53), SYN, &[], data)),
        2 => {
            let ip = to(ends.director, TCP);
            (ip.clone(), ip.tcp((from, 80), SYN, &[], data))
        }
        3 => {
            let ip = Ip {
                fragment: DONT_FRAGMENT,
                ..to(ends.far, UDP)
            };
            (ip.clone(), ip.udp((from, 53), data))
        }
        _ => return frame([0xff; 6], ends.from, ARP, data),
    };
    ipv4_frame(ends.to, ends.from, &ip.packet(&payload))
}

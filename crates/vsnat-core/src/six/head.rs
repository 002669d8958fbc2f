//! What the path needs to know of an IPv6 packet.

use vsnat_abi::net::Be16;
use vsnat_abi::stand_in::Ip6;

use crate::Packet;
use crate::parse::{Part, SCTP, TCP, UDP, load16, load32};
use crate::six::{ETHERTYPE_IPV6, FRAGMENT_HEADER, ICMPV6};

/// Ethernet and IPv6.
const FRONT: usize = 54;
const FRONT_TYPE: usize = 14;
/// Headers between IPv6's and the transport's that are looked behind: each is
/// rare, and more than one rarer still.
const EXTENSIONS: u32 = 4;
const HOP_BY_HOP: u8 = 0;
const ROUTING: u8 = 43;
const DESTINATION: u8 = 60;
/// IPv4's flags.
const DF: u16 = 0x4000;
const MF: u16 = 0x2000;

pub(super) struct Head6 {
    pub src: Ip6,
    pub dst: Ip6,
    pub protocol: u8,
    pub class: u8,
    pub hops: u8,
    /// TCP's flags, or the first chunk of SCTP.
    pub flags: u8,
    /// Bytes from the start of the frame to the transport header.
    pub l4: u32,
    /// Length of transport header and payload.
    pub rest: u32,
    pub part: Part,
    /// As IPv4 writes it: flags and offset, and the datagram's number.
    pub fragment: u16,
    pub id: u16,
    pub src_port: Be16,
    pub dst_port: Be16,
}

/// Whether a packet that is no IPv4 one is IPv6.
#[inline(always)]
pub(crate) fn is_six<P: Packet>(packet: &mut P) -> bool {
    match packet.front::<FRONT_TYPE>() {
        Some(front) => load16(front, 12).bytes() == ETHERTYPE_IPV6,
        None => false,
    }
}

/// Where the headers in front of the transport's end.
struct Behind {
    next: u8,
    at: u32,
    part: Part,
    fragment: u16,
    id: u16,
}

/// `None` for everything that is not TCP, UDP, SCTP or ICMPv6 in IPv6, or is
/// cut short.
#[inline(always)]
pub(super) fn head<P: Packet>(packet: &mut P) -> Option<Head6> {
    let front = packet.front::<FRONT>()?;
    if load16(front, 12).bytes() != ETHERTYPE_IPV6 || front[14] >> 4 != 6 {
        return None;
    }
    let class = front[14] << 4 | front[15] >> 4;
    let (next, hops) = (front[20], front[21]);
    let end = FRONT as u32 + u32::from(load16(front, 18).host());
    let src = address(front, 22);
    let dst = address(front, 38);
    if end > packet.length() {
        return None;
    }
    let behind = extensions(packet, next)?;
    let protocol = behind.next;
    let least = match (protocol, behind.part) {
        (_, Part::Later) => 0,
        (TCP, _) => 20,
        (UDP | ICMPV6, _) => 8,
        (SCTP, _) => 16,
        (_, _) => return None,
    };
    if behind.at + least > end {
        return None;
    }
    let mut head = Head6 {
        src,
        dst,
        protocol,
        class,
        hops,
        flags: 0,
        l4: behind.at,
        rest: end - behind.at,
        part: behind.part,
        fragment: behind.fragment,
        id: behind.id,
        src_port: Be16::ZERO,
        dst_port: Be16::ZERO,
    };
    if head.part == Part::Later {
        return Some(head);
    }
    let ports = packet.load::<4>(head.l4)?;
    head.src_port = Be16::from_bytes([ports[0], ports[1]]);
    head.dst_port = Be16::from_bytes([ports[2], ports[3]]);
    let flags_at = match protocol {
        TCP => 13,
        SCTP => 12,
        _ => 0,
    };
    [head.flags] = packet.load::<1>(head.l4 + flags_at)?;
    Some(head)
}

#[inline(always)]
pub(super) fn address<const N: usize>(front: &[u8; N], at: usize) -> Ip6 {
    Ip6 {
        words: [
            load32(front, at).raw(),
            load32(front, at + 4).raw(),
            load32(front, at + 8).raw(),
            load32(front, at + 12).raw(),
        ],
    }
}

#[inline(always)]
fn extensions<P: Packet>(packet: &P, next: u8) -> Option<Behind> {
    let mut behind = Behind {
        next,
        at: FRONT as u32,
        part: Part::Whole,
        fragment: DF,
        id: 0,
    };
    for _ in 0..EXTENSIONS {
        match behind.next {
            HOP_BY_HOP | ROUTING | DESTINATION => {
                let [next, length, _, left] = packet.load::<4>(behind.at)?;
                if behind.next == ROUTING && left != 0 {
                    // Somebody else is to have it first.
                    return None;
                }
                behind.next = next;
                behind.at += 8 + u32::from(length) * 8;
            }
            FRAGMENT_HEADER => {
                let header = packet.load::<8>(behind.at)?;
                let field = u16::from_be_bytes([header[2], header[3]]);
                behind.next = header[0];
                behind.at += 8;
                behind.id = u16::from_be_bytes([header[6], header[7]]);
                behind.fragment = field >> 3 | if field & 1 != 0 { MF } else { 0 };
                if field >> 3 != 0 {
                    behind.part = Part::Later;
                    return Some(behind);
                }
                if field & 1 != 0 {
                    behind.part = Part::First;
                }
            }
            _ => return Some(behind),
        }
    }
    match behind.next {
        HOP_BY_HOP | ROUTING | DESTINATION | FRAGMENT_HEADER => None,
        _ => Some(behind),
    }
}

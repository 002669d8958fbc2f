//! A refusal in TCP's own words: a reset (RFC 9293 §3.10.7.1).
//!
//! Where `no_server_answer` asks for it, a client learns by it what an ICMP
//! message would tell him, through firewalls that let no ICMP pass. The packet
//! itself becomes the answer, as in [`icmp`](crate::icmp).

use vsnat_abi::counters::Reason;
use vsnat_abi::net::{Be16, Be32};

use crate::checksum::{fold16, fold32};
use crate::icmp::{allowed, back, turn_around};
use crate::parse::{ACK, ETH_LEN, FIN, Head, RST, SYN, TCP, load32, store16, store32};
use crate::rewrite::pseudo_sum;
use crate::{Packet, Tables, Verdict};

/// Ethernet, IPv4 and TCP, both without options.
const FRONT: usize = 54;
const IP_LEN: u32 = 20;
const TCP_LEN: u16 = 20;
const TTL: u8 = 64;
/// Version and header length; don't fragment.
const VERSION: u8 = 0x45;
const DF: u16 = 0x4000;
/// Header length of TCP without options, in its four bits.
const OFFSET: u8 = 0x50;

/// Turns the packet into a reset, if the limit allows one.
#[inline(always)]
pub(crate) fn answer<P: Packet, T: Tables>(packet: &mut P, tables: &mut T, head: &Head) -> Verdict {
    // A reset is never answered by another.
    if head.flags & RST != 0 {
        return Verdict::Drop;
    }
    if !allowed(tables) {
        tables.count(Reason::IcmpLimited);
        return Verdict::Drop;
    }
    if write(packet, head).is_none() {
        tables.count(Reason::Kernel);
        return Verdict::Drop;
    }
    tables.count(Reason::ResetSent);
    back(packet, tables, head)
}

#[inline(always)]
fn write<P: Packet>(packet: &mut P, head: &Head) -> Option<()> {
    let tcp = packet.load::<20>(head.l4)?;
    let (sequence, acknowledged) = (load32(&tcp, 4), load32(&tcp, 8));
    // A card that is yet to fill the checksum in will do so in the answer too,
    // but where the old header was.
    let is_partial = u16::from_ne_bytes([tcp[16], tcp[17]]) == pseudo_sum(head);
    if is_partial && head.l4 != ETH_LEN + IP_LEN {
        return None;
    }
    let (sequence, acknowledges, flags) = if head.flags & ACK != 0 {
        (acknowledged, Be32::ZERO, RST)
    } else {
        let next = sequence.host().wrapping_add(length_in_sequence(head));
        (Be32::ZERO, Be32::from_host(next), RST | ACK)
    };
    packet.truncate(FRONT as u32)?;
    let front = packet.front::<FRONT>()?;
    turn_around(front);
    write_ip(front, head);
    let words = [
        u32::from(head.key.dst_port.raw()) | u32::from(head.key.src_port.raw()) << 16,
        sequence.raw(),
        acknowledges.raw(),
        u32::from_ne_bytes([OFFSET, flags, 0, 0]),
        0,
    ];
    let mut at = ETH_LEN as usize + IP_LEN as usize;
    for word in words {
        store32(front, at, Be32::from_raw(word));
        at += 4;
    }
    let pseudo = pseudo(head);
    let checksum = if is_partial {
        fold16(fold32(pseudo))
    } else {
        !fold16(fold32(
            pseudo + words.iter().map(|word| u64::from(*word)).sum::<u64>(),
        ))
    };
    store16(front, 50, Be16::from_raw(checksum));
    Some(())
}

/// What a segment takes of the sequence's numbers.
#[inline(always)]
fn length_in_sequence(head: &Head) -> u32 {
    let payload = head.total.wrapping_sub(head.l4 - ETH_LEN + head.l4_len);
    let flag = |bit| u32::from(head.flags & bit != 0);
    payload.wrapping_add(flag(SYN)).wrapping_add(flag(FIN))
}

/// The sum of the answer's addresses, protocol and length.
#[inline(always)]
fn pseudo(head: &Head) -> u64 {
    u64::from(head.key.src.raw())
        + u64::from(head.key.dst.raw())
        + u64::from(u16::from(TCP).to_be())
        + u64::from(TCP_LEN.to_be())
}

#[inline(always)]
fn write_ip(front: &mut [u8; FRONT], head: &Head) {
    let (from, to) = (head.key.dst, head.key.src);
    let halves = [
        Be16::from_bytes([VERSION, head.tos]),
        Be16::from_host(IP_LEN as u16 + TCP_LEN),
        Be16::ZERO,
        Be16::from_host(DF),
        Be16::from_bytes([TTL, TCP]),
    ];
    let mut sum = u64::from(from.raw()) + u64::from(to.raw());
    let mut at = ETH_LEN as usize;
    for half in halves {
        store16(front, at, half);
        sum += u64::from(half.raw());
        at += 2;
    }
    store16(front, 24, Be16::from_raw(!fold16(fold32(sum))));
    store32(front, 26, from);
    store32(front, 30, to);
}

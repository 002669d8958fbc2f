//! Answers of our own: ICMP errors to the sender of a packet.
//!
//! The packet itself becomes the answer: it is cut to what is quoted, moved
//! back by 28 bytes, and sent out where it came in. The quote is what the
//! sender sent, since refusals come before the first changed byte.

use vsnat_abi::counters::Reason;
use vsnat_abi::net::{Be16, Be32};

use crate::checksum::fold16;
use crate::parse::{ETH_LEN, Head, SCTP, UDP, store16, store32};
use crate::six::is_stand_in;
use crate::{Packet, Tables, Verdict};

/// What the sender is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    pub kind: Kind,
    /// MTU of the next link, where the kind tells it.
    pub mtu: u16,
    /// Who says it: the VIP.
    pub from: Be32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// RFC 792, type 3 code 3: no server is left.
    PortUnreachable,
    /// RFC 1191, type 3 code 4, with the MTU of the next link.
    FragmentationNeeded,
    /// RFC 792, type 11 code 0.
    TimeExceeded,
}

impl Answer {
    /// Stands where there is nothing to say.
    pub(crate) const NONE: Answer = Answer::new(Kind::PortUnreachable, 0, Be32::ZERO);

    #[inline(always)]
    pub(crate) const fn new(kind: Kind, mtu: u16, from: Be32) -> Self {
        Answer { kind, mtu, from }
    }
}

/// Bytes quoted at most. RFC 792 asks for the IP header and eight more; this
/// holds the longest headers of both and keeps the sum within the verifier's
/// patience.
const QUOTE_MAX: u32 = 128;
const ROOM: usize = 28;
/// Ethernet, the new IP header and the ICMP header.
const FRONT: usize = 42;
/// Quoted words of four bytes that are summed.
const QUOTE_WORDS: u32 = QUOTE_MAX / 4;
/// Attempts to pass the limit while other CPUs do the same.
const LIMIT_ATTEMPTS: u32 = 3;
/// Precedence of network control, as the kernel's own errors carry.
const TOS: u8 = 0xc0;
const TTL: u8 = 64;
const ICMP: u8 = 1;

/// Turns the packet into the answer, if the limit allows one.
#[inline(always)]
pub(crate) fn answer<P: Packet, T: Tables>(
    packet: &mut P,
    tables: &mut T,
    head: &Head,
    answer: Answer,
) -> Verdict {
    if try_answer(packet, tables, head, &answer) {
        back(packet, tables, head)
    } else {
        Verdict::Drop
    }
}

/// Where an answer of ours leaves: where the packet came in.
#[inline(always)]
pub(crate) fn back<P: Packet, T: Tables>(packet: &P, tables: &T, head: &Head) -> Verdict {
    if let Some(settings) = tables.settings()
        && is_stand_in(settings, head.key.src)
    {
        return Verdict::Six;
    }
    Verdict::Redirect {
        ifindex: packet.ingress(),
    }
}

/// On the eBPF target a function of its own, with a stack frame of its own.
#[cfg_attr(target_arch = "bpf", inline(never))]
fn try_answer<P: Packet, T: Tables>(
    packet: &mut P,
    tables: &mut T,
    head: &Head,
    answer: &Answer,
) -> bool {
    if !allowed(tables) {
        tables.count(Reason::IcmpLimited);
        return false;
    }
    let written = write(packet, tables, head, *answer).is_some();
    tables.count_one_of(if written {
        Reason::IcmpSent
    } else {
        Reason::Kernel
    });
    written
}

/// A token bucket in one word: the moment when the next message is due. It may
/// lie ahead of now by the burst.
#[inline(always)]
pub(crate) fn allowed<T: Tables>(tables: &mut T) -> bool {
    let (Some(settings), Some(shared)) = (tables.settings(), tables.shared()) else {
        return false;
    };
    let now = tables.now_ns();
    for _ in 0..LIMIT_ATTEMPTS {
        let due = shared.icmp_due_ns();
        let start = if due > now { due } else { now };
        if start - now > settings.icmp_burst_ns() {
            return false;
        }
        if shared.change_icmp_due(due, start + settings.icmp_interval_ns()) {
            return true;
        }
    }
    false
}

#[inline(always)]
fn write<P: Packet, T: Tables>(
    packet: &mut P,
    tables: &mut T,
    head: &Head,
    answer: Answer,
) -> Option<()> {
    let quote = if head.total > QUOTE_MAX {
        QUOTE_MAX
    } else {
        head.total
    };
    packet.truncate(ETH_LEN + quote)?;
    let quoted = quoted_sum(packet, head, quote)?;
    packet.make_room::<ROOM>()?;
    let id = tables.random() as u16;
    let front = packet.front::<FRONT>()?;
    turn_around(front);
    write_ip(front, head, answer.from, quote, id);
    write_icmp(front, answer, quoted);
    Some(())
}

/// Sum of the quoted bytes as the receiver will see them.
///
/// A packet whose transport checksum is still to be filled in by a card (its
/// field holds the sum of the pseudo header) will be filled in on its way out,
/// quoted or not. The filled-in transport part then sums up to the complement
/// of that field, whatever it contains.
#[inline(always)]
fn quoted_sum<P: Packet>(packet: &P, head: &Head, quote: u32) -> Option<u16> {
    let l4_at = head.l4 - ETH_LEN;
    let header = sum(packet, ETH_LEN, l4_at)?;
    let field_at = head.l4 + if head.key.protocol == UDP { 6 } else { 16 };
    let field = u16::from_ne_bytes(packet.load::<2>(field_at)?);
    if head.key.protocol != SCTP && field == pseudo_sum(head, head.total - l4_at) {
        return Some(fold16(u32::from(header) + u32::from(!field)));
    }
    let rest = sum(packet, head.l4, quote - l4_at)?;
    Some(fold16(u32::from(header) + u32::from(rest)))
}

#[inline(always)]
fn pseudo_sum(head: &Head, l4_total: u32) -> u16 {
    let (src, dst) = (head.key.src.raw(), head.key.dst.raw());
    let length = u32::from((l4_total as u16).to_be());
    let protocol = u32::from(u16::from(head.key.protocol).to_be());
    fold16((src & 0xffff) + (src >> 16) + (dst & 0xffff) + (dst >> 16) + length + protocol)
}

/// One's-complement sum of `length` bytes, at most [`QUOTE_MAX`].
#[inline(always)]
fn sum<P: Packet>(packet: &P, from: u32, length: u32) -> Option<u16> {
    let mut sum = 0u32;
    let mut at = 0;
    for _ in 0..QUOTE_WORDS {
        if at + 4 > length {
            break;
        }
        let word = u32::from_ne_bytes(packet.load::<4>(from + at)?);
        sum += (word & 0xffff) + (word >> 16);
        at += 4;
    }
    if at + 2 <= length {
        sum += u32::from(u16::from_ne_bytes(packet.load::<2>(from + at)?));
        at += 2;
    }
    if at < length {
        let [last] = packet.load::<1>(from + at)?;
        sum += u32::from(u16::from_ne_bytes([last, 0]));
    }
    Some(fold16(sum))
}

/// Back to the neighbour that it came from.
#[inline(always)]
pub(crate) fn turn_around<const N: usize>(front: &mut [u8; N]) {
    for byte in 0..6 {
        front.swap(byte, byte + 6);
    }
}

#[inline(always)]
fn write_ip(front: &mut [u8; FRONT], head: &Head, from: Be32, quote: u32, id: u16) {
    let to = head.key.src;
    let total = (quote + ROOM as u32) as u16;
    store16(front, 14, Be16::from_bytes([0x45, TOS]));
    store16(front, 16, Be16::from_host(total));
    store16(front, 18, Be16::from_raw(id));
    store16(front, 20, Be16::ZERO);
    store16(front, 22, Be16::from_bytes([TTL, ICMP]));
    store32(front, 26, from);
    store32(front, 30, to);
    let halves = |word: Be32| (word.raw() & 0xffff) + (word.raw() >> 16);
    let sum = u32::from(Be16::from_bytes([0x45, TOS]).raw())
        + u32::from(Be16::from_host(total).raw())
        + u32::from(id)
        + u32::from(Be16::from_bytes([TTL, ICMP]).raw())
        + halves(from)
        + halves(to);
    store16(front, 24, Be16::from_raw(!fold16(sum)));
}

#[inline(always)]
fn write_icmp(front: &mut [u8; FRONT], answer: Answer, quoted: u16) {
    let kind_code = Be16::from_bytes(match answer.kind {
        Kind::PortUnreachable => [3, 3],
        Kind::FragmentationNeeded => [3, 4],
        Kind::TimeExceeded => [11, 0],
    });
    let mtu = Be16::from_host(answer.mtu);
    let sum = u32::from(kind_code.raw()) + u32::from(mtu.raw()) + u32::from(quoted);
    store16(front, 34, kind_code);
    store16(front, 36, Be16::from_raw(!fold16(sum)));
    store16(front, 38, Be16::ZERO);
    store16(front, 40, mtu);
}

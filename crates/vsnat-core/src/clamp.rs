//! Segments that fit: what a SYN announces is lowered where the service asks
//! for it, in both directions of its connections.
//!
//! It is for clients and servers that never hear of a link too narrow for them,
//! since somebody on the way drops ICMP. A SYN without the option is left as it
//! is: its sender takes the smallest segments anyway (RFC 9293 §3.7.1).

use vsnat_abi::service::{SEGMENT_AS_IT_IS, SEGMENT_BY_PATH};

use crate::checksum::fold16;
use crate::find::Found;
use crate::leave::stays;
use crate::parse::Head;
use crate::{Checksum, Loop, Packet, Round, RouteQuery, Tables};

/// Headers of IPv4 and TCP without options.
const HEADERS: u16 = 40;
const TCP_LEN: u32 = 20;
const TCP_CHECKSUM: u32 = 16;
/// Bytes of options that a TCP header has room for.
const OPTIONS: u32 = 40;

/// Kinds of options (RFC 9293 §3.1).
const END: u8 = 0;
const NO_OPERATION: u8 = 1;
const SEGMENT: u8 = 2;
const SEGMENT_LEN: u8 = 4;

/// Lowers the segment size that a SYN of a connection announces by an option.
/// `None`: the kernel refused, and the packet may be half changed.
#[inline(always)]
pub(crate) fn clamp<P: Packet, T: Tables>(
    packet: &mut P,
    tables: &T,
    head: &Head,
    found: &Found,
    option: u32,
) -> Option<()> {
    if option == 0 {
        return Some(());
    }
    let limit = limit(packet, tables, head, found);
    if limit == u16::MAX {
        return Some(());
    }
    let at = option + 2;
    let announced = u16::from_be_bytes(packet.load::<2>(at)?);
    if announced <= limit {
        return Some(());
    }
    packet.store(at, limit.to_be_bytes())?;
    let (old, new) = match (at - head.l4) & 1 {
        0 => (announced.to_be(), limit.to_be()),
        // Half of it stands in each of two words.
        _ => (announced.to_be().swap_bytes(), limit.to_be().swap_bytes()),
    };
    let difference = u32::from(fold16(u32::from(!old) + u32::from(new)));
    let field = head.l4 + TCP_CHECKSUM;
    packet.patch_checksum(field, head.key.protocol, difference, Checksum::Data)
}

/// The largest segment of the service's connections.
#[inline(always)]
fn limit<P: Packet, T: Tables>(packet: &mut P, tables: &T, head: &Head, found: &Found) -> u16 {
    let asked = asked(tables, found);
    if asked == SEGMENT_AS_IT_IS {
        return u16::MAX;
    }
    if asked != SEGMENT_BY_PATH {
        return asked as u16;
    }
    let mut there = found.other.reversed();
    if stays(&head.key, &there)
        && let Some(server) = tables.dest(found.slot.dest())
    {
        there.dst = server.address();
    }
    let (there, back) = (
        packet.mtu(&query(head, &there)),
        packet.mtu(&query(head, &head.key.reversed())),
    );
    let mtu = if there < back { there } else { back };
    match mtu {
        u16::MAX => u16::MAX,
        mtu => mtu.saturating_sub(HEADERS),
    }
}

#[inline(always)]
fn asked<T: Tables>(tables: &T, found: &Found) -> u32 {
    let Some(dest) = tables.dest(found.slot.dest()) else {
        return SEGMENT_AS_IT_IS;
    };
    let Some(index) = tables.find_service(&dest.service()) else {
        return SEGMENT_AS_IT_IS;
    };
    let Some(service) = tables.service(index) else {
        return SEGMENT_AS_IT_IS;
    };
    service.segment()
}

#[inline(always)]
fn query(head: &Head, key: &vsnat_abi::flow::FlowKey4) -> RouteQuery {
    RouteQuery {
        protocol: key.protocol,
        tos: head.tos,
        src: key.src,
        dst: key.dst,
        src_port: key.src_port,
        dst_port: key.dst_port,
    }
}

/// The place in the frame of the option that announces a segment size; 0 if
/// there is none.
///
/// Asked for first of all: the verifier follows the search once for each way
/// that leads to it.
#[inline(always)]
pub(crate) fn option<P: Packet, T: Tables>(packet: &P, tables: &mut T, head: &Head) -> u32 {
    let first = head.l4 + TCP_LEN;
    let length = head.l4_len.wrapping_sub(TCP_LEN);
    let mut search = Search {
        words: [0; WORDS],
        at: tables.zero(),
        length: u64::from(length),
        found: 0,
    };
    for (place, word) in search.words.iter_mut().enumerate().take(OPTION_WORDS) {
        let offset = 4 * place as u32;
        if offset >= length {
            break;
        }
        let Some(bytes) = packet.load::<4>(first + offset) else {
            break;
        };
        *word = u32::from_ne_bytes(bytes);
    }
    let search = tables.repeat(OPTIONS, search);
    match search.found {
        0 => 0,
        _ => first + search.at as u32,
    }
}

/// Forty bytes, in words.
const OPTION_WORDS: usize = OPTIONS as usize / 4;
/// A power of two above it: a place is known to be within by its low bits.
const WORDS: usize = 16;

/// The search for an option.
#[repr(C)]
struct Search {
    words: [u32; WORDS],
    /// Where it is, from the first option.
    at: u64,
    length: u64,
    found: u64,
}

impl Search {
    #[inline(always)]
    fn byte(&self, at: u64) -> u8 {
        let word = self.words[(at >> 2) as usize & (WORDS - 1)];
        (u32::from_le(word) >> (8 * (at & 3))) as u8
    }
}

impl<T: Tables> Loop<T> for Search {
    #[inline(always)]
    fn round(&mut self, _tables: &mut T, _index: u32) -> Round {
        if self.at + u64::from(SEGMENT_LEN) > self.length {
            return Round::Last;
        }
        let (kind, length) = (self.byte(self.at), self.byte(self.at + 1));
        if kind == SEGMENT && length == SEGMENT_LEN {
            self.found = 1;
            return Round::Last;
        }
        if kind == NO_OPERATION {
            self.at += 1;
            return Round::Next;
        }
        if kind == END || length < 2 {
            return Round::Last;
        }
        self.at += u64::from(length);
        Round::Next
    }
}

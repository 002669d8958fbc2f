//! Next hops: where a translated packet leaves the director.
//!
//! A small open table shared by all connections. Every word of an entry that a
//! packet needs carries the entry's tag, and the slot names index and tag
//! together: an entry given to another neighbour is noticed, never followed.

use crate::time::Coarse;

/// Entries of the table: neighbours in use at a time, clients on the outer
/// link and real servers. Beyond it packets leave by the kernel's own lookup.
pub const HOPS: u32 = 4_096;

/// Entries looked at for one neighbour.
pub const HOP_PROBES: u32 = 4;

/// No next hop is known.
pub const NO_HOP: u32 = u32::MAX;

/// No next hop, but the host itself: the packets of a connection on which the
/// daemon stands between client and server. Its index is beyond the table, so
/// whoever looks for the entry finds none.
pub const TO_HOST: u32 = 0xffff_fffe;

const _: () = assert!(hop_index(TO_HOST) >= HOPS);

/// No next hop, but a stand-in, which has one of its own: the packet is to
/// become an IPv6 one. Its index is beyond the table too.
pub const TO_SIX: u32 = 0xffff_fffd;

const _: () = assert!(hop_index(TO_SIX) >= HOPS);

/// The mark of a packet that is to reach the host's own stack whatever its
/// destination: by it the daemon's rules lead there. High bits, since the low
/// ones are what others give away first.
pub const TO_HOST_MARK: u32 = 0x5653_0000;

/// An entry that nobody refreshed for so long (about 60 s) may be taken.
pub const HOP_IDLE: Coarse = 447;

/// After so long (about 1 s) an entry is asked from the kernel again.
pub const HOP_FRESH: Coarse = 8;

/// After so long (about 4 s) a flow asks for its own way again, however fresh
/// the neighbour's entry is: the route may lead elsewhere by now.
pub const WAY_FRESH: Coarse = 30;

/// Remembered clients. Two that fall on one entry take turns in it.
pub const CLIENT_WAYS: u32 = 4_096;

/// The next hop of a client seen lately: what a new connection starts with.
/// Written by the packet path.
#[repr(C, align(8))]
#[derive(Clone, Copy, Debug, Default)]
pub struct ClientWay {
    /// The client's address in the high half, the name of its hop in the low.
    pub way: u64,
    /// When it was asked.
    pub asked: u64,
}

const _: () = assert!(size_of::<ClientWay>() == 16);

/// One neighbour. Written by the packet path.
#[repr(C, align(8))]
#[derive(Clone, Copy, Debug, Default)]
pub struct Hop {
    /// Interface index (low half) and address of the neighbour; 0: free.
    pub identity: u64,
    /// Destination MAC in the low 48 bits, tag above.
    pub dst_mac: u64,
    /// Source MAC in the low 48 bits, tag above.
    pub src_mac: u64,
    /// Interface index, MTU (16 bits), tag.
    pub link: u64,
    /// When it was asked (coarse), generation of the daemon's settings (16
    /// bits), tag.
    pub asked: u64,
}

const _: () = assert!(size_of::<Hop>() == 40);

/// The name a slot keeps: index in the low half, tag in the high half.
#[inline(always)]
pub const fn hop_name(index: u32, tag: u16) -> u32 {
    index & 0xffff | (tag as u32) << 16
}

#[inline(always)]
pub const fn hop_index(name: u32) -> u32 {
    name & 0xffff
}

#[inline(always)]
pub const fn hop_tag(name: u32) -> u16 {
    (name >> 16) as u16
}

/// Tag of a word of an entry.
#[inline(always)]
pub const fn word_tag(word: u64) -> u16 {
    (word >> 48) as u16
}

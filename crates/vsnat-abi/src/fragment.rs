//! Datagrams that travel in pieces: only the first has ports, so where it went
//! is remembered for the others.

use crate::net::{Be16, Be32};

/// Datagrams remembered at a time; the one that was not asked for longest makes
/// room. The pieces of one follow each other within moments, so this is many
/// times what is under way on a link of 10 Gbit/s.
pub const FRAGMENTS: u32 = 8_192;

/// What the pieces of one datagram have in common (RFC 791 §3.2). Its value is
/// the [`crate::flow::FlowRef`] of its connection, maybe with [`DIVIDED`], or
/// [`FOREIGN`].
#[repr(C, align(4))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FragmentKey4 {
    pub src: Be32,
    pub dst: Be32,
    pub id: Be16,
    /// IP protocol number.
    pub protocol: u8,
    pub zero: u8,
}

const _: () = assert!(size_of::<FragmentKey4>() == 12);

/// The datagram belongs to no connection: its pieces are the host's.
pub const FOREIGN: u64 = u64::MAX - 1;

/// The first piece was too large for the next link, and the host divides it: so
/// the others are the host's too. A bit that no reference has.
pub const DIVIDED: u64 = 1 << 62;

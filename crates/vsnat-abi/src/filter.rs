//! The first question about a packet: can it be ours at all?
//!
//! A bitmap of hashed addresses, one for the VIPs and one for the servers. A
//! clear bit proves that a packet has no flow and no service, for the price of
//! one load; a set bit proves nothing.

use crate::net::Be32;

/// Bits of a filter, as a power of two.
pub const FILTER_BITS_LOG2: u32 = 16;

pub const FILTER_WORDS: usize = 1 << (FILTER_BITS_LOG2 - 6);

/// Element of the filter map that holds the VIPs.
pub const FILTER_VIPS: u32 = 0;
/// Element of the filter map that holds the servers.
pub const FILTER_SERVERS: u32 = 1;

/// One bitmap. Written by the daemon; bits are set before they are needed and
/// cleared when nothing refers to them any more.
#[repr(C, align(8))]
#[derive(Clone, Copy, Debug)]
pub struct Filter {
    pub words: [u64; FILTER_WORDS],
}

const _: () = assert!(size_of::<Filter>() == 8_192);

/// Word and bit of an address.
#[inline(always)]
pub const fn filter_place(address: Be32) -> (usize, u32) {
    let hash = address.raw().wrapping_mul(0x9e37_79b1) >> (32 - FILTER_BITS_LOG2);
    ((hash >> 6) as usize, hash & 63)
}

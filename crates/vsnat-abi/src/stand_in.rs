//! Stand-ins: the IPv4 addresses that IPv6 addresses go by inside the director.
//!
//! An IPv6 packet wears an IPv4 header while it is in the packet path, and its
//! addresses are out of a pool that nobody routes. What stands for what, both
//! sides may ask: a hash table leads from the address to its place in the pool,
//! an array from the place to the address. The array has the way out too: it is
//! the next hop of everybody whose address it is.

use crate::net::Be32;
use crate::time::Coarse;

/// Addresses that can be stood in for at a time, and so places of the array:
/// those of the default pool. They take 8 MB.
pub const STAND_INS: u32 = 1 << 17;

/// The first address of a pool stands for nobody: it looks like a network's.
pub const FIRST_STAND_IN: u32 = 1;

/// The pool unless another is set: 198.18.0.0/15, which RFC 2544 gave to
/// benchmarks of devices like this one. Operating systems take it for plain
/// unicast, unlike 240.0.0.0/4, and nobody routes it, unlike private networks.
pub const POOL: [u8; 4] = [198, 18, 0, 0];
pub const POOL_PREFIX_BITS: u32 = 15;

/// Words of the prefix by which IPv4 addresses are written as IPv6 ones unless
/// another is set: 64:ff9b::/96 (RFC 6052).
pub const WELL_KNOWN_PREFIX: [u8; 12] = [0, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0];

/// An IPv6 address, as it lies in a packet.
#[repr(C, align(4))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ip6 {
    pub words: [u32; 4],
}

const _: () = assert!(size_of::<Ip6>() == 16);

impl Ip6 {
    pub const fn from_bytes(bytes: [u8; 16]) -> Ip6 {
        // SAFETY: any sixteen bytes are an address.
        unsafe { core::mem::transmute(bytes) }
    }

    pub const fn bytes(self) -> [u8; 16] {
        // SAFETY: sixteen bytes without padding.
        unsafe { core::mem::transmute(self) }
    }

    /// All of it in one word, as IPVS folds it for its hashes.
    #[inline(always)]
    pub const fn folded(&self) -> Be32 {
        let [a, b, c, d] = self.words;
        Be32::from_raw(a ^ b ^ c ^ d)
    }

    /// Word by word: comparing byte arrays would call `memcmp`.
    #[inline(always)]
    pub const fn is(&self, other: &Ip6) -> bool {
        self.words[0] == other.words[0]
            && self.words[1] == other.words[1]
            && self.words[2] == other.words[2]
            && self.words[3] == other.words[3]
    }
}

/// One place of the pool. Written by whoever takes the place, and from then on
/// by the packet path.
#[repr(C, align(64))]
#[derive(Clone, Copy, Debug, Default)]
pub struct StandIn {
    /// Whom it stands for.
    pub address: Ip6,
    /// When a packet of it was seen last.
    pub touched: Coarse,
    /// 1 from when it is taken until it is free again.
    pub taken: u32,
    /// The next hop towards it: the neighbour's MAC and ours.
    pub dst_mac: u64,
    pub src_mac: u64,
    /// Interface index, and the link's MTU in the high half.
    pub link: u64,
    /// When it was asked (coarse), and generation of the daemon's settings in
    /// the high half. 0: never.
    pub asked: u64,
    pub zero2: u64,
}

const _: () = assert!(size_of::<StandIn>() == 64);

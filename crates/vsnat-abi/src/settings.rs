//! What the daemon may change while packets pass.

use crate::slot::state;
use crate::time::{Coarse, coarse_span_from_ms};

/// The only element of the settings map. Written by the daemon.
#[repr(C, align(8))]
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Timeout of each state, in coarse units; see [`state`].
    pub timeouts: [Coarse; state::COUNT],
    /// Denied prefixes in force: zero spares established packets the look-up.
    pub denied: u32,
    /// Grows with every event that may change a next hop.
    pub hop_generation: u32,
    /// Mean distance of the ICMP messages we generate.
    pub icmp_interval_ns: u64,
    /// How far ahead of that mean a burst may run.
    pub icmp_burst_ns: u64,
    /// Timeout of connections without an answer while the table is short.
    pub embryonic: Coarse,
    /// Free slots that a CPU takes at a time, at most [`crate::table::STASH_SIZE`]:
    /// what it holds, no other CPU can use.
    pub stash_refill: u32,
}

const _: () = assert!(size_of::<Settings>() == 96);

/// 1,000 a second, as the kernel's own `icmp_msgs_per_sec`.
pub const ICMP_INTERVAL_NS: u64 = 1_000_000;
/// A burst of 50, as the kernel's own `icmp_msgs_burst`.
pub const ICMP_BURST_NS: u64 = 50 * ICMP_INTERVAL_NS;
/// A SYN that met no answer within 3 s is as good as lost: its first
/// retransmission is due after one second, its second after three.
pub const EMBRYONIC_MS: u64 = 3_000;

/// IPVS's timeouts in milliseconds, in the order of [`state`].
pub const DEFAULT_TIMEOUTS_MS: [u64; state::COUNT] = [
    2_000, 900_000, 120_000, 60_000, 120_000, 120_000, 10_000, 60_000, 30_000, 120_000, 120_000,
    300_000, 2_000, 2_000, 2_000, 2_000,
];

impl Default for Settings {
    fn default() -> Self {
        Settings {
            timeouts: DEFAULT_TIMEOUTS_MS.map(coarse_span_from_ms),
            denied: 0,
            hop_generation: 0,
            icmp_interval_ns: ICMP_INTERVAL_NS,
            icmp_burst_ns: ICMP_BURST_NS,
            embryonic: coarse_span_from_ms(EMBRYONIC_MS),
            stash_refill: 1,
        }
    }
}

/// Key of the deny map, in the form of the kernel's longest-prefix-match trie.
#[repr(C, align(4))]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DenyKey {
    pub prefix_bits: u32,
    pub address: crate::net::Be32,
}

const _: () = assert!(size_of::<DenyKey>() == 8);

/// Most prefixes of the deny map, the director's own networks included.
pub const MAX_DENY: u32 = 65_536;

/// Values of the deny map, as bits.
pub mod deny {
    /// The administrator refuses these sources.
    pub const DENIED: u32 = 1;
    /// These sources cannot come from the outer side.
    pub const MARTIAN: u32 = 2;
}

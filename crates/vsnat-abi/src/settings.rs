//! What the daemon may change while packets pass.

use crate::slot::state;
use crate::stand_in::{POOL, POOL_PREFIX_BITS, WELL_KNOWN_PREFIX};
use crate::time::{Coarse, coarse_span_from_ms};

/// The only element of the settings map. Written by the daemon.
#[repr(C, align(8))]
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Timeout of each state, in coarse units; see [`state`]. Those of SCTP
    /// come behind the others.
    pub timeouts: [Coarse; TIMEOUTS],
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
    /// The marking rules in force; see [`crate::mark::mark_list`].
    pub marks: u32,
    /// Bits of [`flag`].
    pub flags: u32,
    /// Small numbers; see [`mode`].
    pub modes: u32,
    /// One of so many new connections is dropped under `drop_packet` 3.
    pub am_droprate: u32,
    /// An unused entry of `lblc` is forgotten after so long.
    pub lblc_expiration: Coarse,
    /// A set of `lblcr` that did not change for so long loses a server.
    pub lblcr_expiration: Coarse,
    /// Source ports of the masquerade that services on all ports leave alone,
    /// in the host's order: first and last. None: the first is the larger one.
    pub first_spared: u16,
    pub last_spared: u16,
    /// Cells of the map of recent flows less one: they are a power of two.
    pub recent_mask: u32,
    /// The pool of stand-ins, as it lies in a packet: its network and its mask.
    pub pool: u32,
    pub pool_mask: u32,
    /// By which IPv4 addresses are written as IPv6 ones.
    pub prefix6: [u32; 3],
    /// Denied IPv6 prefixes in force.
    pub denied6: u32,
}

const _: () = assert!(size_of::<Settings>() == 216);

/// Timeouts of TCP, UDP and templates, and of SCTP.
pub const TIMEOUTS: usize = 2 * state::COUNT;

/// Switches.
pub mod flag {
    pub const EXPIRE_NODEST_CONN: u32 = 1;
    pub const EXPIRE_QUIESCENT_TEMPLATE: u32 = 1 << 1;
    pub const SLOPPY_TCP: u32 = 1 << 2;
    pub const SLOPPY_SCTP: u32 = 1 << 3;
    pub const NAT_ICMP_SEND: u32 = 1 << 4;
    pub const PORT_ZERO_SPARES_LOCAL: u32 = 1 << 5;
    pub const ONE_PACKET_ANSWERS: u32 = 1 << 6;
    /// Not read by the packet path: services on FTP's port have its helper.
    pub const FTP_HELPER: u32 = 1 << 7;
    /// Not switches: what there is, so that nothing else need be asked.
    pub const HAS_PORT_ZERO: u32 = 1 << 16;
    pub const HAS_FTP: u32 = 1 << 17;
    pub const HAS_ONE_PACKET: u32 = 1 << 18;
    /// Services with a helper: connections may be expected.
    pub const HAS_HELPER: u32 = 1 << 19;
    /// Stand-ins: IPv6 packets may be ours.
    pub const HAS_SIX: u32 = 1 << 24;
}

/// Numbers from 0 to 3 in [`Settings::modes`], by their shift.
pub mod mode {
    pub const CONN_REUSE: u32 = 0;
    pub const DROP_ENTRY: u32 = 2;
    pub const DROP_PACKET: u32 = 4;
    pub const SECURE_TCP: u32 = 6;
    /// One of [`super::no_server`].
    pub const NO_SERVER_ANSWER: u32 = 8;
    pub const MASK: u32 = 3;
    pub const ALWAYS: u32 = 3;
}

/// What a client is told whose service has no server left.
pub mod no_server {
    /// ICMP port unreachable, as in IPVS.
    pub const ICMP: u32 = 0;
    /// TCP: a reset; others: as above.
    pub const RESET: u32 = 1;
    pub const SILENCE: u32 = 2;
}

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

/// The same for SCTP, in the order of its states. Its retransmissions are never
/// more than 60 s apart (RFC 9260, section 16): whoever was silent for longer
/// has given up. The first INIT is repeated after 3 s or less.
pub const DEFAULT_SCTP_TIMEOUTS_MS: [u64; state::COUNT] = [
    2_000, 4_000, 61_000, 61_000, 61_000, 61_000, 61_000, 61_000, 900_000, 61_000, 61_000, 61_000,
    4_000, 61_000, 2_000, 2_000,
];

/// One of ten, and a day, as IPVS.
pub const AM_DROPRATE: u32 = 10;
pub const LOCALITY_EXPIRATION_MS: u64 = 24 * 60 * 60 * 1_000;

/// While a template has connections it is looked at again after so long.
pub const TEMPLATE_AGAIN_MS: u64 = 60_000;

const fn default_timeouts() -> [Coarse; TIMEOUTS] {
    let mut timeouts = [0; TIMEOUTS];
    let mut state = 0;
    while state < state::COUNT {
        timeouts[state] = coarse_span_from_ms(DEFAULT_TIMEOUTS_MS[state]);
        timeouts[state::COUNT + state] = coarse_span_from_ms(DEFAULT_SCTP_TIMEOUTS_MS[state]);
        state += 1;
    }
    timeouts
}

/// A prefix of 96 bits as it lies in a packet.
pub const fn prefix_words(bytes: [u8; 12]) -> [u32; 3] {
    // SAFETY: twelve bytes are three words.
    unsafe { core::mem::transmute(bytes) }
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            timeouts: default_timeouts(),
            denied: 0,
            hop_generation: 0,
            icmp_interval_ns: ICMP_INTERVAL_NS,
            icmp_burst_ns: ICMP_BURST_NS,
            embryonic: coarse_span_from_ms(EMBRYONIC_MS),
            stash_refill: 1,
            marks: 0,
            flags: flag::PORT_ZERO_SPARES_LOCAL | flag::ONE_PACKET_ANSWERS,
            modes: 1 << mode::CONN_REUSE,
            am_droprate: AM_DROPRATE,
            lblc_expiration: coarse_span_from_ms(LOCALITY_EXPIRATION_MS),
            lblcr_expiration: coarse_span_from_ms(LOCALITY_EXPIRATION_MS),
            first_spared: 1,
            last_spared: 0,
            recent_mask: 0,
            pool: u32::from_ne_bytes(POOL),
            pool_mask: (u32::MAX << (32 - POOL_PREFIX_BITS)).to_be(),
            prefix6: prefix_words(WELL_KNOWN_PREFIX),
            denied6: 0,
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

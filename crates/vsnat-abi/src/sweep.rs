//! The sweeper: what it is told and what it tells.

/// Report and position of the sweeper. Written by it alone, but for the longest
/// tick, which a measurement sets to zero before it begins.
#[repr(C, align(8))]
#[derive(Clone, Copy, Debug, Default)]
pub struct Sweep {
    /// Version of the program that ticks.
    pub version: u64,
    pub ticks: u64,
    /// Next slot to look at.
    pub cursor: u64,
    /// Live connections met in the pass that is under way.
    pub live: u64,
    /// Live connections met in the last whole pass.
    pub live_last_pass: u64,
    pub passes: u64,
    pub expired: u64,
    pub freed: u64,
    pub longest_tick_ns: u64,
    pub last_tick_ns: u64,
    /// Always zero. Sums that start from it are unknown to the verifier, which
    /// would follow each round of a loop apart if it knew them.
    pub zero: u64,
}

const _: () = assert!(size_of::<Sweep>() == 88);

/// Slots looked at in one tick: about 180 µs on an idle table.
pub const TICK_SLOTS: u32 = 16_384;
/// Connections unlinked in one tick, which runs in softirq.
pub const TICK_UNLINKS: u32 = 512;
/// A tick that lasted so long leaves the rest to the next one.
pub const TICK_NS_MAX: u64 = 300_000;
/// Distance of the ticks: a table of a million slots is passed in 1.3 s.
pub const TICK_INTERVAL_NS: u64 = 20_000_000;
/// While the sweeper is behind it rests so many times as long as it worked: it
/// then takes a quarter of one CPU.
pub const CATCH_UP_REST: u64 = 3;
/// The same while the table is short of room: a twelfth of one CPU, so that
/// established traffic there keeps nine tenths of its throughput under a flood
/// that fills the table.
pub const CATCH_UP_REST_SHORT: u64 = 11;
/// Above this share of the capacity, in percent, connections without an answer
/// get the short timeout.
pub const PRESSURE_PERCENT: u64 = 80;
/// A slot rests for a second (in coarse units) before its index is used again.
pub const REST: u32 = 8;

//! Everything that crosses the boundary between the kernel and the daemon.
//!
//! Map keys, map values and limits, and nothing else. All types are
//! `#[repr(C)]`, made of integers only, without padding: both sides may read
//! any bit pattern. [`ABI_VERSION`] changes with every change of a layout or
//! of the meaning of a field; state pinned by another version is refused.

#![no_std]

pub mod counters;
pub mod decision;
pub mod destination;
pub mod expected;
pub mod filter;
pub mod flow;
pub mod fragment;
pub mod hop;
pub mod link;
pub mod locality;
pub mod mark;
pub mod net;
pub mod service;
pub mod settings;
pub mod slot;
pub mod stand_in;
pub mod sweep;
pub mod table;
pub mod time;

/// Version of every layout in this crate.
pub const ABI_VERSION: u32 = 6;

/// Places of the step map: the programs that go on where another one ends.
pub mod step {
    /// The clients' side: what becomes of a packet that has no connection.
    pub const OUTER_CHOOSE: u32 = 0;
    /// The clients' side: a connection is opened.
    pub const OUTER_OPEN: u32 = 1;
    /// The clients' side: a packet of a connection goes to its server.
    pub const OUTER_SEND: u32 = 2;
    /// The clients' side: a packet goes to a server without a connection.
    pub const OUTER_ALONE: u32 = 3;
    /// The clients' side: an ICMP error.
    pub const OUTER_ERROR: u32 = 4;
    /// The servers' side: an ICMP error.
    pub const INNER_ERROR: u32 = 5;
    /// The servers' side: a fragment.
    pub const INNER_PART: u32 = 6;
    /// The clients' side: a fragment.
    pub const OUTER_PART: u32 = 7;
    /// The clients' side: a sender is told that his packet is refused.
    pub const OUTER_REFUSE: u32 = 8;
    /// The servers' side: a packet that has no connection, or cannot go on.
    pub const INNER_REST: u32 = 9;
    /// The servers' side: a connection that may be an expected one.
    pub const INNER_EXPECTED: u32 = 10;
    /// The clients' side: the same.
    pub const OUTER_EXPECTED: u32 = 11;
    /// Either side: a packet goes to the daemon.
    pub const HAND_OVER: u32 = 12;
    /// An IPv6 packet from the clients.
    pub const OUTER_SIX: u32 = 20;
    /// An IPv6 packet from the servers.
    pub const INNER_SIX: u32 = 21;
    /// An ICMPv6 error from the clients.
    pub const OUTER_SIX_ERROR: u32 = 22;
    /// An ICMPv6 error from the servers.
    pub const INNER_SIX_ERROR: u32 = 23;
    /// A packet becomes an IPv6 one and leaves.
    pub const SIX_OUT: u32 = 24;
    /// An ICMP error becomes an ICMPv6 one and leaves.
    pub const SIX_ERROR_OUT: u32 = 25;
    /// The first programs of both sides, for what came in as IPv6.
    pub const OUTER: u32 = 26;
    pub const INNER: u32 = 27;
    pub const COUNT: u32 = 28;
}

/// Names of the maps, as the programs declare them and as they are pinned.
pub mod map {
    pub const FLOWS4: &str = "FLOWS4";
    pub const RECENT: &str = "RECENT";
    pub const SLOTS: &str = "SLOTS";
    pub const FREE: &str = "FREE";
    pub const STASH: &str = "STASH";
    pub const SHARED: &str = "SHARED";
    pub const SERVICE_KEYS: &str = "SERVICE_KEYS";
    pub const SERVER_KEYS: &str = "SERVER_KEYS";
    pub const SERVICES: &str = "SERVICES";
    pub const VIEWS: &str = "VIEWS";
    pub const CURSORS: &str = "CURSORS";
    pub const RING: &str = "RING";
    pub const DESTS: &str = "DESTS";
    pub const DEST_COUNTS: &str = "DEST_COUNTS";
    pub const DEST_STATS: &str = "DEST_STATS";
    pub const HOPS: &str = "HOPS";
    pub const CLIENT_WAYS: &str = "CLIENT_WAYS";
    pub const SETTINGS: &str = "SETTINGS";
    pub const MARKS: &str = "MARKS";
    pub const LOCALITY: &str = "LOCALITY";
    pub const FRAGMENTS: &str = "FRAGMENTS";
    pub const FILTERS: &str = "FILTERS";
    pub const DENY: &str = "DENY";
    pub const COUNTERS: &str = "COUNTERS";
    pub const SWEEP: &str = "SWEEP";
    pub const EXPECTED: &str = "EXPECTED";
    pub const DECISION: &str = "DECISION";
    pub const STEPS: &str = "STEPS";
    pub const SWEEP_TIMER: &str = "SWEEP_TIMER";
    pub const LINKS: &str = "LINKS";
    pub const INFO: &str = "INFO";
    pub const ADDRESSES6: &str = "ADDRESSES6";
    pub const STAND_INS: &str = "STAND_INS";
    pub const FREE6: &str = "FREE6";
    pub const DENY6: &str = "DENY6";
}

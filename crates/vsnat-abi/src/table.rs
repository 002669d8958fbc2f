//! Bookkeeping of the connection table and of the pinned state as a whole.

/// Free slot indices that one CPU holds, so that opening meets no lock.
pub const STASH_SIZE: usize = 16;

/// Indices taken from the queue at a time, where the table is large.
pub const STASH_REFILL: u32 = 8;

/// All CPUs together hold no more than this part of the table.
pub const STASH_SHARE: u32 = 16;

/// One CPU's free slots. Written by the packet path.
#[repr(C, align(8))]
#[derive(Clone, Copy, Debug)]
pub struct Stash {
    pub count: u32,
    pub zero: u32,
    pub slots: [u32; STASH_SIZE],
}

const _: () = assert!(size_of::<Stash>() == 72);

/// Words that all CPUs change, each on a cache line of its own.
#[repr(C, align(64))]
#[derive(Clone, Copy, Debug)]
pub struct Shared {
    /// The first slot that was never used: the sweeper looks no further.
    pub fresh: u64,
    pub zero: [u64; 7],
    /// When the next generated ICMP message is due, in ns.
    pub icmp_due_ns: u64,
    /// New connections that `drop_packet` looked at.
    pub drop_count: u64,
    /// Of so many new connections one is too many; 0 while the table has room.
    /// Written by the sweeper.
    pub drop_rate: u64,
    pub zero2: [u64; 5],
    /// The time in coarse units, as the sweeper last told it: packets need it no
    /// finer than its ticks, and asking the kernel costs a tenth of a packet.
    pub now: u64,
    /// The first stand-in that was never used.
    pub fresh_stand_in: u64,
    pub zero3: [u64; 6],
}

const _: () = assert!(size_of::<Shared>() == 192);

/// What the pinned state was made for. Written once, by the daemon that made it.
#[repr(C, align(8))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Info {
    /// [`crate::ABI_VERSION`]; zero while the state is being made.
    pub abi_version: u32,
    pub connections: u32,
    pub services: u32,
    pub servers: u32,
    pub ring_entries: u32,
    pub zero: u32,
}

const _: () = assert!(size_of::<Info>() == 24);

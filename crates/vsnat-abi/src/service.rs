//! Virtual services and the tables their schedulers read.
//!
//! A change never touches what a packet may be reading: the daemon writes a
//! new ring and a new view, then switches the service to it by one store.

use crate::net::{Be16, Be32};

/// What a new connection is looked up by; and, with a server's address and
/// port, what a server is.
#[repr(C, align(8))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServiceKey4 {
    pub vip: Be32,
    pub port: Be16,
    /// IP protocol number.
    pub protocol: u8,
    pub zero: u8,
}

const _: () = assert!(size_of::<ServiceKey4>() == 8);

impl ServiceKey4 {
    /// The key of a service by mark: no packet has protocol 0.
    pub const fn of_mark(mark: u32) -> Self {
        ServiceKey4 {
            vip: Be32::from_host(mark),
            port: Be16::ZERO,
            protocol: 0,
            zero: 0,
        }
    }

    #[inline(always)]
    pub const fn is_mark(&self) -> bool {
        self.protocol == 0
    }
}

/// Only the lower sixteen bits: the packet path keeps a port in the others.
pub mod service_flag {
    /// Clients stay with their server.
    pub const PERSISTENT: u32 = 1;
    /// Each datagram finds its own server and leaves nothing behind.
    pub const ONE_PACKET: u32 = 2;
    /// The daemon stands between the clients and the server, to read what they
    /// say of FTP's data connections.
    pub const FTP: u32 = 4;
    /// Not read by the packet path: the helper was asked for, and is not there
    /// by the port alone.
    pub const FTP_ASKED: u32 = 8;
    /// Servers see the director's own address, not the client's.
    pub const SOURCE: u32 = 1 << 12;
}

/// Views of one service: the current one and three that readers may still hold.
pub const VIEWS_PER_SERVICE: u32 = 4;

/// Value of [`Service::view`] while the service has none.
pub const NO_VIEW: u64 = u64::MAX;

/// One virtual service. Written by the daemon.
#[repr(C, align(8))]
#[derive(Clone, Copy, Debug, Default)]
pub struct Service {
    /// Index of the view in force: the one word that a reader follows.
    pub view: u64,
    pub key: ServiceKey4,
    /// Bits of [`service_flag`].
    pub flags: u32,
    /// How long clients stay with a server, in coarse units.
    pub persistence: u32,
    /// Which clients stay together.
    pub netmask: Be32,
    /// The largest segment that a SYN may announce: [`SEGMENT_AS_IT_IS`],
    /// [`SEGMENT_BY_PATH`], or a number of bytes.
    pub segment: u32,
    /// Grows with each service made: the order in which they are listed.
    pub order: u64,
    /// 0: free, 1: in use.
    pub used: u64,
    /// What servers that are gone had counted; see [`crate::counters`].
    pub residue: [u64; 5],
}

const _: () = assert!(size_of::<Service>() == 88);

/// Values of [`Service::segment`] that are no number of bytes.
pub const SEGMENT_AS_IT_IS: u32 = 0;
/// What both ways take, towards the server and towards the client.
pub const SEGMENT_BY_PATH: u32 = 1;

/// Schedulers, as [`View::scheduler`] names them.
pub mod scheduler {
    pub const RR: u32 = 1;
    pub const WRR: u32 = 2;
    pub const LC: u32 = 3;
    pub const WLC: u32 = 4;
    pub const SED: u32 = 5;
    pub const NQ: u32 = 6;
    pub const FO: u32 = 7;
    pub const OVF: u32 = 8;
    pub const TWOS: u32 = 9;
    pub const SH: u32 = 10;
    pub const DH: u32 = 11;
    pub const MH: u32 = 12;
    pub const LBLC: u32 = 13;
    pub const LBLCR: u32 = 14;
}

/// Flags of the hashing schedulers, as [`View::flags`] holds them.
pub mod scheduler_flag {
    /// A server that cannot serve is replaced by the next in the table.
    pub const FALLBACK: u32 = 1;
    /// The client's port counts too.
    pub const PORT: u32 = 2;
    /// Not a flag of the scheduler: some server has an upper threshold.
    pub const LIMITED: u32 = 0x100;
}

/// A table slot without a server.
pub const NO_ENTRY: u64 = u64::MAX;

/// What a scheduler reads. Never changed while a service points to it.
#[repr(C, align(8))]
#[derive(Clone, Copy, Debug, Default)]
pub struct View {
    /// One of [`scheduler`].
    pub scheduler: u32,
    /// Index of the first ring entry of this view.
    pub ring: u32,
    /// Usable servers (weight above zero); the hashing schedulers: slots of
    /// their table.
    pub servers: u32,
    /// Levels of `wrr`; see [`Level`].
    pub levels: u32,
    /// Picks after which the order repeats.
    pub period: u64,
    /// Value of the service's cursor when this view came into force.
    pub cursor_base: u64,
    /// Place in the period of the first pick.
    pub start: u64,
    /// Where the scheduler stood before the first pick, for the next view:
    /// `rr`: last destination used + 1, or 0; `wrr`: current weight; `lblc` and
    /// `lblcr`: a number of its own for each time that they are chosen.
    pub anchor: u64,
    pub ring_entries: u32,
    /// Bits of [`scheduler_flag`].
    pub flags: u32,
}

const _: () = assert!(size_of::<View>() == 56);

/// A ring entry that names a server: index of the destination and weight.
#[repr(transparent)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry(u64);

impl Entry {
    pub const fn new(dest: u32, weight: u32) -> Self {
        Entry(dest as u64 | (weight as u64) << 32)
    }

    #[inline(always)]
    pub const fn from_raw(raw: u64) -> Self {
        Entry(raw)
    }

    #[inline(always)]
    pub const fn raw(self) -> u64 {
        self.0
    }

    #[inline(always)]
    pub const fn dest(self) -> u32 {
        self.0 as u32
    }

    #[inline(always)]
    pub const fn weight(self) -> u32 {
        (self.0 >> 32) as u32
    }
}

/// Ring entries of one `wrr` level: place in the period where it begins, then
/// offset of its servers (from the ring's start) and their number.
///
/// While the current weight is within one level the same servers are picked
/// over and over, so the order of a period of any length is held by one entry
/// for each level and server.
pub const LEVEL_ENTRIES: u32 = 2;

/// Second word of a level.
#[repr(transparent)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Level(u64);

impl Level {
    pub const fn new(offset: u32, servers: u32) -> Self {
        Level(offset as u64 | (servers as u64) << 32)
    }

    #[inline(always)]
    pub const fn from_raw(raw: u64) -> Self {
        Level(raw)
    }

    pub const fn raw(self) -> u64 {
        self.0
    }

    #[inline(always)]
    pub const fn offset(self) -> u32 {
        self.0 as u32
    }

    #[inline(always)]
    pub const fn servers(self) -> u32 {
        (self.0 >> 32) as u32
    }
}

/// Servers of one service: bounds the scan of `lc` and `wlc`.
pub const MAX_SERVERS_PER_SERVICE: u32 = 4_096;

/// Ring entries of one server of `twos`: the sum of the weights up to its own,
/// then the server.
pub const SUM_ENTRIES: u32 = 2;

/// Rounds of a search by halving: 2^13 is above the number of servers, and so
/// of levels.
pub const SEARCH_ROUNDS: u32 = 13;

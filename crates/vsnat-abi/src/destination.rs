//! Real servers as the packet path knows them.

use crate::net::{Be16, Be32};
use crate::service::ServiceKey4;

/// One real server of one service. Written by the daemon.
#[repr(C, align(8))]
#[derive(Clone, Copy, Debug, Default)]
pub struct Dest {
    pub address: Be32,
    /// Zero stands for the port of the service.
    pub port: Be16,
    /// One of [`forwarding`].
    pub forwarding: u16,
    /// The service it serves, or served when it was deleted.
    pub service: ServiceKey4,
    /// One of [`dest_state`].
    pub state: u32,
    pub weight: u32,
    /// The last weight that was not zero: `mh` keeps its table over a rest.
    pub last_weight: u32,
    /// Connections with which it takes no new one; 0: no limit.
    pub upper: u32,
    /// Connections below which it takes new ones again; 0: 3/4 of the upper.
    pub lower: u32,
    /// Never 0 while in use; a new one makes an overload forgotten.
    pub overload_epoch: u32,
    /// Grows with each server added: a larger one comes earlier in the lists.
    pub order: u64,
    /// Since when a deleted one has no connection, in coarse time; 0: it has.
    pub idle_since: u64,
    /// Counters when they were last set to zero.
    pub baseline: [u64; 5],
    /// The director's address that it sees where it does not see the client's;
    /// zero: there is none on its side.
    pub source: Be32,
    pub zero2: u32,
}

const _: () = assert!(size_of::<Dest>() == 104);

/// How packets reach a server.
pub mod forwarding {
    /// They are translated, and its answers too.
    pub const MASQUERADE: u16 = 0;
    /// They are sent to it as they are; its answers never come by here.
    pub const ROUTE: u16 = 1;
}

pub mod dest_state {
    pub const FREE: u32 = 0;
    pub const AVAILABLE: u32 = 1;
    /// Deleted, but connections still name it.
    pub const DELETED: u32 = 2;
    /// Deleted together with its service.
    pub const ORPHANED: u32 = 3;
}

/// Connections of a destination now, and the way to it. Written by the packet path and the sweeper.
#[repr(C, align(8))]
#[derive(Clone, Copy, Debug, Default)]
pub struct DestCounts {
    pub active: u32,
    pub inactive: u32,
    /// Next hop towards it, and when it was asked: what a new connection
    /// starts with.
    pub hop: u32,
    pub asked: u32,
    /// Templates that name it.
    pub persistent: u32,
    /// [`Dest::overload_epoch`] while it is overloaded.
    pub overloaded: u32,
}

const _: () = assert!(size_of::<DestCounts>() == 24);

/// Totals of a destination on one CPU. Written by the packet path.
#[repr(C, align(8))]
#[derive(Clone, Copy, Debug, Default)]
pub struct DestStats {
    pub connections: u64,
    pub in_packets: u64,
    pub out_packets: u64,
    pub in_bytes: u64,
    pub out_bytes: u64,
}

const _: () = assert!(size_of::<DestStats>() == 40);

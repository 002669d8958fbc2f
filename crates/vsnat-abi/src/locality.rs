//! What `lblc` and `lblcr` remember: which servers a destination went to.

use crate::net::Be32;

/// Destinations remembered by all services together; the one that was not
/// asked for longest makes room. IPVS allows each service 16,384.
pub const LOCALITIES: u32 = 65_536;

/// Servers that `lblcr` remembers for one destination.
pub const LOCALITY_SERVERS: usize = 8;

/// No server.
pub const NO_SERVER: u32 = u32::MAX;

/// A destination of a service.
#[repr(C, align(8))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LocalityKey {
    pub service: u32,
    pub destination: Be32,
}

const _: () = assert!(size_of::<LocalityKey>() == 8);

/// Its servers: `lblc` uses the first place only. Written by the packet path.
#[repr(C, align(8))]
#[derive(Clone, Copy, Debug)]
pub struct Locality {
    /// When it was last asked for.
    pub used: u32,
    /// When a server was last added or taken away.
    pub changed: u32,
    /// [`crate::service::View::anchor`] of the service when it was made: what
    /// was remembered under another scheduler is void.
    pub bound: u64,
    /// Indices of destinations, or [`NO_SERVER`].
    pub servers: [u32; LOCALITY_SERVERS],
}

const _: () = assert!(size_of::<Locality>() == 48);

//! What the server has seen and done since it was started.

use serde::{Deserialize, Serialize};

/// Messages and mishaps, each counted once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counters {
    pub discovers: u64,
    pub requests: u64,
    pub declines: u64,
    pub releases: u64,
    pub informs: u64,
    pub offers: u64,
    pub acks: u64,
    pub naks: u64,
    /// Could not be read as a DHCP message of a client.
    pub malformed: u64,
    /// For another server, or about a lease that is not the sender's.
    pub ignored: u64,
    /// From a network that no addresses are given out in.
    pub unknown_network: u64,
    /// Discovers for which no address was left.
    pub exhausted: u64,
    /// Addresses that answered although nobody had a lease on them.
    pub conflicts: u64,
}

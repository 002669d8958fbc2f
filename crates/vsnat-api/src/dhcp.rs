//! The leases that a director has given out.

use std::net::Ipv4Addr;

use ipnet::Ipv4Net;
use serde::{Deserialize, Serialize};

/// Every lease, and what the server has seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DhcpLeases {
    pub networks: Vec<DhcpNetwork>,
    pub counters: DhcpCounters,
    /// Network by network, by address.
    pub leases: Vec<DhcpLease>,
}

/// A network that addresses are given out in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DhcpNetwork {
    pub network: Ipv4Net,
    /// Addresses of its pools.
    pub pool_size: u64,
    /// Leases that are active, those of reservations included.
    pub active: u64,
}

/// What became of an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DhcpLeaseState {
    /// Held for a client that has not taken it yet.
    Offered,
    Active,
    /// Given back or run out, and remembered for its client.
    Over,
    /// Somebody uses it without a lease.
    Withdrawn,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DhcpLease {
    pub address: Ipv4Addr,
    pub mac: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host_name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vendor_class: Option<String>,
    pub state: DhcpLeaseState,
    /// How long the client has had it.
    pub held_s: u64,
    /// When the state ends; 0 for one that is over.
    pub ends_s: u64,
}

/// Messages and mishaps since the daemon was started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DhcpCounters {
    pub discovers: u64,
    pub requests: u64,
    pub declines: u64,
    pub releases: u64,
    pub informs: u64,
    pub offers: u64,
    pub acks: u64,
    pub naks: u64,
    pub malformed: u64,
    pub ignored: u64,
    pub unknown_network: u64,
    pub exhausted: u64,
    pub conflicts: u64,
}

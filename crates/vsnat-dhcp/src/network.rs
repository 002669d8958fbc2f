//! A network that addresses are given out in.

use std::net::Ipv4Addr;

use ipnet::Ipv4Net;

use crate::Range;

/// An inner interface of the director, by its place in the director's file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Link(pub usize);

/// A route that clients are told of (option 121).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route {
    pub to: Ipv4Net,
    pub via: Ipv4Addr,
}

/// What its clients are told, and which addresses they get.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Network {
    pub network: Ipv4Net,
    /// The interface that is in it; none for a network behind a relay agent.
    pub link: Option<Link>,
    /// The director's address: the server identifier.
    pub server: Ipv4Addr,
    pub router: Ipv4Addr,
    pub pools: Vec<Range>,
    pub lease_time_s: u32,
    pub dns: Vec<Ipv4Addr>,
    pub domain: Option<String>,
    pub mtu: Option<u16>,
    pub ntp: Vec<Ipv4Addr>,
    pub routes: Vec<Route>,
}

impl Network {
    /// When a client asks its server for more time.
    pub const fn renewal_s(&self) -> u32 {
        self.lease_time_s / 2
    }

    /// When it asks any server.
    pub const fn rebinding_s(&self) -> u32 {
        // Seven eighths, as RFC 2131 has it, in an order that cannot overflow.
        self.lease_time_s - self.lease_time_s / 8
    }

    /// Whether a client could have it: neither end of the network, nor ours.
    pub fn can_host(&self, address: Ipv4Addr) -> bool {
        let is_end = self.network.prefix_len() < 31
            && (address == self.network.network() || address == self.network.broadcast());
        let is_taken = address == self.server || address == self.router;
        self.network.contains(&address) && !is_end && !is_taken
    }

    /// Whether one of its pools has this address.
    pub fn has_in_pool(&self, address: Ipv4Addr) -> bool {
        self.can_host(address) && self.pools.iter().any(|pool| pool.contains(address))
    }
}

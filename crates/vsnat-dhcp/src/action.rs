//! What the server wants done.

use std::net::Ipv4Addr;

use crate::{Answer, Client, Lease, Link};

/// In the order in which they are to be done: a lease is on the disk before
/// its client is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    Write(Lease),
    Send(Answer),
    Probe(Probe),
    Tell(Event),
}

/// Somebody may have this address without a lease; whether he answers is told
/// by [`crate::Server::probed`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Probe {
    pub address: Ipv4Addr,
    /// The interface that is in the address's network, if one is.
    pub link: Option<Link>,
}

/// What the administrator should know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    Bound {
        address: Ipv4Addr,
        client: Client,
    },
    Released {
        address: Ipv4Addr,
        client: Client,
    },
    /// It answered a probe, or its client found it in use.
    InUse {
        address: Ipv4Addr,
    },
    /// A reservation's address is held by somebody else.
    ReservationHeld {
        address: Ipv4Addr,
        client: Client,
    },
    /// The pools of a network are empty. Told once, then not for a while.
    Exhausted {
        network: ipnet::Ipv4Net,
    },
}

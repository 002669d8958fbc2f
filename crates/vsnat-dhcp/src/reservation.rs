//! Addresses that are kept for one client each.

use std::collections::HashMap;
use std::net::Ipv4Addr;

use crate::{Client, ClientId, Hardware, HostName};

/// By what a client is known.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Owner {
    Hardware(Hardware),
    Id(ClientId),
}

/// An address for one client, inside or outside the pools.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reservation {
    pub owner: Owner,
    pub address: Ipv4Addr,
    pub host_name: Option<HostName>,
}

/// The reservations of one network, found by either end.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reservations {
    all: Vec<Reservation>,
    by_owner: HashMap<Owner, usize>,
    by_address: HashMap<Ipv4Addr, usize>,
}

impl Reservations {
    pub fn new(mut all: Vec<Reservation>) -> Self {
        for reservation in &mut all {
            // As clients are known (see `Client::new`).
            if let Owner::Id(id) = &reservation.owner
                && let Some(hardware) = id.hardware()
            {
                reservation.owner = Owner::Hardware(hardware);
            }
        }
        let numbered = || all.iter().enumerate();
        Reservations {
            by_owner: numbered().map(|(i, r)| (r.owner.clone(), i)).collect(),
            by_address: numbered().map(|(i, r)| (r.address, i)).collect(),
            all,
        }
    }

    /// The identifier goes before the hardware address: who gives one in the
    /// file means that very system.
    pub fn of(&self, client: &Client) -> Option<&Reservation> {
        let by_id = client.id.clone().and_then(|id| self.owned(Owner::Id(id)));
        by_id.or_else(|| self.owned(Owner::Hardware(client.hardware)))
    }

    pub fn at(&self, address: Ipv4Addr) -> Option<&Reservation> {
        self.all.get(*self.by_address.get(&address)?)
    }

    fn owned(&self, owner: Owner) -> Option<&Reservation> {
        self.all.get(*self.by_owner.get(&owner)?)
    }
}

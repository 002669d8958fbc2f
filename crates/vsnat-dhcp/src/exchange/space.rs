//! One network at work: its settings, its reservations and its leases.

use std::net::Ipv4Addr;

use crate::book::Book;
use crate::reservation::Reservations;
use crate::{Client, HostName, Lease, LeaseState, Network, Reservation, UnixTime};

#[derive(Clone, Debug)]
pub(super) struct Space {
    pub network: Network,
    pub reservations: Reservations,
    pub book: Book,
    /// When it was last told that no address is left.
    pub told_exhausted: Option<UnixTime>,
}

/// Which address a client is offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Choice {
    /// It has a lease on it, or an offer of it.
    Own(Ipv4Addr),
    /// It had a lease on it, and nobody else since.
    Earlier(Ipv4Addr),
    New(Ipv4Addr),
    /// It is the client's by reservation, but somebody else holds it.
    Held(Ipv4Addr),
    Exhausted,
}

impl Space {
    pub fn new(network: Network, reservations: Vec<Reservation>) -> Self {
        let reservations = Reservations::new(reservations);
        let addresses = network.pools.iter().flat_map(|pool| pool.addresses());
        let addresses = addresses.filter(|address| is_pooled(&network, &reservations, *address));
        Space {
            book: Book::new(addresses),
            network,
            reservations,
            told_exhausted: None,
        }
    }

    /// Whether the file lets this client have that address.
    pub fn may_have(&self, client: &Client, address: Ipv4Addr) -> bool {
        match self.reservations.of(client) {
            Some(reservation) => reservation.address == address,
            None => is_pooled(&self.network, &self.reservations, address),
        }
    }

    pub fn choose(&self, client: &Client, requested: Option<Ipv4Addr>) -> Choice {
        let own = self.book.of(client);
        if let Some(own) = own.filter(|own| self.may_have(client, own.address)) {
            return match own.is_held() {
                true => Choice::Own(own.address),
                false => Choice::Earlier(own.address),
            };
        }
        if let Some(reservation) = self.reservations.of(client) {
            let address = reservation.address;
            return match self.book.at(address).is_some_and(Lease::is_held) {
                true => Choice::Held(address),
                false => Choice::New(address),
            };
        }
        let requested = requested.filter(|address| self.book.is_free_in_pool(*address));
        match requested.or_else(|| self.book.next_free()) {
            Some(address) => Choice::New(address),
            None => Choice::Exhausted,
        }
    }

    /// The name that a reservation gives a client.
    pub fn host_name(&self, client: &Client) -> Option<&HostName> {
        self.reservations.of(client)?.host_name.as_ref()
    }

    pub fn put(&mut self, lease: Lease) {
        let (network, reservations) = (&self.network, &self.reservations);
        self.book
            .put(lease, |address| is_pooled(network, reservations, address));
    }

    pub fn remove(&mut self, address: Ipv4Addr) {
        let (network, reservations) = (&self.network, &self.reservations);
        self.book
            .remove(address, |address| is_pooled(network, reservations, address));
    }

    pub fn expire(&mut self, now: UnixTime) {
        let (network, reservations) = (&self.network, &self.reservations);
        self.book
            .expire(now, |address| is_pooled(network, reservations, address));
    }

    /// The client's lease or offer at an address.
    pub fn held_by(&self, client: &Client, address: Ipv4Addr) -> Option<&Lease> {
        let lease = self
            .book
            .at(address)
            .filter(|lease| lease.client == *client)?;
        match lease.state {
            LeaseState::Offered | LeaseState::Active => Some(lease),
            LeaseState::Over | LeaseState::Withdrawn => None,
        }
    }
}

/// Whether anybody may get it.
fn is_pooled(network: &Network, reservations: &Reservations, address: Ipv4Addr) -> bool {
    network.has_in_pool(address) && reservations.at(address).is_none()
}

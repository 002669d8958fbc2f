//! The exchange of messages: which answer a message gets, and what changes.

mod discover;
mod give_back;
mod inform;
mod probing;
mod request;
mod space;

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use crate::{
    Action, Arrival, Counters, Kind, Lease, LeaseState, Network, Request, Reservation, UnixTime,
};

pub use probing::ProbeResult;

use probing::Waiting;
use space::Space;

/// How long an offer is kept for its client: it collects offers for some
/// seconds and may have to ask twice.
const OFFER_HOLD_S: u32 = 30;

/// How long an address that somebody uses without a lease is given to nobody:
/// long enough to find the culprit, and no longer than what a hostile client
/// that declines all it gets may take from the others.
const WITHDRAWN_S: u32 = 600;

/// The server of all inner networks.
#[derive(Clone, Debug)]
pub struct Server {
    spaces: Vec<Space>,
    /// Offers that wait until their address has been probed.
    waiting: BTreeMap<Ipv4Addr, Waiting>,
    counters: Counters,
}

impl Server {
    /// Takes over the leases that are stored. Those of networks that are no
    /// longer there are forgotten; the others hold their addresses until they
    /// end, whatever the pools are now.
    pub fn new(
        networks: Vec<Network>,
        reservations: Vec<Reservation>,
        leases: Vec<Lease>,
        now: UnixTime,
    ) -> Self {
        let spaces = networks.into_iter().map(|network| {
            let own = reservations.iter();
            let own = own.filter(|reservation| network.network.contains(&reservation.address));
            Space::new(network.clone(), own.cloned().collect())
        });
        let mut server = Server {
            spaces: spaces.collect(),
            waiting: BTreeMap::new(),
            counters: Counters::default(),
        };
        let mut leases = leases;
        // Of several leases of one client it is known by the last.
        leases.sort_by_key(|lease| (lease.renewed, lease.ends));
        for lease in leases {
            server.take_over(lease);
        }
        server.expire(now);
        server
    }

    /// Answers a message.
    pub fn handle(&mut self, request: &Request, arrival: &Arrival, now: UnixTime) -> Vec<Action> {
        self.expire(now);
        self.count(request.kind);
        let Some(index) = self.place(request, arrival) else {
            self.counters.unknown_network += 1;
            return Vec::new();
        };
        match request.kind {
            Kind::Discover => self.discover(index, request, arrival, now),
            Kind::Request => self.request(index, request, arrival, now),
            Kind::Decline => self.decline(index, request, arrival, now),
            Kind::Release => self.release(index, request, arrival, now),
            Kind::Inform => self.inform(index, request, arrival),
        }
    }

    /// Counts what was no message of a client.
    pub fn malformed(&mut self) {
        self.counters.malformed += 1;
    }

    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// Every lease and offer as it is now.
    pub fn leases(&self, now: UnixTime) -> Vec<Lease> {
        let leases = self.spaces.iter().flat_map(|space| space.book.leases());
        let told = leases.map(|lease| match lease.state {
            LeaseState::Active if lease.ends <= now => Lease {
                state: LeaseState::Over,
                ..lease.clone()
            },
            LeaseState::Active | LeaseState::Offered | LeaseState::Over | LeaseState::Withdrawn => {
                lease.clone()
            }
        });
        told.collect()
    }

    /// What belongs on the disk, and how many that are.
    pub fn stored(&self) -> (usize, impl Iterator<Item = &Lease>) {
        let leases = || self.spaces.iter().flat_map(|space| space.book.leases());
        let is_stored = |lease: &&Lease| lease.state != LeaseState::Offered;
        (
            leases().filter(is_stored).count(),
            leases().filter(is_stored),
        )
    }

    pub fn networks(&self) -> impl Iterator<Item = &Network> {
        self.spaces.iter().map(|space| &space.network)
    }

    fn take_over(&mut self, lease: Lease) {
        let contains = |space: &&mut Space| space.network.network.contains(&lease.address);
        if let Some(space) = self.spaces.iter_mut().find(contains) {
            space.put(lease);
        }
    }

    fn expire(&mut self, now: UnixTime) {
        for space in &mut self.spaces {
            space.expire(now);
        }
    }

    fn count(&mut self, kind: Kind) {
        let counter = match kind {
            Kind::Discover => &mut self.counters.discovers,
            Kind::Request => &mut self.counters.requests,
            Kind::Decline => &mut self.counters.declines,
            Kind::Release => &mut self.counters.releases,
            Kind::Inform => &mut self.counters.informs,
        };
        *counter += 1;
    }

    /// The network that a client is in. Of several on one link it is the one
    /// that the client names an address of, or is known in, or that still has
    /// an address.
    fn place(&self, request: &Request, arrival: &Arrival) -> Option<usize> {
        if request.is_relayed() {
            let relay = request.relay.as_ref();
            let selected = relay.and_then(|relay| relay.link_selection());
            let inside = selected.unwrap_or(request.giaddr);
            return self.find(|space| space.network.network.contains(&inside));
        }
        let on_link = |space: &Space| space.network.link == Some(arrival.link);
        let named = match request.ciaddr.is_unspecified() {
            true => request.requested,
            false => Some(request.ciaddr),
        };
        let is_named = |space: &Space| {
            let network = space.network.network;
            on_link(space) && named.is_some_and(|address| network.contains(&address))
        };
        let client = &request.client;
        let is_reserved = |space: &Space| on_link(space) && space.reservations.of(client).is_some();
        self.find(is_reserved)
            .or_else(|| self.find(is_named))
            .or_else(|| self.find(|space| on_link(space) && space.book.of(client).is_some()))
            .or_else(|| self.find(|space| on_link(space) && space.book.next_free().is_some()))
            .or_else(|| self.find(on_link))
    }

    fn find(&self, is_it: impl Fn(&Space) -> bool) -> Option<usize> {
        self.spaces.iter().position(is_it)
    }

    /// Whether a client means this server.
    fn is_own(&self, server: Ipv4Addr) -> bool {
        let mut servers = self.spaces.iter().map(|space| space.network.server);
        servers.any(|own| own == server)
    }

    /// A message about something that is not the sender's.
    fn ignore(&mut self) -> Vec<Action> {
        self.counters.ignored += 1;
        Vec::new()
    }
}

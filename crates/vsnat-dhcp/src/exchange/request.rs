//! REQUEST, in each of the states a client may be in (RFC 2131, 4.3.2).

use std::net::Ipv4Addr;

use dhcproto::v4::MessageType;

use super::Server;
use crate::options::Granted;
use crate::{Action, Arrival, Event, Lease, LeaseState, Request, UnixTime, answer};

/// Refusals, as the client's log shows them.
const NOT_HERE: &str = "that address is not of this network";
const NOT_YOURS: &str = "that address is not for this client";
const TAKEN: &str = "that address is taken";
const OTHER: &str = "this client has another address";

impl Server {
    pub(super) fn request(
        &mut self,
        index: usize,
        request: &Request,
        arrival: &Arrival,
        now: UnixTime,
    ) -> Vec<Action> {
        let has_address = !request.ciaddr.is_unspecified();
        match (request.server, request.requested, has_address) {
            (Some(server), _, _) if !self.is_own(server) => self.chose_another(request),
            (Some(_), Some(address), false) => self.bind(index, address, request, arrival, now),
            (None, Some(address), false) => self.reboot(index, address, request, arrival, now),
            (None, _, true) => self.renew(index, request, arrival, now),
            (Some(_), _, _) | (None, None, false) => self.ignore(),
        }
    }

    /// What was offered to the client is free again.
    fn chose_another(&mut self, request: &Request) -> Vec<Action> {
        for space in &mut self.spaces {
            let own = space.book.of(&request.client);
            let offered = own.filter(|lease| lease.state == LeaseState::Offered);
            if let Some(address) = offered.map(|lease| lease.address) {
                self.waiting.remove(&address);
                space.remove(address);
            }
        }
        self.ignore()
    }

    /// A client that remembers its address. One that is not known here may have
    /// it from another server: that one answers.
    fn reboot(
        &mut self,
        index: usize,
        address: Ipv4Addr,
        request: &Request,
        arrival: &Arrival,
        now: UnixTime,
    ) -> Vec<Action> {
        let space = &self.spaces[index];
        if !space.network.network.contains(&address) {
            return self.refuse(index, request, arrival, NOT_HERE);
        }
        match space.book.of(&request.client).map(|lease| lease.address) {
            None => self.ignore(),
            Some(known) if known != address => self.refuse(index, request, arrival, OTHER),
            Some(_) => self.bind(index, address, request, arrival, now),
        }
    }

    /// A client that uses its address and wants more time. Renewing and
    /// rebinding are answered alike.
    fn renew(
        &mut self,
        index: usize,
        request: &Request,
        arrival: &Arrival,
        now: UnixTime,
    ) -> Vec<Action> {
        let address = request.ciaddr;
        let space = &self.spaces[index];
        if !space.network.network.contains(&address) {
            return self.refuse(index, request, arrival, NOT_HERE);
        }
        let known = space.book.of(&request.client).is_some();
        let is_held = space.book.at(address).is_some_and(Lease::is_held);
        match (known, is_held) {
            (false, true) => self.refuse(index, request, arrival, TAKEN),
            (false, false) => self.ignore(),
            (true, _) => self.bind(index, address, request, arrival, now),
        }
    }

    /// Grants the address, or says why not.
    fn bind(
        &mut self,
        index: usize,
        address: Ipv4Addr,
        request: &Request,
        arrival: &Arrival,
        now: UnixTime,
    ) -> Vec<Action> {
        let client = &request.client;
        let space = &self.spaces[index];
        if !space.may_have(client, address) {
            return self.refuse(index, request, arrival, NOT_YOURS);
        }
        let there = space.book.at(address);
        let is_own = space.held_by(client, address).is_some();
        if !is_own && there.is_some_and(Lease::is_held) {
            return self.refuse(index, request, arrival, TAKEN);
        }
        // One address for each client: it cannot collect them.
        let has_other = |lease: &Lease| {
            lease.is_active() && lease.address != address && space.may_have(client, lease.address)
        };
        if space.book.of(client).is_some_and(has_other) {
            return self.refuse(index, request, arrival, OTHER);
        }
        let before = there.filter(|lease| is_own && lease.is_active());
        let lease = self.leased(index, address, request, arrival, before, now);
        let is_new = before.is_none();
        self.grant(
            index,
            lease,
            request,
            arrival,
            match is_new {
                true => Standing::New,
                false => Standing::Renewed,
            },
        )
    }

    fn leased(
        &self,
        index: usize,
        address: Ipv4Addr,
        request: &Request,
        arrival: &Arrival,
        before: Option<&Lease>,
        now: UnixTime,
    ) -> Lease {
        let lease_time_s = self.spaces[index].network.lease_time_s;
        Lease {
            address,
            client: request.client.clone(),
            // Who renews in a client's name does not become its sender.
            sender: before.map_or(arrival.sender, |lease| lease.sender),
            host_name: request.host_name.clone(),
            vendor_class: request.vendor_class.clone(),
            state: LeaseState::Active,
            since: before.map_or(now, |lease| lease.since),
            renewed: now,
            ends: now.plus_s(lease_time_s),
        }
    }

    fn grant(
        &mut self,
        index: usize,
        lease: Lease,
        request: &Request,
        arrival: &Arrival,
        standing: Standing,
    ) -> Vec<Action> {
        let (address, client) = (lease.address, lease.client.clone());
        self.waiting.remove(&address);
        let space = &mut self.spaces[index];
        space.put(lease.clone());
        let granted = Granted::Lease {
            address,
            host_name: space.host_name(&client),
        };
        let ack = MessageType::Ack;
        let answer = answer::grant(ack, request, arrival, &space.network, granted);
        self.counters.acks += 1;
        let mut actions = vec![Action::Write(lease)];
        actions.extend(answer.map(Action::Send));
        match standing {
            Standing::New => actions.push(Action::Tell(Event::Bound { address, client })),
            Standing::Renewed => {}
        }
        actions
    }

    fn refuse(
        &mut self,
        index: usize,
        request: &Request,
        arrival: &Arrival,
        why: &str,
    ) -> Vec<Action> {
        self.counters.naks += 1;
        let answer = answer::refuse(request, arrival, &self.spaces[index].network, why);
        answer.into_iter().map(Action::Send).collect()
    }
}

/// Whether a client had the lease already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    New,
    Renewed,
}

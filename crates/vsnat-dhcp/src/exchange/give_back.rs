//! DECLINE and RELEASE: a client gives an address back.
//!
//! Anybody on the link can write anybody's name. So these count only if the
//! frame comes from where the lease was asked for, and for a release also the
//! packet from the address itself.

use std::net::Ipv4Addr;

use super::Server;
use crate::{Action, Arrival, Event, Lease, LeaseState, Request, UnixTime};

impl Server {
    /// The client found somebody else at its new address.
    pub(super) fn decline(
        &mut self,
        index: usize,
        request: &Request,
        arrival: &Arrival,
        now: UnixTime,
    ) -> Vec<Action> {
        let Some(address) = request.requested else {
            return self.ignore();
        };
        match self.given(index, address, request, arrival) {
            Some(_) => self.withdraw(index, address, now),
            None => self.ignore(),
        }
    }

    pub(super) fn release(
        &mut self,
        index: usize,
        request: &Request,
        arrival: &Arrival,
        now: UnixTime,
    ) -> Vec<Action> {
        let address = request.ciaddr;
        if !request.is_relayed() && arrival.source != address {
            return self.ignore();
        }
        let lease = self.given(index, address, request, arrival);
        let Some(lease) = lease.filter(|lease| lease.is_active()) else {
            return self.ignore();
        };
        let over = Lease {
            state: LeaseState::Over,
            ends: now,
            ..lease.clone()
        };
        let client = over.client.clone();
        self.spaces[index].put(over.clone());
        vec![
            Action::Write(over),
            Action::Tell(Event::Released { address, client }),
        ]
    }

    /// What this server gave to the sender of a message.
    fn given(
        &self,
        index: usize,
        address: Ipv4Addr,
        request: &Request,
        arrival: &Arrival,
    ) -> Option<&Lease> {
        let is_meant = request.server.is_some_and(|server| self.is_own(server));
        let lease = self.spaces[index].held_by(&request.client, address)?;
        (is_meant && lease.sender == arrival.sender).then_some(lease)
    }
}

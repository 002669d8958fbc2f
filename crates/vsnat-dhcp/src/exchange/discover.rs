//! DISCOVER: an address is held for the client and offered to it.

use std::net::Ipv4Addr;

use dhcproto::v4::MessageType;

use super::space::Choice;
use super::{OFFER_HOLD_S, Server};
use crate::options::Granted;
use crate::{Action, Arrival, Event, Lease, LeaseState, Request, UnixTime, answer};

/// That a network has no address left is told no more often: an attacker who
/// starves it must not fill the log too.
const EXHAUSTED_QUIET_S: u64 = 600;

impl Server {
    pub(super) fn discover(
        &mut self,
        index: usize,
        request: &Request,
        arrival: &Arrival,
        now: UnixTime,
    ) -> Vec<Action> {
        let space = &self.spaces[index];
        match space.choose(&request.client, request.requested) {
            Choice::Own(address) => {
                if self.wait_on(address, request, arrival) {
                    return Vec::new();
                }
                self.hold(index, address, request, arrival, now);
                self.offer(index, address, request, arrival)
            }
            Choice::Earlier(address) => {
                self.hold(index, address, request, arrival, now);
                self.offer(index, address, request, arrival)
            }
            Choice::New(address) => {
                self.hold(index, address, request, arrival, now);
                match self.probe(index, address, request, arrival) {
                    Some(probe) => vec![probe],
                    None => self.offer(index, address, request, arrival),
                }
            }
            Choice::Held(address) => vec![Action::Tell(Event::ReservationHeld {
                address,
                client: request.client.clone(),
            })],
            Choice::Exhausted => self.exhausted(index, now),
        }
    }

    /// Sends the offer of an address that is held for its client.
    pub(super) fn offer(
        &mut self,
        index: usize,
        address: Ipv4Addr,
        request: &Request,
        arrival: &Arrival,
    ) -> Vec<Action> {
        let space = &self.spaces[index];
        let granted = Granted::Lease {
            address,
            host_name: space.host_name(&request.client),
        };
        let offer = MessageType::Offer;
        let answer = answer::grant(offer, request, arrival, &space.network, granted);
        self.counters.offers += 1;
        answer.into_iter().map(Action::Send).collect()
    }

    /// Keeps an address for a client. A lease that it has already is not made
    /// less by another question.
    pub(super) fn hold(
        &mut self,
        index: usize,
        address: Ipv4Addr,
        request: &Request,
        arrival: &Arrival,
        now: UnixTime,
    ) {
        let space = &mut self.spaces[index];
        let client = &request.client;
        let own = space.book.at(address).filter(|l| l.client == *client);
        if own.is_some_and(Lease::is_active) {
            return;
        }
        space.put(Lease {
            address,
            client: client.clone(),
            sender: arrival.sender,
            host_name: request.host_name.clone(),
            vendor_class: request.vendor_class.clone(),
            state: LeaseState::Offered,
            since: now,
            renewed: now,
            ends: now.plus_s(OFFER_HOLD_S),
        });
    }

    fn exhausted(&mut self, index: usize, now: UnixTime) -> Vec<Action> {
        self.counters.exhausted += 1;
        let space = &mut self.spaces[index];
        let told = space.told_exhausted;
        if told.is_some_and(|told| now.since_s(told) < EXHAUSTED_QUIET_S) {
            return Vec::new();
        }
        space.told_exhausted = Some(now);
        let network = space.network.network;
        vec![Action::Tell(Event::Exhausted { network })]
    }
}

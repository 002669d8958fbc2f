//! The look whether an address is in use, before it is offered.

use std::net::Ipv4Addr;

use super::{Server, WITHDRAWN_S};
use crate::{Action, Arrival, Event, Lease, LeaseState, Probe, Request, UnixTime};

/// A probe waits half a second or so. Where more than this many clients come at
/// once, the others are offered their addresses unprobed: a rack that is
/// switched on shall not wait in line, and a flood takes no more memory.
const MAX_PROBES: usize = 64;

/// What came of a probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProbeResult {
    Silent,
    Answered,
}

/// An offer that waits for its address.
#[derive(Clone, Debug)]
pub(super) struct Waiting {
    index: usize,
    request: Request,
    arrival: Arrival,
}

impl Server {
    /// Ends a probe: the offer is sent, or the next address tried. A probe that
    /// nobody waits for any more changes nothing.
    pub fn probed(&mut self, address: Ipv4Addr, result: ProbeResult, now: UnixTime) -> Vec<Action> {
        self.expire(now);
        let Some(waiting) = self.waiting.remove(&address) else {
            return Vec::new();
        };
        let Waiting {
            index,
            request,
            arrival,
        } = waiting;
        let held = self.spaces[index].held_by(&request.client, address);
        if held.is_none_or(Lease::is_active) {
            return Vec::new();
        }
        match result {
            ProbeResult::Silent => {
                self.hold(index, address, &request, &arrival, now);
                self.offer(index, address, &request, &arrival)
            }
            ProbeResult::Answered => {
                let mut actions = self.withdraw(index, address, now);
                actions.extend(self.discover(index, &request, &arrival, now));
                actions
            }
        }
    }

    /// Whether a probe of this address is under way. The answer then goes to
    /// the client's last question, whose number it waits for.
    pub(super) fn wait_on(
        &mut self,
        address: Ipv4Addr,
        request: &Request,
        arrival: &Arrival,
    ) -> bool {
        let Some(waiting) = self.waiting.get_mut(&address) else {
            return false;
        };
        waiting.request = request.clone();
        waiting.arrival = *arrival;
        true
    }

    /// The probe of an address, unless there are too many.
    pub(super) fn probe(
        &mut self,
        index: usize,
        address: Ipv4Addr,
        request: &Request,
        arrival: &Arrival,
    ) -> Option<Action> {
        if self.waiting.len() >= MAX_PROBES {
            return None;
        }
        let waiting = Waiting {
            index,
            request: request.clone(),
            arrival: *arrival,
        };
        self.waiting.insert(address, waiting);
        let link = self.spaces[index].network.link;
        Some(Action::Probe(Probe { address, link }))
    }

    /// Gives an address to nobody for a while.
    pub(super) fn withdraw(
        &mut self,
        index: usize,
        address: Ipv4Addr,
        now: UnixTime,
    ) -> Vec<Action> {
        let space = &mut self.spaces[index];
        let Some(lease) = space.book.at(address).cloned() else {
            return Vec::new();
        };
        self.counters.conflicts += 1;
        let withdrawn = Lease {
            state: LeaseState::Withdrawn,
            since: now,
            renewed: now,
            ends: now.plus_s(WITHDRAWN_S),
            ..lease
        };
        space.put(withdrawn.clone());
        let event = Event::InUse { address };
        vec![Action::Write(withdrawn), Action::Tell(event)]
    }
}

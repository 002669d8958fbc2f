//! What the tables hold, in an administrator's words.

use std::net::Ipv4Addr;
use std::ops::Bound;

use vsnat_abi::counters::Reason;
use vsnat_abi::destination::{Dest, dest_state};
use vsnat_abi::service::ServiceKey4;
use vsnat_abi::slot::{Phase, Slot};
use vsnat_abi::time::{coarse_from_ns, ms_from_coarse};
use vsnat_api::{
    ConnectionView, Counters, Protocol, Rates, ReasonCount, ServerSpec, ServerView, ServiceKey,
    ServiceSpec, ServiceView, TableView, Weight,
};
use vsnat_core::Shared;

use crate::Backend;
use crate::backend::Totals;
use crate::plane::servers::{counted, forwarding_in};
use crate::plane::services::clamp_in;
use crate::plane::{Known, Plane};
use crate::timeouts::state_of;

impl<B: Backend> Plane<B> {
    /// All services, oldest first. Rates are zero: they need a history.
    pub fn services(&self) -> Vec<ServiceView> {
        let memory = self.backend.memory();
        let order = |known: &Known| memory.services.read(known.index).map_or(0, |s| s.order);
        let mut all: Vec<_> = self.services.iter().collect();
        all.sort_by_key(|(_, known)| order(known));
        all.into_iter()
            .map(|(key, known)| self.service_view(*key, known))
            .collect()
    }

    /// The next services behind one, in the order of their keys, the first ones
    /// without one: as many as have so many servers, and one at least.
    pub fn services_after(&self, last: Option<ServiceKey>, servers: usize) -> Vec<ServiceView> {
        let behind = match last {
            Some(key) => Bound::Excluded(key),
            None => Bound::Unbounded,
        };
        let mut views = Vec::new();
        let mut met = 0;
        for (key, known) in self.services.range((behind, Bound::Unbounded)) {
            views.push(self.service_view(*key, known));
            met += known.dests.len().max(1);
            if met >= servers {
                break;
            }
        }
        views
    }

    /// What services are found by, in the order of their keys.
    pub fn service_keys(&self) -> impl Iterator<Item = ServiceKey> + '_ {
        self.services.keys().copied()
    }

    /// Every live connection and template, in the order of the table.
    pub fn connections(&self) -> Vec<ConnectionView> {
        let mut all = Vec::new();
        self.connections_from(0, u32::MAX, |view| all.push(view));
        all
    }

    /// Hands on the connections in `count` slots from the one with index
    /// `first`. Answers the index to go on with, or `None` behind the last.
    pub fn connections_from(
        &self,
        first: u32,
        count: u32,
        mut each: impl FnMut(ConnectionView),
    ) -> Option<u32> {
        let now = coarse_from_ns(self.backend.now_ns());
        let used = self.used_slots();
        let end = first.saturating_add(count).min(used);
        let slots = self.backend.memory().slots;
        for slot in (first..end).filter_map(|index| slots.shared(index)) {
            if let Some(view) = self.connection(slot, now) {
                each(view);
            }
        }
        (end < used).then_some(end)
    }

    pub fn table(&self) -> TableView {
        let slots = self.backend.memory().slots;
        let mut table = TableView {
            capacity: slots.len(),
            live: 0,
            dying: 0,
            free: slots.len(),
        };
        for slot in (0..self.used_slots()).filter_map(|index| slots.shared(index)) {
            match slot.word().phase() {
                Phase::Free => continue,
                Phase::Opening | Phase::Live => table.live += 1,
                Phase::Dying => table.dying += 1,
            }
            table.free -= 1;
        }
        table
    }

    /// Every reason of the packet path and how often it was given.
    pub fn reasons(&self) -> Vec<ReasonCount> {
        let counters = self.backend.counters();
        let count = |reason: Reason| ReasonCount {
            reason: reason.name().to_owned(),
            packets: counters[reason.index() as usize] + self.expectations.counted(reason),
        };
        Reason::ALL.into_iter().map(count).collect()
    }

    /// Slots that were ever used; the others are behind them.
    fn used_slots(&self) -> u32 {
        let memory = self.backend.memory();
        let fresh = memory.shared.shared(0).map_or(0, Shared::fresh);
        u32::try_from(fresh)
            .unwrap_or(u32::MAX)
            .min(memory.slots.len())
    }

    /// What deleted servers of a service counted that are still remembered.
    fn totals_of_deleted(&self, service: ServiceKey4) -> Totals {
        let mut total = Totals::default();
        let dests = self.backend.memory().dests;
        for index in self.roster.gone_of(service) {
            let dest = dests.read(index).unwrap_or_default();
            if dest.state == dest_state::DELETED {
                let totals = counted(&self.backend.dest_totals(index), &dest.baseline);
                add(&mut total, totals);
            }
        }
        total
    }

    fn service_view(&self, key: ServiceKey, known: &Known) -> ServiceView {
        let memory = self.backend.memory();
        let service = memory.services.read(known.index).unwrap_or_default();
        let mut total = service.residue;
        add(&mut total, self.totals_of_deleted(known.key));
        let servers = known
            .dests
            .iter()
            .filter_map(|index| {
                let dest = memory.dests.read(*index)?;
                let totals = counted(&self.backend.dest_totals(*index), &dest.baseline);
                add(&mut total, totals);
                Some(self.server_view(*index, &dest, totals))
            })
            .collect();
        let spec = ServiceSpec {
            key,
            scheduler: known.scheduler,
            flags: known.flags,
            persistence: known.persistence,
            one_packet: known.one_packet,
            helper: known.helper,
            mss_clamp: clamp_in(&service),
            source: known.source,
        };
        ServiceView {
            spec,
            counters: counters(total),
            rates: Rates::default(),
            servers,
        }
    }

    /// A slot as it is while it is live; one that changes while it is read is left
    /// out, as if the listing had come a moment later.
    fn connection(&self, slot: Shared<Slot>, now: u32) -> Option<ConnectionView> {
        let word = slot.word();
        if !word.is_live() {
            return None;
        }
        let (forward, reply) = (slot.forward(), slot.reply());
        if !slot.word().same_tenancy(word) {
            return None;
        }
        // A mark in place of an address has no stand-in.
        let virtual_address = match Protocol::from_number(forward.protocol) {
            Some(_) => self.true_end(forward.dst, forward.dst_port),
            None => (Ipv4Addr::from(forward.dst.bytes()), forward.dst_port.host()).into(),
        };
        let mut server = self.true_end(reply.src, reply.src_port);
        // Packets that are not translated do not name their server.
        if reply.src == forward.dst
            && let Some(dest) = self.backend.memory().dests.read(slot.dest())
        {
            server = self.true_end(dest.address, forward.dst_port);
        }
        let left = word.deadline().wrapping_sub(now);
        let left = if left < 1 << 31 { left } else { 0 };
        Some(ConnectionView {
            protocol: Protocol::from_number(forward.protocol),
            client: self.true_end(forward.src, forward.src_port),
            virtual_address,
            server,
            state: state_of(&forward, word.state()),
            expires_ms: ms_from_coarse(left),
        })
    }

    fn server_view(&self, index: u32, dest: &Dest, totals: Totals) -> ServerView {
        let counts = self.backend.memory().dest_counts.read(index);
        let counts = counts.unwrap_or_default();
        ServerView {
            spec: ServerSpec {
                address: self.true_end(dest.address, dest.port),
                forwarding: forwarding_in(dest),
                weight: Weight::new(dest.weight).unwrap_or_default(),
                upper_threshold: dest.upper,
                lower_threshold: dest.lower,
            },
            active: counts.active,
            inactive: counts.inactive,
            persistent: counts.persistent,
            counters: counters(totals),
            rates: Rates::default(),
        }
    }
}

fn add(sum: &mut Totals, totals: Totals) {
    for (sum, value) in sum.iter_mut().zip(totals) {
        *sum += value;
    }
}

fn counters(totals: Totals) -> Counters {
    let [connections, in_packets, out_packets, in_bytes, out_bytes] = totals;
    Counters {
        connections,
        in_packets,
        out_packets,
        in_bytes,
        out_bytes,
    }
}

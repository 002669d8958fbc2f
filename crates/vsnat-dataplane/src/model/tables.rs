//! The tables of the packet path over the model's memory.

use ipnet::{Ipv4Net, Ipv6Net};
use std::net::{Ipv4Addr, Ipv6Addr};
use vsnat_abi::counters::Reason;
use vsnat_abi::decision::Decision;
use vsnat_abi::destination::{Dest, DestCounts, DestStats};
use vsnat_abi::expected::{Expected, ExpectedKey4};
use vsnat_abi::filter::filter_place;
use vsnat_abi::flow::{FlowKey4, FlowRef};
use vsnat_abi::fragment::FragmentKey4;
use vsnat_abi::hop::{ClientWay, Hop};
use vsnat_abi::locality::{Locality, LocalityKey};
use vsnat_abi::mark::MarkRule4;
use vsnat_abi::net::Be32;
use vsnat_abi::service::{Service, ServiceKey4, View};
use vsnat_abi::settings::Settings;
use vsnat_abi::slot::Slot;
use vsnat_abi::stand_in::{Ip6, StandIn};
use vsnat_abi::table::{Shared as SharedWords, Stash};
use vsnat_abi::time::{Coarse, coarse_from_ns};
use vsnat_core::{Inserted, Loop, Round, Shared, Tables};

use crate::model::{Model, block};

impl Tables for Model {
    fn now_ns(&mut self) -> u64 {
        self.now_ns
    }

    fn now(&mut self) -> Coarse {
        coarse_from_ns(self.now_ns)
    }

    /// A generator by Marsaglia (xorshift): small, and the same on every run.
    fn random(&mut self) -> u32 {
        self.chance ^= self.chance << 13;
        self.chance ^= self.chance >> 7;
        self.chance ^= self.chance << 17;
        (self.chance >> 32) as u32
    }

    fn count(&mut self, reason: Reason) {
        self.counters[reason.index() as usize] += 1;
    }

    fn count_one_of(&mut self, reason: Reason) {
        self.count(reason);
    }

    fn take_back(&mut self, reason: Reason) {
        self.counters[reason.index() as usize] -= 1;
    }

    fn settings(&self) -> Option<Shared<Settings>> {
        self.memory.settings.shared(0)
    }

    fn filter(&self, filter: u32, address: Be32) -> bool {
        let (word, bit) = filter_place(address);
        let filter = self.memory.filters.read(filter);
        filter.is_some_and(|filter| filter.words[word] >> bit & 1 != 0)
    }

    fn denied(&self, source: Be32) -> u32 {
        let source = Ipv4Addr::from(source.bytes());
        let matching = self.deny.iter().filter(|(net, _)| net.contains(&source));
        let longest = matching.max_by_key(|(net, _)| Ipv4Net::prefix_len(net));
        longest.map_or(0, |(_, bits)| *bits)
    }

    fn denied6(&self, source: &Ip6) -> u32 {
        let source = Ipv6Addr::from(source.bytes());
        let matching = self.deny6.iter().filter(|(net, _)| net.contains(&source));
        let longest = matching.max_by_key(|(net, _)| Ipv6Net::prefix_len(net));
        longest.map_or(0, |(_, bits)| *bits)
    }

    fn place_of(&self, address: &Ip6) -> Option<u32> {
        self.places.get(address).copied()
    }

    fn put_place(&mut self, address: &Ip6, place: u32) -> Inserted {
        if self.places.contains_key(address) {
            return Inserted::Exists;
        }
        self.places.insert(*address, place);
        Inserted::Yes
    }

    fn stand_in(&self, place: u32) -> Option<Shared<StandIn>> {
        self.memory.stand_ins.shared(place)
    }

    fn pop_free_place(&mut self) -> Option<u32> {
        self.free_places.pop_front()
    }

    fn push_free_place(&mut self, place: u32) -> Option<()> {
        self.free_places.push_back(place);
        Some(())
    }

    fn flow(&self, key: &FlowKey4) -> Option<FlowRef> {
        self.flows.get(key).copied().map(FlowRef::from_raw)
    }

    fn insert_flow(&mut self, key: &FlowKey4, value: FlowRef) -> Inserted {
        if self.flows.contains_key(key) {
            return Inserted::Exists;
        }
        if self.flows.len() >= self.flow_limit {
            return Inserted::Full;
        }
        self.flows.insert(*key, value.raw());
        Inserted::Yes
    }

    fn remove_flow(&mut self, key: &FlowKey4) {
        self.flows.remove(key);
    }

    fn take_expected(&mut self, key: &ExpectedKey4) -> Option<Expected> {
        self.expected.remove(key)
    }

    fn recent(&self, place: u32) -> Option<Shared<u64>> {
        self.recent.shared(place)
    }

    fn fragment(&self, key: &FragmentKey4) -> Option<u64> {
        self.fragments.get(key).copied()
    }

    fn put_fragment(&mut self, key: &FragmentKey4, value: u64) {
        self.fragments.insert(*key, value);
    }

    fn zero(&self) -> u64 {
        0
    }

    fn slot(&self, index: u32) -> Option<Shared<Slot>> {
        self.memory.slots.shared(index)
    }

    fn shared(&self) -> Option<Shared<SharedWords>> {
        self.memory.shared.shared(0)
    }

    fn decision(&self) -> Option<Shared<Decision>> {
        self.decision.shared(0)
    }

    fn stash(&self) -> Option<Shared<Stash>> {
        self.stash.shared(0)
    }

    fn pop_free(&mut self) -> Option<u32> {
        self.free.pop_front()
    }

    fn push_free(&mut self, slot: u32) -> Option<()> {
        self.free.push_back(slot);
        Some(())
    }

    fn find_service(&self, key: &ServiceKey4) -> Option<u32> {
        self.service_keys.get(key).copied()
    }

    fn find_server(&self, key: &ServiceKey4) -> Option<u32> {
        self.server_keys.get(key).copied()
    }

    fn mark_rule(&self, index: u32) -> Option<Shared<MarkRule4>> {
        self.memory.marks.shared(index)
    }

    fn locality(&self, key: &LocalityKey) -> Option<Shared<Locality>> {
        self.localities.get(key)?.shared(0)
    }

    fn put_locality(&mut self, key: &LocalityKey, value: &Locality) -> Option<()> {
        let place = block(&mut self.blocks, 1, || *value);
        self.localities.insert(*key, place);
        Some(())
    }

    fn service(&self, index: u32) -> Option<Shared<Service>> {
        self.memory.services.shared(index)
    }

    fn view(&self, index: u32) -> Option<Shared<View>> {
        self.memory.views.shared(index)
    }

    fn cursor(&self, service: u32) -> Option<Shared<u64>> {
        self.memory.cursors.shared(service)
    }

    fn ring(&self, index: u32) -> Option<u64> {
        self.memory.ring.read(index)
    }

    fn repeat<L: Loop<Self>>(&mut self, count: u32, mut body: L) -> L {
        for index in 0..count {
            if body.round(self, index) == Round::Last {
                break;
            }
        }
        body
    }

    fn dest(&self, index: u32) -> Option<Shared<Dest>> {
        self.memory.dests.shared(index)
    }

    fn dest_counts(&self, index: u32) -> Option<Shared<DestCounts>> {
        self.memory.dest_counts.shared(index)
    }

    fn dest_stats(&self, index: u32) -> Option<Shared<DestStats>> {
        self.stats.shared(index)
    }

    fn hop(&self, index: u32) -> Option<Shared<Hop>> {
        self.hops.shared(index)
    }

    fn client_way(&self, index: u32) -> Option<Shared<ClientWay>> {
        self.client_ways.shared(index)
    }
}

//! The tables in plain memory, with the packet path over them.
//!
//! The same code that runs in the kernel, with a clock and a source of chance
//! that the caller turns. For tests, simulation and fuzzing.

mod packet;
mod tables;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::ptr::NonNull;

use ipnet::{Ipv4Net, Ipv6Net};
use vsnat_abi::counters::COUNTERS;
use vsnat_abi::decision::Decision;
use vsnat_abi::destination::{Dest, DestCounts, DestStats};
use vsnat_abi::expected::{EXPECTED, Expected, ExpectedKey4};
use vsnat_abi::filter::{FILTER_WORDS, Filter};
use vsnat_abi::flow::{FlowKey4, FlowRef};
use vsnat_abi::fragment::FragmentKey4;
use vsnat_abi::hop::{CLIENT_WAYS, ClientWay, HOPS, Hop};
use vsnat_abi::link::{LINKS, Link};
use vsnat_abi::locality::{Locality, LocalityKey};
use vsnat_abi::mark::{MARK_ENTRIES, MarkRule4};
use vsnat_abi::service::{Service, ServiceKey4, View};
use vsnat_abi::settings::Settings;
use vsnat_abi::slot::{Phase, Slot, SlotWord};
use vsnat_abi::stand_in::{Ip6, STAND_INS, StandIn};
use vsnat_abi::sweep::Sweep;
use vsnat_abi::table::{STASH_SIZE, Shared, Stash};
use vsnat_abi::time::coarse_from_ns;
use vsnat_api::Side;
use vsnat_core::sweep::{Pressure, Visit, visit};
use vsnat_core::way::{self, Step};
use vsnat_core::{Inserted, Tables, Verdict};

use crate::backend::Totals;
use crate::{Backend, BackendError, Limits, Memory, Region};

pub use packet::{Kind, ModelPacket, Routes};

/// Interfaces of a model are called by their indices: `if7`.
const INTERFACE: &str = "if";

/// A director's tables in memory.
#[derive(Debug)]
pub struct Model {
    memory: Memory,
    hops: Region<Hop>,
    client_ways: Region<ClientWay>,
    stash: Region<Stash>,
    decision: Region<Decision>,
    stats: Region<DestStats>,
    /// Keep the regions alive.
    blocks: Vec<Block>,
    flows: HashMap<FlowKey4, u64>,
    flow_limit: usize,
    expected: BTreeMap<ExpectedKey4, Expected>,
    recent: Region<u64>,
    free: VecDeque<u32>,
    service_keys: BTreeMap<ServiceKey4, u32>,
    server_keys: BTreeMap<ServiceKey4, u32>,
    /// Boxed: the packet path keeps a pointer while others come.
    localities: BTreeMap<LocalityKey, Region<Locality>>,
    fragments: BTreeMap<FragmentKey4, u64>,
    deny: BTreeMap<Ipv4Net, u32>,
    deny6: BTreeMap<Ipv6Net, u32>,
    places: BTreeMap<Ip6, u32>,
    free_places: VecDeque<u32>,
    counters: [u64; COUNTERS],
    now_ns: u64,
    chance: u64,
}

impl Model {
    /// Empty tables; `seed` decides everything that is drawn.
    pub fn new(limits: &Limits, seed: u64) -> Self {
        let mut blocks = Vec::new();
        let memory = Memory {
            slots: block(&mut blocks, limits.connections, empty_slot),
            shared: block(&mut blocks, 1, empty_shared),
            services: block(&mut blocks, limits.services, Service::default),
            views: block(&mut blocks, limits.views(), View::default),
            cursors: block(&mut blocks, limits.services, || 0u64),
            ring: block(&mut blocks, limits.ring_entries(), || 0u64),
            dests: block(&mut blocks, limits.servers, Dest::default),
            dest_counts: block(&mut blocks, limits.servers, DestCounts::default),
            marks: block(&mut blocks, MARK_ENTRIES, MarkRule4::default),
            settings: block(&mut blocks, 1, || Settings {
                recent_mask: limits.recent_cells() - 1,
                ..Settings::default()
            }),
            filters: block(&mut blocks, 2, empty_filter),
            sweep: block(&mut blocks, 1, Sweep::default),
            links: block(&mut blocks, LINKS, Link::default),
            info: block(&mut blocks, 1, || limits.info()),
            stand_ins: block(&mut blocks, STAND_INS, StandIn::default),
        };
        Model {
            memory,
            hops: block(&mut blocks, HOPS, Hop::default),
            recent: block(&mut blocks, limits.recent_cells(), || 0u64),
            client_ways: block(&mut blocks, CLIENT_WAYS, ClientWay::default),
            decision: block(&mut blocks, 1, Decision::default),
            stash: block(&mut blocks, 1, empty_stash),
            stats: block(&mut blocks, limits.servers, DestStats::default),
            blocks,
            flows: HashMap::new(),
            flow_limit: limits.flows() as usize,
            expected: BTreeMap::new(),
            free: VecDeque::new(),
            service_keys: BTreeMap::new(),
            server_keys: BTreeMap::new(),
            localities: BTreeMap::new(),
            fragments: BTreeMap::new(),
            deny: BTreeMap::new(),
            deny6: BTreeMap::new(),
            places: BTreeMap::new(),
            free_places: VecDeque::new(),
            counters: [0; COUNTERS],
            // Coarse time 0 means "never" in places, as right after boot.
            now_ns: 1 << 40,
            chance: seed | 1,
        }
    }

    pub fn advance_ms(&mut self, ms: u64) {
        self.now_ns += ms * 1_000_000;
    }

    /// A packet arrives from the clients.
    pub fn outer(&mut self, packet: &mut ModelPacket) -> Verdict {
        let step = way::outer(packet, self);
        self.go_on(packet, step, Side::Outer)
    }

    /// A packet arrives from the servers.
    pub fn inner(&mut self, packet: &mut ModelPacket) -> Verdict {
        let step = way::inner(packet, self);
        self.go_on(packet, step, Side::Inner)
    }

    /// From step to step, as the kernel does.
    fn go_on(&mut self, packet: &mut ModelPacket, mut step: Step, side: Side) -> Verdict {
        loop {
            step = match step {
                Step::Done(Verdict::Six) => way::six_out(packet, self),
                Step::Done(verdict) => return verdict,
                Step::Choose => way::outer_choose(packet, self),
                Step::Open => way::outer_open(packet, self),
                Step::Send => way::outer_send(packet, self),
                Step::HandOver => Step::Done(way::hand_over(packet, self)),
                Step::Alone => Step::Done(way::outer_alone(packet, self)),
                Step::Rest => way::inner_rest(packet, self),
                Step::Refuse => Step::Done(way::outer_refuse(packet, self)),
                Step::Error => Step::Done(match side {
                    Side::Outer => way::outer_error(packet, self),
                    Side::Inner => way::inner_error(packet, self),
                }),
                Step::Part => match side {
                    Side::Outer => way::outer_part(packet, self),
                    Side::Inner => Step::Done(way::inner_part(packet, self)),
                },
                Step::Six => match side {
                    Side::Outer => way::outer_six(packet, self),
                    Side::Inner => way::inner_six(packet, self),
                },
                Step::SixError => match side {
                    Side::Outer => way::outer_six_error(packet, self),
                    Side::Inner => way::inner_six_error(packet, self),
                },
                Step::SixErrorOut => Step::Done(way::six_error_out(packet, self)),
                Step::Again => match side {
                    Side::Outer => way::outer(packet, self),
                    Side::Inner => way::inner(packet, self),
                },
                Step::OuterExpected => way::outer_expected(packet, self),
                Step::InnerExpected => Step::Done(way::inner_expected(packet, self)),
            }
        }
    }

    /// One whole pass of the sweeper.
    pub fn sweep(&mut self, pressure: Pressure) {
        let Some(settings) = Tables::settings(self) else {
            return;
        };
        let now = coarse_from_ns(self.now_ns);
        let used = self.memory.shared.shared(0).map_or(0, |s| s.fresh());
        for index in 0..used as u32 {
            if visit(self, settings, index, now, pressure) == Visit::Beyond {
                return;
            }
        }
    }

    /// Entries of the flow table.
    pub fn flow_entries(&self) -> usize {
        self.flows.len()
    }
}

impl Backend for Model {
    fn memory(&self) -> &Memory {
        &self.memory
    }

    fn now_ns(&self) -> u64 {
        self.now_ns
    }

    fn put_service_key(&mut self, key: ServiceKey4, index: u32) -> Result<(), BackendError> {
        self.service_keys.insert(key, index);
        Ok(())
    }

    fn remove_service_key(&mut self, key: ServiceKey4) -> Result<(), BackendError> {
        self.service_keys.remove(&key);
        Ok(())
    }

    fn put_server_key(&mut self, key: ServiceKey4, dest: u32) -> Result<(), BackendError> {
        self.server_keys.insert(key, dest);
        Ok(())
    }

    fn remove_server_key(&mut self, key: ServiceKey4) -> Result<(), BackendError> {
        self.server_keys.remove(&key);
        Ok(())
    }

    fn connection_at(&self, key: &FlowKey4) -> Option<FlowRef> {
        Tables::flow(self, key)
    }

    fn put_expected(
        &mut self,
        key: ExpectedKey4,
        value: Expected,
    ) -> Result<Inserted, BackendError> {
        if self.expected.len() >= EXPECTED as usize && !self.expected.contains_key(&key) {
            return Ok(Inserted::Full);
        }
        self.expected.insert(key, value);
        Ok(Inserted::Yes)
    }

    fn remove_expected(&mut self, key: ExpectedKey4) -> Result<(), BackendError> {
        self.expected.remove(&key);
        Ok(())
    }

    fn expected(&self) -> Result<Vec<ExpectedKey4>, BackendError> {
        Ok(self.expected.keys().copied().collect())
    }

    fn interface_index(&self, name: &str) -> Option<u32> {
        name.strip_prefix(INTERFACE)?.parse().ok()
    }

    fn put_deny(&mut self, prefix: Ipv4Net, bits: u32) -> Result<(), BackendError> {
        match bits {
            0 => self.deny.remove(&prefix),
            bits => self.deny.insert(prefix, bits),
        };
        Ok(())
    }

    fn deny(&self) -> Result<Vec<(Ipv4Net, u32)>, BackendError> {
        Ok(self.deny.iter().map(|(net, bits)| (*net, *bits)).collect())
    }

    fn place_of(&self, address: Ip6) -> Option<u32> {
        self.places.get(&address).copied()
    }

    fn put_place(&mut self, address: Ip6, place: u32) -> Result<Inserted, BackendError> {
        if self.places.contains_key(&address) {
            return Ok(Inserted::Exists);
        }
        self.places.insert(address, place);
        Ok(Inserted::Yes)
    }

    fn remove_place(&mut self, address: Ip6) -> Result<(), BackendError> {
        self.places.remove(&address);
        Ok(())
    }

    fn pop_free_place(&mut self) -> Option<u32> {
        self.free_places.pop_front()
    }

    fn push_free_place(&mut self, place: u32) -> Result<(), BackendError> {
        self.free_places.push_back(place);
        Ok(())
    }

    fn put_deny6(&mut self, prefix: Ipv6Net, bits: u32) -> Result<(), BackendError> {
        match bits {
            0 => self.deny6.remove(&prefix),
            bits => self.deny6.insert(prefix, bits),
        };
        Ok(())
    }

    fn deny6(&self) -> Result<Vec<(Ipv6Net, u32)>, BackendError> {
        Ok(self.deny6.iter().map(|(net, bits)| (*net, *bits)).collect())
    }

    fn dest_totals(&self, dest: u32) -> Totals {
        let stats = self.stats.read(dest).unwrap_or_default();
        [
            stats.connections,
            stats.in_packets,
            stats.out_packets,
            stats.in_bytes,
            stats.out_bytes,
        ]
    }

    fn counters(&self) -> [u64; COUNTERS] {
        self.counters
    }
}

/// Memory of one region, freed with the model.
struct Block {
    free: Box<dyn FnMut() + Send>,
}

impl std::fmt::Debug for Block {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Block")
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        (self.free)();
    }
}

fn block<T: 'static>(blocks: &mut Vec<Block>, len: u32, make: impl Fn() -> T) -> Region<T> {
    let elements: Box<[T]> = (0..len).map(|_| make()).collect();
    let base = Box::leak(elements).as_mut_ptr();
    // SAFETY: `leak` gave a valid, aligned, non-null place for `len` elements;
    // it is freed with the model, after the last use of the region.
    let region = unsafe { Region::new(NonNull::new_unchecked(base), len) };
    let address = base as usize;
    let free = Box::new(move || {
        let slice = std::ptr::slice_from_raw_parts_mut(address as *mut T, len as usize);
        // SAFETY: the slice that was leaked above, given back once.
        drop(unsafe { Box::from_raw(slice) });
    });
    blocks.push(Block { free });
    region
}

fn empty_slot() -> Slot {
    Slot {
        word: SlotWord::new(Phase::Free, 0, 0, 0).raw(),
        forward: FlowKey4::default(),
        reply: FlowKey4::default(),
        dest: 0,
        hop_forward: 0,
        hop_reply: 0,
        asked_forward: 0,
        asked_reply: 0,
        control: 0,
    }
}

fn empty_shared() -> Shared {
    Shared {
        fresh: 0,
        zero: [0; 7],
        icmp_due_ns: 0,
        drop_count: 0,
        drop_rate: 0,
        zero2: [0; 5],
        now: 0,
        fresh_stand_in: 0,
        zero3: [0; 6],
    }
}

fn empty_stash() -> Stash {
    Stash {
        count: 0,
        zero: 0,
        slots: [0; STASH_SIZE],
    }
}

fn empty_filter() -> Filter {
    Filter {
        words: [0; FILTER_WORDS],
    }
}

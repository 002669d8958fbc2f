//! The maps, and nothing else touches them by name.
//!
//! Sizes are set by the loader before the maps are made. Arrays can be mapped
//! into the daemon's memory; the verifier bounds every index.

use aya_ebpf::bindings::{BPF_F_MMAPABLE, BPF_F_NO_PREALLOC, bpf_timer};
use aya_ebpf::btf_maps;
use aya_ebpf::macros::{btf_map, map};
use aya_ebpf::maps::lpm_trie::{Key, LpmTrie};
use aya_ebpf::maps::{Array, HashMap, LruHashMap, PerCpuArray, ProgramArray, Queue};
use vsnat_abi::counters::Counters;
use vsnat_abi::decision::Decision;
use vsnat_abi::destination::{Dest, DestCounts, DestStats};
use vsnat_abi::expected::{EXPECTED as EXPECTED_ENTRIES, Expected, ExpectedKey4};
use vsnat_abi::filter::Filter;
use vsnat_abi::flow::FlowKey4;
use vsnat_abi::fragment::{FRAGMENTS as FRAGMENT_ENTRIES, FragmentKey4};
use vsnat_abi::hop::{CLIENT_WAYS as CLIENT_WAY_ENTRIES, ClientWay, HOPS as HOP_ENTRIES, Hop};
use vsnat_abi::link::{LINKS as LINK_PLACES, Link};
use vsnat_abi::locality::{LOCALITIES, Locality, LocalityKey};
use vsnat_abi::mark::{MARK_ENTRIES, MarkRule4};
use vsnat_abi::service::{Service, ServiceKey4, View};
use vsnat_abi::settings::{MAX_DENY, Settings};
use vsnat_abi::slot::Slot;
use vsnat_abi::stand_in::{Ip6, STAND_INS as STAND_IN_PLACES, StandIn};
use vsnat_abi::sweep::Sweep;
use vsnat_abi::table::{Info, Shared, Stash};

/// Replaced by the loader with the size that was asked for.
const SIZED_BY_LOADER: u32 = 1;

#[map]
pub static FLOWS4: HashMap<FlowKey4, u64> = HashMap::with_max_entries(SIZED_BY_LOADER, 0);
#[map]
pub static RECENT: Array<u64> = Array::with_max_entries(SIZED_BY_LOADER, 0);
#[map]
pub static SLOTS: Array<Slot> = Array::with_max_entries(SIZED_BY_LOADER, BPF_F_MMAPABLE);
#[map]
pub static FREE: Queue<u32> = Queue::with_max_entries(SIZED_BY_LOADER, 0);
#[map]
pub static STASH: PerCpuArray<Stash> = PerCpuArray::with_max_entries(1, 0);
#[map]
pub static DECISION: PerCpuArray<Decision> = PerCpuArray::with_max_entries(1, 0);
#[map]
pub static SHARED: Array<Shared> = Array::with_max_entries(1, BPF_F_MMAPABLE);

#[map]
pub static SERVICE_KEYS: HashMap<ServiceKey4, u64> = HashMap::with_max_entries(SIZED_BY_LOADER, 0);
#[map]
pub static SERVER_KEYS: HashMap<ServiceKey4, u64> = HashMap::with_max_entries(SIZED_BY_LOADER, 0);
#[map]
pub static EXPECTED: HashMap<ExpectedKey4, Expected> =
    HashMap::with_max_entries(EXPECTED_ENTRIES, 0);
#[map]
pub static SERVICES: Array<Service> = Array::with_max_entries(SIZED_BY_LOADER, BPF_F_MMAPABLE);
#[map]
pub static VIEWS: Array<View> = Array::with_max_entries(SIZED_BY_LOADER, BPF_F_MMAPABLE);
#[map]
pub static CURSORS: Array<u64> = Array::with_max_entries(SIZED_BY_LOADER, BPF_F_MMAPABLE);
#[map]
pub static RING: Array<u64> = Array::with_max_entries(SIZED_BY_LOADER, BPF_F_MMAPABLE);

#[map]
pub static DESTS: Array<Dest> = Array::with_max_entries(SIZED_BY_LOADER, BPF_F_MMAPABLE);
#[map]
pub static DEST_COUNTS: Array<DestCounts> =
    Array::with_max_entries(SIZED_BY_LOADER, BPF_F_MMAPABLE);
#[map]
pub static DEST_STATS: PerCpuArray<DestStats> = PerCpuArray::with_max_entries(SIZED_BY_LOADER, 0);

#[map]
pub static HOPS: Array<Hop> = Array::with_max_entries(HOP_ENTRIES, BPF_F_MMAPABLE);
#[map]
pub static CLIENT_WAYS: Array<ClientWay> =
    Array::with_max_entries(CLIENT_WAY_ENTRIES, BPF_F_MMAPABLE);
#[map]
pub static MARKS: Array<MarkRule4> = Array::with_max_entries(MARK_ENTRIES, BPF_F_MMAPABLE);
#[map]
pub static LOCALITY: LruHashMap<LocalityKey, Locality> =
    LruHashMap::with_max_entries(LOCALITIES, 0);
#[map]
pub static FRAGMENTS: LruHashMap<FragmentKey4, u64> =
    LruHashMap::with_max_entries(FRAGMENT_ENTRIES, 0);
#[map]
pub static SETTINGS: Array<Settings> = Array::with_max_entries(1, BPF_F_MMAPABLE);
#[map]
pub static FILTERS: Array<Filter> = Array::with_max_entries(2, BPF_F_MMAPABLE);
#[map]
pub static DENY: LpmTrie<u32, u32> = LpmTrie::with_max_entries(MAX_DENY, BPF_F_NO_PREALLOC);
#[map]
pub static COUNTERS: PerCpuArray<Counters> = PerCpuArray::with_max_entries(1, 0);
#[map]
pub static LINKS: Array<Link> = Array::with_max_entries(LINK_PLACES, BPF_F_MMAPABLE);
#[map]
pub static INFO: Array<Info> = Array::with_max_entries(1, BPF_F_MMAPABLE);
#[map]
pub static SWEEP: Array<Sweep> = Array::with_max_entries(1, BPF_F_MMAPABLE);

/// Filled as addresses come: most directors meet few.
#[map]
pub static ADDRESSES6: HashMap<Ip6, u32> =
    HashMap::with_max_entries(STAND_IN_PLACES, BPF_F_NO_PREALLOC);
#[map]
pub static STAND_INS: Array<StandIn> = Array::with_max_entries(STAND_IN_PLACES, BPF_F_MMAPABLE);
#[map]
pub static FREE6: Queue<u32> = Queue::with_max_entries(STAND_IN_PLACES, 0);
#[map]
pub static DENY6: LpmTrie<Ip6, u32> = LpmTrie::with_max_entries(MAX_DENY, BPF_F_NO_PREALLOC);

/// The programs that another one goes on with.
#[map]
pub static STEPS: ProgramArray = ProgramArray::with_max_entries(vsnat_abi::step::COUNT, 0);

/// Key of the deny trie for one source address.
#[inline(always)]
pub fn deny_key(address: u32) -> Key<u32> {
    Key::new(32, address)
}

/// The same for an IPv6 source.
#[inline(always)]
pub fn deny6_key(address: &Ip6) -> Key<Ip6> {
    Key::new(128, *address)
}

/// The sweeper's timer. Never written from user space: an update of the
/// element would cancel the timer for good.
#[repr(C)]
pub struct TimerCell {
    pub timer: bpf_timer,
}

/// A timer needs a map that carries type information.
#[btf_map]
pub static SWEEP_TIMER: btf_maps::Array<TimerCell, 1, 0> = btf_maps::Array::new();

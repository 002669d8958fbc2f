//! The tables of the packet path, as maps of the kernel.

use aya_ebpf::bindings::BPF_NOEXIST;
use aya_ebpf::helpers::{bpf_get_prandom_u32, bpf_ktime_get_coarse_ns, bpf_loop};
use core::arch::asm;
use core::ffi::c_void;
use vsnat_abi::counters::{COUNTERS, Reason};
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
use vsnat_abi::time::Coarse;
use vsnat_core::{Inserted, Loop, Round, Shared, Tables};

use crate::maps;

/// All maps at once; it holds nothing itself.
pub struct KernelTables;

const EEXIST: i32 = -17;

/// SAFETY of all uses: elements of arrays stay where they are for as long as
/// the map exists, and the map outlives the run.
macro_rules! element {
    ($map:expr, $index:expr) => {
        match $map.get_ptr_mut($index) {
            // SAFETY: see above.
            Some(pointer) => Some(unsafe { Shared::new(pointer) }),
            None => None,
        }
    };
}

impl Tables for KernelTables {
    #[inline(always)]
    fn now_ns(&mut self) -> u64 {
        // SAFETY: a helper without arguments.
        unsafe { bpf_ktime_get_coarse_ns() }
    }

    #[inline(always)]
    fn now(&mut self) -> Coarse {
        self.shared().map_or(0, Shared::<SharedWords>::now)
    }

    #[inline(always)]
    fn random(&mut self) -> u32 {
        // SAFETY: a helper without arguments.
        unsafe { bpf_get_prandom_u32() }
    }

    #[inline(always)]
    fn count(&mut self, reason: Reason) {
        add_one(reason.index());
    }

    #[inline(always)]
    fn count_one_of(&mut self, reason: Reason) {
        add_one(opaque(reason.index()) & (COUNTERS as u32 - 1));
    }

    #[inline(always)]
    fn take_back(&mut self, reason: Reason) {
        let Some(counters) = maps::COUNTERS.get_ptr_mut(0) else {
            return;
        };
        // SAFETY: this CPU's element, which no other CPU writes; the index is
        // known when the program is compiled, and below the length.
        unsafe {
            let counters = (&raw mut (*counters).packets).cast::<u64>();
            *counters.add(reason.index() as usize) -= 1;
        }
    }

    #[inline(always)]
    fn settings(&self) -> Option<Shared<Settings>> {
        element!(maps::SETTINGS, 0)
    }

    #[inline(always)]
    fn filter(&self, filter: u32, address: Be32) -> bool {
        let Some(filter) = maps::FILTERS.get_ptr(filter) else {
            return false;
        };
        let (word, bit) = filter_place(address);
        // SAFETY: the place is below the length by construction (16 bits of
        // hash, six of them in the bit).
        let word = unsafe {
            (&raw const (*filter).words)
                .cast::<u64>()
                .add(word)
                .read_volatile()
        };
        word >> bit & 1 != 0
    }

    #[inline(always)]
    fn denied(&self, source: Be32) -> u32 {
        maps::DENY
            .get(maps::deny_key(source.raw()))
            .copied()
            .unwrap_or(0)
    }

    #[inline(always)]
    fn denied6(&self, source: &Ip6) -> u32 {
        maps::DENY6
            .get(maps::deny6_key(source))
            .copied()
            .unwrap_or(0)
    }

    #[inline(always)]
    fn place_of(&self, address: &Ip6) -> Option<u32> {
        let value = maps::ADDRESSES6.get_ptr(address)?;
        // SAFETY: one aligned word, copied at once.
        Some(unsafe { value.read_volatile() })
    }

    #[inline(always)]
    fn put_place(&mut self, address: &Ip6, place: u32) -> Inserted {
        match maps::ADDRESSES6.insert(address, place, u64::from(BPF_NOEXIST)) {
            Ok(()) => Inserted::Yes,
            Err(EEXIST) => Inserted::Exists,
            Err(_) => Inserted::Full,
        }
    }

    #[inline(always)]
    fn stand_in(&self, place: u32) -> Option<Shared<StandIn>> {
        element!(maps::STAND_INS, place)
    }

    #[inline(always)]
    fn pop_free_place(&mut self) -> Option<u32> {
        maps::FREE6.pop().ok().flatten()
    }

    #[inline(always)]
    fn push_free_place(&mut self, place: u32) -> Option<()> {
        maps::FREE6.push(place, 0).ok()
    }

    #[inline(always)]
    fn flow(&self, key: &FlowKey4) -> Option<FlowRef> {
        // SAFETY: one aligned word is copied at once and proved by the slot.
        let value = maps::FLOWS4.get_ptr(key)?;
        Some(FlowRef::from_raw(unsafe { value.read_volatile() }))
    }

    #[inline(always)]
    fn insert_flow(&mut self, key: &FlowKey4, value: FlowRef) -> Inserted {
        match maps::FLOWS4.insert(key, value.raw(), u64::from(BPF_NOEXIST)) {
            Ok(()) => Inserted::Yes,
            Err(EEXIST) => Inserted::Exists,
            Err(_) => Inserted::Full,
        }
    }

    #[inline(always)]
    fn remove_flow(&mut self, key: &FlowKey4) {
        // A key that is not there needs no removing.
        let _ = maps::FLOWS4.remove(key);
    }

    #[inline(always)]
    fn take_expected(&mut self, key: &ExpectedKey4) -> Option<Expected> {
        let value = maps::EXPECTED.get_ptr(key)?;
        // SAFETY: an element that is removed meanwhile stays memory of the map;
        // what is read there is proved by the server it names.
        let expected = unsafe { value.read_volatile() };
        // Of several packets one removes it.
        maps::EXPECTED.remove(key).ok()?;
        Some(expected)
    }

    #[inline(always)]
    fn recent(&self, place: u32) -> Option<Shared<u64>> {
        element!(maps::RECENT, place)
    }

    #[inline(always)]
    fn fragment(&self, key: &FragmentKey4) -> Option<u64> {
        let value = maps::FRAGMENTS.get_ptr(key)?;
        // SAFETY: one aligned word is copied at once and proved by the slot.
        Some(unsafe { value.read_volatile() })
    }

    #[inline(always)]
    fn put_fragment(&mut self, key: &FragmentKey4, value: u64) {
        // Without an entry the pieces that follow are dropped and counted.
        let _ = maps::FRAGMENTS.insert(key, value, 0);
    }

    #[inline(always)]
    fn zero(&self) -> u64 {
        // A word that nobody writes.
        self.shared().map_or(0, Shared::zero)
    }

    #[inline(always)]
    fn slot(&self, index: u32) -> Option<Shared<Slot>> {
        element!(maps::SLOTS, index)
    }

    #[inline(always)]
    fn shared(&self) -> Option<Shared<SharedWords>> {
        element!(maps::SHARED, 0)
    }

    #[inline(always)]
    fn decision(&self) -> Option<Shared<Decision>> {
        element!(maps::DECISION, 0)
    }

    #[inline(always)]
    fn stash(&self) -> Option<Shared<Stash>> {
        element!(maps::STASH, 0)
    }

    #[inline(always)]
    fn pop_free(&mut self) -> Option<u32> {
        maps::FREE.pop().ok().flatten()
    }

    #[inline(always)]
    fn push_free(&mut self, slot: u32) -> Option<()> {
        maps::FREE.push(slot, 0).ok()
    }

    #[inline(always)]
    fn find_service(&self, key: &ServiceKey4) -> Option<u32> {
        let value = maps::SERVICE_KEYS.get_ptr(key)?;
        // SAFETY: one aligned word, copied at once.
        Some(unsafe { value.read_volatile() } as u32)
    }

    #[inline(always)]
    fn find_server(&self, key: &ServiceKey4) -> Option<u32> {
        let value = maps::SERVER_KEYS.get_ptr(key)?;
        // SAFETY: one aligned word, copied at once.
        Some(unsafe { value.read_volatile() } as u32)
    }

    #[inline(always)]
    fn mark_rule(&self, index: u32) -> Option<Shared<MarkRule4>> {
        element!(maps::MARKS, index)
    }

    #[inline(always)]
    fn locality(&self, key: &LocalityKey) -> Option<Shared<Locality>> {
        let value = maps::LOCALITY.get_ptr_mut(key)?;
        // SAFETY: an element that makes room for another stays memory of the
        // map; what is read there is proved by the servers it names.
        Some(unsafe { Shared::new(value) })
    }

    #[inline(always)]
    fn put_locality(&mut self, key: &LocalityKey, value: &Locality) -> Option<()> {
        maps::LOCALITY.insert(key, value, 0).ok()
    }

    #[inline(always)]
    fn service(&self, index: u32) -> Option<Shared<Service>> {
        element!(maps::SERVICES, index)
    }

    #[inline(always)]
    fn view(&self, index: u32) -> Option<Shared<View>> {
        element!(maps::VIEWS, index)
    }

    #[inline(always)]
    fn cursor(&self, service: u32) -> Option<Shared<u64>> {
        element!(maps::CURSORS, service)
    }

    #[inline(always)]
    fn ring(&self, index: u32) -> Option<u64> {
        let entry = maps::RING.get_ptr(index)?;
        // SAFETY: one aligned word.
        Some(unsafe { entry.read_volatile() })
    }

    #[inline(always)]
    fn repeat<L: Loop<Self>>(&mut self, count: u32, mut body: L) -> L {
        // SAFETY: the callback is given the body, which outlives the loop.
        unsafe {
            bpf_loop(count, round::<L> as *mut c_void, (&raw mut body).cast(), 0);
        }
        body
    }

    #[inline(always)]
    fn dest(&self, index: u32) -> Option<Shared<Dest>> {
        element!(maps::DESTS, index)
    }

    #[inline(always)]
    fn dest_counts(&self, index: u32) -> Option<Shared<DestCounts>> {
        element!(maps::DEST_COUNTS, index)
    }

    #[inline(always)]
    fn dest_stats(&self, index: u32) -> Option<Shared<DestStats>> {
        element!(maps::DEST_STATS, index)
    }

    #[inline(always)]
    fn hop(&self, index: u32) -> Option<Shared<Hop>> {
        element!(maps::HOPS, index)
    }

    #[inline(always)]
    fn client_way(&self, index: u32) -> Option<Shared<ClientWay>> {
        element!(maps::CLIENT_WAYS, index)
    }
}

#[inline(always)]
fn add_one(index: u32) {
    let Some(counters) = maps::COUNTERS.get_ptr_mut(0) else {
        return;
    };
    // SAFETY: this CPU's element, which no other CPU writes; the index is
    // below the length.
    unsafe {
        let counters = (&raw mut (*counters).packets).cast::<u64>();
        *counters.add(index as usize) += 1;
    }
}

/// Hides from the compiler what it knows of a number: it would drop a mask
/// that the verifier, which knows less, needs to see.
#[inline(always)]
fn opaque(mut number: u32) -> u32 {
    // SAFETY: a move of a register to itself. (An empty text would give two
    // lines of source to one instruction, which the kernel refuses.)
    unsafe { asm!("{0} = {0}", inout(reg) number, options(pure, nomem, nostack)) };
    number
}

/// One round of the kernel's loop. Answers 1 to end it.
unsafe extern "C" fn round<L: Loop<KernelTables>>(index: u32, context: *mut c_void) -> i64 {
    // SAFETY: `repeat` passed a pointer to its own body.
    let body = unsafe { &mut *context.cast::<L>() };
    match body.round(&mut KernelTables, index) {
        Round::Next => 0,
        Round::Last => 1,
    }
}

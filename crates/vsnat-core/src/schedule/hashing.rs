//! `sh`, `dh` and `mh`: the address decides.
//!
//! The daemon has filled a table with servers, resting ones included: a server
//! whose weight is zero keeps its slots, so that the others keep theirs. What
//! falls on it is refused, or with the fallback flag tried at other slots.

use vsnat_abi::flow::FlowKey4;
use vsnat_abi::service::{Entry, NO_ENTRY, View, scheduler, scheduler_flag};

use crate::counts::is_overloaded;
use crate::schedule::hash::{HASH_SLOTS, MAGLEV_KEY, MAGLEV_SLOTS, sip_hash, slot_hash};
use crate::{Loop, Round, Shared, Tables, six};

#[inline(always)]
pub(super) fn pick<T: Tables>(tables: &mut T, view: Shared<View>, key: &FlowKey4) -> Option<u32> {
    let number = view.scheduler();
    let flags = match number {
        scheduler::DH => 0,
        _ => view.flags(),
    };
    let port = match flags & scheduler_flag::PORT {
        0 => 0,
        _ => u32::from(key.src_port.host()),
    };
    let value = match number {
        scheduler::DH => six::hashed(tables, key.dst),
        _ => six::hashed(tables, key.src).wrapping_add(port),
    };
    let first = slot(number, value, 0);
    let dest = server(tables, view.ring(), first)?;
    if is_usable(tables, dest) {
        return Some(dest);
    }
    if flags & scheduler_flag::FALLBACK == 0 {
        return None;
    }
    let zero = tables.zero();
    let fallback = Fallback {
        found: zero,
        ring: view.ring(),
        scheduler: number,
        value,
        first,
        dest: zero as u32,
        zero: 0,
    };
    let fallback = tables.repeat(slots(number), fallback);
    if fallback.found == 0 {
        None
    } else {
        Some(fallback.dest)
    }
}

/// The slot of a value, shifted by `offset` as IPVS shifts it: `sh` behind the
/// hash, `mh` before it.
#[inline(always)]
fn slot(number: u32, value: u32, offset: u32) -> u32 {
    match number {
        scheduler::MH => sip_hash(value.wrapping_add(offset), MAGLEV_KEY) % MAGLEV_SLOTS,
        _ => slot_hash(value).wrapping_add(offset) % HASH_SLOTS,
    }
}

#[inline(always)]
fn slots(number: u32) -> u32 {
    match number {
        scheduler::MH => MAGLEV_SLOTS,
        _ => HASH_SLOTS,
    }
}

#[inline(always)]
fn server<T: Tables>(tables: &T, ring: u32, slot: u32) -> Option<u32> {
    match tables.ring(ring.wrapping_add(slot))? {
        NO_ENTRY => None,
        entry => Some(Entry::from_raw(entry).dest()),
    }
}

#[inline(always)]
fn is_usable<T: Tables>(tables: &T, dest: u32) -> bool {
    tables.dest(dest).is_some_and(|dest| dest.weight() > 0) && !is_overloaded(tables, dest)
}

/// The search for another server, from the first slot on.
#[repr(C)]
struct Fallback {
    found: u64,
    ring: u32,
    scheduler: u32,
    value: u32,
    first: u32,
    dest: u32,
    zero: u32,
}

impl<T: Tables> Loop<T> for Fallback {
    #[inline(always)]
    fn round(&mut self, tables: &mut T, index: u32) -> Round {
        let offset = index.wrapping_add(self.first) % slots(self.scheduler);
        let at = slot(self.scheduler, self.value, offset);
        let Some(dest) = server(tables, self.ring, at) else {
            return Round::Last;
        };
        if !is_usable(tables, dest) {
            return Round::Next;
        }
        self.found = 1;
        self.dest = dest;
        Round::Last
    }
}

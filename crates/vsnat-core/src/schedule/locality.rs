//! `lblc` and `lblcr`: a destination goes where it went before, as long as
//! that server is not overloaded while another one idles.
//!
//! `lblc` remembers one server for each destination, `lblcr` a few, of which
//! the least loaded serves and the most loaded is dropped now and then. What
//! is remembered may be changed by several CPUs at once: a server lost from a
//! set is found again by load.

use vsnat_abi::destination::dest_state;
use vsnat_abi::flow::FlowKey4;
use vsnat_abi::locality::{LOCALITY_SERVERS, Locality, LocalityKey, NO_SERVER};
use vsnat_abi::service::{Entry, MAX_SERVERS_PER_SERVICE, View, scheduler};
use vsnat_abi::time::Coarse;

use crate::counts::is_overloaded;
use crate::schedule::least;
use crate::target::Target;
use crate::{Loop, Round, Shared, Tables};

#[inline(always)]
pub(super) fn pick<T: Tables>(
    tables: &mut T,
    target: &Target,
    view: Shared<View>,
    key: &FlowKey4,
    now: Coarse,
) -> Option<u32> {
    let place = LocalityKey {
        service: target.index,
        destination: key.dst,
    };
    let known = tables.locality(&place);
    let Some(known) = known.filter(|known| is_valid(tables, *known, view, now)) else {
        let dest = least::pick(tables, view)?;
        let fresh = Locality {
            used: now,
            changed: now,
            bound: view.anchor(),
            servers: [
                dest, NO_SERVER, NO_SERVER, NO_SERVER, NO_SERVER, NO_SERVER, NO_SERVER, NO_SERVER,
            ],
        };
        // Without room it is only not remembered.
        let _ = tables.put_locality(&place, &fresh);
        return Some(dest);
    };
    known.set_used(now);
    match view.scheduler() {
        scheduler::LBLC => one(tables, target, view, known),
        _ => of_several(tables, target, view, known, now),
    }
}

/// Under another scheduler, or too long ago, nothing was remembered.
#[inline(always)]
fn is_valid<T: Tables>(
    tables: &T,
    known: Shared<Locality>,
    view: Shared<View>,
    now: Coarse,
) -> bool {
    let Some(settings) = tables.settings() else {
        return false;
    };
    let expiration = match view.scheduler() {
        scheduler::LBLC => settings.lblc_expiration(),
        // A set loses its servers one by one instead.
        _ => Coarse::MAX,
    };
    known.bound() == view.anchor() && now.wrapping_sub(known.used()) <= expiration
}

#[inline(always)]
fn one<T: Tables>(
    tables: &mut T,
    target: &Target,
    view: Shared<View>,
    known: Shared<Locality>,
) -> Option<u32> {
    let dest = known.server(0);
    // IPVS does not look at the thresholds of a server that it remembers.
    if is_usable(tables, target, dest) && !is_worth_leaving(tables, view, dest) {
        return Some(dest);
    }
    let dest = least::pick(tables, view)?;
    known.set_server(0, dest);
    Some(dest)
}

#[inline(always)]
fn of_several<T: Tables>(
    tables: &mut T,
    target: &Target,
    view: Shared<View>,
    known: Shared<Locality>,
    now: Coarse,
) -> Option<u32> {
    let expiration = tables.settings()?.lblcr_expiration();
    let set = survey(tables, target, known);
    if set.size > 1 && now.wrapping_sub(known.changed()) > expiration {
        known.set_server(set.most_place, NO_SERVER);
        known.set_changed(now);
    }
    if set.found != 0 && !is_worth_leaving(tables, view, set.least) {
        return Some(set.least);
    }
    let dest = least::pick(tables, view)?;
    remember(known, dest, now);
    Some(dest)
}

/// Puts a server before the others, as IPVS does, unless it is among them; the
/// last one makes room.
#[inline(always)]
fn remember(known: Shared<Locality>, dest: u32, now: Coarse) {
    let mut is_there = false;
    for place in 0..LOCALITY_SERVERS as u32 {
        is_there |= known.server(place) == dest;
    }
    if is_there {
        return;
    }
    let mut moved = dest;
    for place in 0..LOCALITY_SERVERS as u32 {
        let here = known.server(place);
        known.set_server(place, moved);
        moved = here;
        if here == NO_SERVER {
            break;
        }
    }
    known.set_changed(now);
}

/// The least and the most loaded server of a set.
#[repr(C)]
struct Survey<'a> {
    found: u64,
    size: u64,
    least_load: u64,
    least_weight: u64,
    most_load: u64,
    most_weight: u64,
    least: u32,
    most_place: u32,
    target: &'a Target,
    known: Shared<Locality>,
}

#[inline(always)]
fn survey<'a, T: Tables>(
    tables: &mut T,
    target: &'a Target,
    known: Shared<Locality>,
) -> Survey<'a> {
    let zero = tables.zero();
    let survey = Survey {
        found: zero,
        size: zero,
        least_load: zero,
        least_weight: zero,
        most_load: zero,
        most_weight: zero,
        least: zero as u32,
        most_place: zero as u32,
        target,
        known,
    };
    tables.repeat(LOCALITY_SERVERS as u32, survey)
}

impl<T: Tables> Loop<T> for Survey<'_> {
    #[inline(always)]
    fn round(&mut self, tables: &mut T, index: u32) -> Round {
        let dest = self.known.server(index);
        if dest == NO_SERVER {
            return Round::Next;
        }
        self.size = self.size.wrapping_add(1);
        if !is_usable(tables, self.target, dest) {
            return Round::Next;
        }
        let (Some(server), Some(counts)) = (tables.dest(dest), tables.dest_counts(dest)) else {
            return Round::Next;
        };
        let load = u64::from(counts.active()) * 257 + u64::from(counts.inactive());
        let weight = u64::from(server.weight());
        if self.most_weight == 0
            || self.most_load.wrapping_mul(weight) < load.wrapping_mul(self.most_weight)
        {
            self.most_load = load;
            self.most_weight = weight;
            self.most_place = index;
        }
        if is_overloaded(tables, dest) {
            return Round::Next;
        }
        if self.found == 0
            || self.least_load.wrapping_mul(weight) > load.wrapping_mul(self.least_weight)
        {
            self.found = 1;
            self.least = dest;
            self.least_load = load;
            self.least_weight = weight;
        }
        Round::Next
    }
}

#[inline(always)]
fn is_usable<T: Tables>(tables: &T, target: &Target, dest: u32) -> bool {
    let Some(server) = tables.dest(dest) else {
        return false;
    };
    server.state() == dest_state::AVAILABLE && server.weight() > 0 && server.service() == target.key
}

/// Whether a server has more active connections than its weight while another
/// one has less than half of its own.
#[inline(always)]
fn is_worth_leaving<T: Tables>(tables: &mut T, view: Shared<View>, dest: u32) -> bool {
    let (Some(server), Some(counts)) = (tables.dest(dest), tables.dest_counts(dest)) else {
        return true;
    };
    if counts.active() <= server.weight() {
        return false;
    }
    let idle = Idle {
        found: tables.zero(),
        ring: view.ring(),
        zero: 0,
    };
    let servers = view.servers().min(MAX_SERVERS_PER_SERVICE);
    tables.repeat(servers, idle).found != 0
}

/// The search for an idle server.
#[repr(C)]
struct Idle {
    found: u64,
    ring: u32,
    zero: u32,
}

impl<T: Tables> Loop<T> for Idle {
    #[inline(always)]
    fn round(&mut self, tables: &mut T, index: u32) -> Round {
        let Some(entry) = tables.ring(self.ring.wrapping_add(index)) else {
            return Round::Last;
        };
        let entry = Entry::from_raw(entry);
        let Some(counts) = tables.dest_counts(entry.dest()) else {
            return Round::Next;
        };
        if u64::from(counts.active()) * 2 >= u64::from(entry.weight()) {
            return Round::Next;
        }
        self.found = 1;
        Round::Last
    }
}

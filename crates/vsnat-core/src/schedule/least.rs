//! The schedulers that look at every server: `lc`, `wlc`, `sed`, `nq`, `fo`
//! and `ovf`, and `lblc` and `lblcr` where they remember nothing.
//!
//! One loop for all of them: each server gets a load, the smallest load per
//! weight wins, and of equal servers the earlier in the list. An active
//! connection weighs 257 times an inactive one, as in IPVS since 6.9.

use vsnat_abi::service::{Entry, MAX_SERVERS_PER_SERVICE, View, scheduler};

use crate::schedule::{has_limits, has_room};
use crate::{Loop, Round, Shared, Tables};

/// Servers that a round looks at: calling a round costs as much as looking.
const STRIDE: u32 = 4;

#[inline(always)]
pub(super) fn pick<T: Tables>(tables: &mut T, view: Shared<View>) -> Option<u32> {
    let servers = view.servers().min(MAX_SERVERS_PER_SERVICE);
    let zero = tables.zero();
    let least = Least {
        found: zero,
        limits: u64::from(has_limits(view)),
        load: zero,
        weight: zero,
        ring: view.ring(),
        scheduler: view.scheduler(),
        dest: zero as u32,
        servers,
    };
    let least = tables.repeat(servers.div_ceil(STRIDE), least);
    if least.found == 0 {
        None
    } else {
        Some(least.dest)
    }
}

/// All words, since the verifier follows them through the callback's memory.
#[repr(C)]
struct Least {
    found: u64,
    limits: u64,
    load: u64,
    weight: u64,
    ring: u32,
    scheduler: u32,
    dest: u32,
    servers: u32,
}

/// A server's load, and the weight it is divided by.
struct Load {
    load: u64,
    weight: u64,
    round: Round,
}

impl<T: Tables> Loop<T> for Least {
    #[inline(always)]
    fn round(&mut self, tables: &mut T, index: u32) -> Round {
        for step in 0..STRIDE {
            let index = index * STRIDE + step;
            if index >= self.servers || self.look(tables, index) == Round::Last {
                return Round::Last;
            }
        }
        Round::Next
    }
}

impl Least {
    /// Looks at one server.
    #[inline(always)]
    fn look<T: Tables>(&mut self, tables: &mut T, index: u32) -> Round {
        let Some(entry) = tables.ring(self.ring.wrapping_add(index)) else {
            return Round::Last;
        };
        let entry = Entry::from_raw(entry);
        if !has_room(tables, self.limits, entry.dest()) {
            return Round::Next;
        }
        let Some(counts) = tables.dest_counts(entry.dest()) else {
            return Round::Next;
        };
        let active = u64::from(counts.active());
        let weight = u64::from(entry.weight());
        let Some(server) = load(self.scheduler, active, u64::from(counts.inactive()), weight)
        else {
            return Round::Next;
        };
        // Products of 2^32 connections and IPVS's largest weight stay below 2^64
        // as long as a destination holds fewer than 2^24 connections.
        let better = self.load.wrapping_mul(server.weight) > server.load.wrapping_mul(self.weight);
        if self.found == 0 || better {
            self.found = 1;
            self.dest = entry.dest();
            self.load = server.load;
            self.weight = server.weight;
        }
        server.round
    }
}

/// `None`: not this server.
#[inline(always)]
fn load(number: u32, active: u64, inactive: u64, weight: u64) -> Option<Load> {
    let overhead = active * 257 + inactive;
    let next = |load, weight| {
        Some(Load {
            load,
            weight,
            round: Round::Next,
        })
    };
    match number {
        scheduler::LC => next(overhead, 1),
        scheduler::WLC | scheduler::LBLC | scheduler::LBLCR => next(overhead, weight),
        // The delay if this connection came on top.
        scheduler::SED => next(active + 1, weight),
        // The first idle server, or as `sed`.
        scheduler::NQ if active == 0 => Some(Load {
            load: 0,
            weight: 1,
            round: Round::Last,
        }),
        scheduler::NQ => next(active + 1, weight),
        // The largest weight of all.
        scheduler::FO => next(1, weight),
        // The largest weight that is not reached yet; one more is let in, as
        // IPVS compares before it counts.
        scheduler::OVF if active > weight => None,
        scheduler::OVF => next(1, weight),
        _ => None,
    }
}

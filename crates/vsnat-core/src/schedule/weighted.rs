//! `wrr`: IPVS's interleaved weighted round robin.
//!
//! IPVS lets a current weight sink from the largest weight to the smallest
//! step and serves, at each value, every server that weighs at least as much.
//! Between two neighbouring weights the set of servers is the same: a level.
//! The view lists the levels; a pick finds its level by its place.

use vsnat_abi::service::{Entry, LEVEL_ENTRIES, Level, SEARCH_ROUNDS, View};

use crate::counts::is_overloaded;
use crate::schedule::{has_limits, round_robin};
use crate::{Loop, Round, Shared, Tables};

/// Turns that are looked at where servers may be overloaded: all of a service
/// of 256 servers with 256 different weights.
const TURNS: u32 = 65_536;

#[inline(always)]
pub(super) fn pick<T: Tables>(tables: &mut T, service: u32, view: Shared<View>) -> Option<u32> {
    if !has_limits(view) {
        return Some(turn(tables, service, view)?.dest);
    }
    let zero = tables.zero();
    let walk = Walk {
        found: zero,
        refused: zero,
        passed: zero,
        ends: zero,
        service,
        dest: zero as u32,
        view,
    };
    let walk = tables.repeat(TURNS, walk);
    if walk.found == 0 {
        give_up(tables, service, view);
        None
    } else {
        Some(walk.dest)
    }
}

/// Where IPVS stands after it found nobody: where it stood, if its current
/// weight was the smallest; otherwise at the largest again.
#[inline(always)]
fn give_up<T: Tables>(tables: &mut T, service: u32, view: Shared<View>) {
    let Some(cursor) = tables.cursor(service) else {
        return;
    };
    let period = view.period();
    let number = cursor.load().wrapping_sub(view.cursor_base());
    let Some(place) = number.wrapping_add(view.start()).checked_rem(period) else {
        return;
    };
    if place.wrapping_add(u64::from(view.servers())) <= period {
        cursor.fetch_add(period.wrapping_sub(place));
    }
}

/// One turn: its server, and the level it is in.
struct Turn {
    dest: u32,
    servers: u64,
    /// Turns from this one to the end of its level, itself included.
    left: u64,
    /// Where the level ends; identifies it.
    ends: u64,
}

#[inline(always)]
fn turn<T: Tables>(tables: &mut T, service: u32, view: Shared<View>) -> Option<Turn> {
    let place = round_robin::place(tables, service, view, view.period())?;
    let (ring, levels) = (view.ring(), view.levels());
    let level = find_level(tables, ring, levels, place)?;
    let at = ring.wrapping_add(level.wrapping_mul(LEVEL_ENTRIES));
    let begins = tables.ring(at)?;
    let servers = Level::from_raw(tables.ring(at.wrapping_add(1))?);
    let ends = if level.wrapping_add(1) >= levels {
        view.period()
    } else {
        tables.ring(at.wrapping_add(LEVEL_ENTRIES))?
    };
    let within = place
        .wrapping_sub(begins)
        .checked_rem(u64::from(servers.servers()))?;
    let entry = tables.ring(
        ring.wrapping_add(servers.offset())
            .wrapping_add(within as u32),
    )?;
    Some(Turn {
        dest: Entry::from_raw(entry).dest(),
        servers: u64::from(servers.servers()),
        left: ends.wrapping_sub(place),
        ends,
    })
}

/// The walk past overloaded servers. Where all servers of a level are
/// overloaded, the rest of the level is skipped at once: its turns may be as
/// many as the largest weight.
#[repr(C)]
struct Walk {
    found: u64,
    /// Servers refused in a row within one level.
    refused: u64,
    /// Turns passed: all of the period passed is nobody found.
    passed: u64,
    ends: u64,
    service: u32,
    dest: u32,
    view: Shared<View>,
}

impl<T: Tables> Loop<T> for Walk {
    #[inline(always)]
    fn round(&mut self, tables: &mut T, _index: u32) -> Round {
        let Some(turn) = turn(tables, self.service, self.view) else {
            return Round::Last;
        };
        if !is_overloaded(tables, turn.dest) {
            self.found = 1;
            self.dest = turn.dest;
            return Round::Last;
        }
        self.passed = self.passed.wrapping_add(1);
        if turn.ends != self.ends {
            self.ends = turn.ends;
            self.refused = 0;
        }
        self.refused = self.refused.wrapping_add(1);
        if self.refused >= turn.servers {
            // Once around and no further: where nobody is found, the next pick
            // begins where this one did.
            let period = self.view.period();
            let rest = turn.left.wrapping_sub(1);
            let rest = rest.min(period.saturating_sub(self.passed));
            if let Some(cursor) = tables.cursor(self.service) {
                cursor.fetch_add(rest);
            }
            self.passed = self.passed.wrapping_add(rest);
            self.refused = 0;
        }
        if self.passed >= self.view.period() {
            Round::Last
        } else {
            Round::Next
        }
    }
}

/// The last level that begins at or before `place`.
#[inline(always)]
fn find_level<T: Tables>(tables: &T, ring: u32, levels: u32, place: u64) -> Option<u32> {
    let mut low = 0;
    let mut high = levels;
    for _ in 0..SEARCH_ROUNDS {
        let span = high.wrapping_sub(low);
        if span <= 1 || span > levels {
            break;
        }
        let middle = low + span / 2;
        let begins = tables.ring(ring.wrapping_add(middle.wrapping_mul(LEVEL_ENTRIES)))?;
        if begins <= place {
            low = middle
        } else {
            high = middle
        }
    }
    Some(low)
}

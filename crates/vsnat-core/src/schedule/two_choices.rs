//! `twos`: two servers drawn by weight; the less loaded of them.
//!
//! The view holds for each server the sum of the weights up to and including
//! its own, so a drawn number finds its server by halving.

use vsnat_abi::service::{Entry, SEARCH_ROUNDS, SUM_ENTRIES, View};

use crate::counts::is_overloaded;
use crate::schedule::{has_limits, least};
use crate::{Loop, Round, Shared, Tables};

/// Draws, where some servers are overloaded. IPVS sums up the weights of the
/// others for every pick; drawing again until one of them comes is the same
/// choice, and after so many draws in vain the least loaded one is taken.
const DRAWS: u32 = 32;

#[inline(always)]
pub(super) fn pick<T: Tables>(tables: &mut T, view: Shared<View>) -> Option<u32> {
    if view.servers() == 0 {
        return None;
    }
    if has_limits(view) {
        return pick_with_room(tables, view);
    }
    let first = draw(tables, view)?;
    let second = draw(tables, view)?;
    better(tables, first, second)
}

#[inline(always)]
fn pick_with_room<T: Tables>(tables: &mut T, view: Shared<View>) -> Option<u32> {
    let zero = tables.zero();
    let draws = Draws {
        drawn: zero,
        first: zero,
        second: zero,
        view,
    };
    let draws = tables.repeat(DRAWS, draws);
    if draws.drawn < 2 {
        return least::pick(tables, view);
    }
    let (first, second) = (Entry::from_raw(draws.first), Entry::from_raw(draws.second));
    better(tables, first, second)
}

#[repr(C)]
struct Draws {
    drawn: u64,
    first: u64,
    second: u64,
    view: Shared<View>,
}

impl<T: Tables> Loop<T> for Draws {
    #[inline(always)]
    fn round(&mut self, tables: &mut T, _index: u32) -> Round {
        let Some(entry) = draw(tables, self.view) else {
            return Round::Last;
        };
        if is_overloaded(tables, entry.dest()) {
            return Round::Next;
        }
        self.first = self.second;
        self.second = entry.raw();
        self.drawn = self.drawn.wrapping_add(1);
        if self.drawn < 2 {
            Round::Next
        } else {
            Round::Last
        }
    }
}

#[inline(always)]
fn better<T: Tables>(tables: &T, first: Entry, second: Entry) -> Option<u32> {
    let (first_overhead, second_overhead) = (overhead(tables, first)?, overhead(tables, second)?);
    let (first_weight, second_weight) = (u64::from(first.weight()), u64::from(second.weight()));
    if second_weight.wrapping_mul(first_overhead) > first_weight.wrapping_mul(second_overhead) {
        return Some(second.dest());
    }
    Some(first.dest())
}

#[inline(always)]
fn overhead<T: Tables>(tables: &T, entry: Entry) -> Option<u64> {
    let counts = tables.dest_counts(entry.dest())?;
    Some(u64::from(counts.active()) * 257 + u64::from(counts.inactive()))
}

/// The kernel draws from 0 to the sum of all weights, both included, and takes
/// the first server whose sum reaches the number.
#[inline(always)]
fn draw<T: Tables>(tables: &mut T, view: Shared<View>) -> Option<Entry> {
    let wide = u64::from(tables.random()) << 32 | u64::from(tables.random());
    let number = wide.checked_rem(view.period().wrapping_add(1))?;
    let ring = view.ring();
    // The last server whose predecessor's sum is below the number.
    let mut low = 0;
    let mut high = view.servers();
    for _ in 0..SEARCH_ROUNDS {
        let span = high.wrapping_sub(low);
        if span <= 1 || span > view.servers() {
            break;
        }
        let middle = low + span / 2;
        let before =
            tables.ring(ring.wrapping_add(middle.wrapping_sub(1).wrapping_mul(SUM_ENTRIES)))?;
        if before < number {
            low = middle
        } else {
            high = middle
        }
    }
    let entry = ring
        .wrapping_add(low.wrapping_mul(SUM_ENTRIES))
        .wrapping_add(1);
    Some(Entry::from_raw(tables.ring(entry)?))
}

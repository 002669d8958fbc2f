//! `twos`: two servers drawn by weight; the less loaded of them.
//!
//! The view holds for each server the sum of the weights up to and including
//! its own, so a drawn number finds its server by halving.

use vsnat_abi::service::{Entry, SEARCH_ROUNDS, SUM_ENTRIES, View};

use crate::{Shared, Tables};

#[inline(always)]
pub(super) fn pick<T: Tables>(tables: &mut T, view: Shared<View>) -> Option<u32> {
    if view.servers() == 0 {
        return None;
    }
    let first = draw(tables, view)?;
    let second = draw(tables, view)?;
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

//! `wrr`: IPVS's interleaved weighted round robin.
//!
//! IPVS lets a current weight sink from the largest weight to the smallest
//! step and serves, at each value, every server that weighs at least as much.
//! Between two neighbouring weights the set of servers is the same: a level.
//! The view lists the levels; a pick finds its level by its place.

use vsnat_abi::service::{Entry, LEVEL_ENTRIES, Level, SEARCH_ROUNDS, View};

use crate::schedule::round_robin;
use crate::{Shared, Tables};

#[inline(always)]
pub(super) fn pick<T: Tables>(tables: &mut T, service: u32, view: Shared<View>) -> Option<u32> {
    let place = round_robin::place(tables, service, view, view.period())?;
    let ring = view.ring();
    let level = find_level(tables, ring, view.levels(), place)?;
    let at = ring.wrapping_add(level.wrapping_mul(LEVEL_ENTRIES));
    let begins = tables.ring(at)?;
    let servers = Level::from_raw(tables.ring(at.wrapping_add(1))?);
    let within = place
        .wrapping_sub(begins)
        .checked_rem(u64::from(servers.servers()))?;
    let entry = tables.ring(
        ring.wrapping_add(servers.offset())
            .wrapping_add(within as u32),
    )?;
    Some(Entry::from_raw(entry).dest())
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

//! `rr`: one after the other.

use vsnat_abi::service::{Entry, MAX_SERVERS_PER_SERVICE, View};

use crate::counts::is_overloaded;
use crate::schedule::has_limits;
use crate::{Loop, Round, Shared, Tables};

#[inline(always)]
pub(super) fn pick<T: Tables>(tables: &mut T, service: u32, view: Shared<View>) -> Option<u32> {
    if !has_limits(view) {
        return next(tables, service, view);
    }
    let zero = tables.zero();
    let walk = Walk {
        found: zero,
        service,
        dest: zero as u32,
        view,
    };
    let servers = view.servers().min(MAX_SERVERS_PER_SERVICE);
    let walk = tables.repeat(servers, walk);
    if walk.found == 0 {
        None
    } else {
        Some(walk.dest)
    }
}

#[inline(always)]
fn next<T: Tables>(tables: &mut T, service: u32, view: Shared<View>) -> Option<u32> {
    let place = place(tables, service, view, u64::from(view.servers()))?;
    let entry = tables.ring(view.ring().wrapping_add(place as u32))?;
    Some(Entry::from_raw(entry).dest())
}

/// The walk past overloaded servers: each takes its turn and lets it go, so
/// that the next pick goes on behind the one that was found.
#[repr(C)]
struct Walk {
    found: u64,
    service: u32,
    dest: u32,
    view: Shared<View>,
}

impl<T: Tables> Loop<T> for Walk {
    #[inline(always)]
    fn round(&mut self, tables: &mut T, _index: u32) -> Round {
        let Some(dest) = next(tables, self.service, self.view) else {
            return Round::Last;
        };
        if is_overloaded(tables, dest) {
            return Round::Next;
        }
        self.found = 1;
        self.dest = dest;
        Round::Last
    }
}

/// The place of this pick in the order of the view. Each pick takes a number
/// of its own, so CPUs that pick at once get different places.
#[inline(always)]
pub(super) fn place<T: Tables>(
    tables: &mut T,
    service: u32,
    view: Shared<View>,
    period: u64,
) -> Option<u64> {
    if period == 0 {
        return None;
    }
    let number = tables.cursor(service)?.fetch_add(1);
    number
        .wrapping_sub(view.cursor_base())
        .wrapping_add(view.start())
        .checked_rem(period)
}

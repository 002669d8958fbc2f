//! `rr`: one after the other.

use vsnat_abi::service::{Entry, View};

use crate::{Shared, Tables};

#[inline(always)]
pub(super) fn pick<T: Tables>(tables: &mut T, service: u32, view: Shared<View>) -> Option<u32> {
    let place = place(tables, service, view, u64::from(view.servers()))?;
    let entry = tables.ring(view.ring().wrapping_add(place as u32))?;
    Some(Entry::from_raw(entry).dest())
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

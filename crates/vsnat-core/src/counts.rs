//! How many connections a server has, and whether that is enough.
//!
//! A server that reached its upper threshold is overloaded until its
//! connections fall below the lower one. The mark is set and cleared by
//! whoever changes a count, and looked at once more afterwards: two CPUs that
//! cross a threshold in opposite directions must not leave it wrong.

use vsnat_abi::destination::{Dest, DestCounts};

use crate::parse::{SCTP, TCP};
use crate::{Shared, Tables};

/// States that IPVS counts as active connections; all others are inactive.
#[inline(always)]
pub const fn is_active(protocol: u8, state: u32) -> bool {
    use vsnat_abi::slot::state::{ESTABLISHED, SYN_RECV, SYN_SENT, SYNACK};
    const TCP_ACTIVE: u32 = 1 << ESTABLISHED | 1 << SYN_SENT | 1 << SYN_RECV | 1 << SYNACK;
    const SCTP_ACTIVE: u32 = 1 << crate::sctp::state::ESTABLISHED;
    let active = match protocol {
        TCP => TCP_ACTIVE,
        SCTP => SCTP_ACTIVE,
        _ => 0,
    };
    active >> (state & 0xf) & 1 != 0
}

/// Whether a server has a connection more or one less.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    More,
    Less,
}

impl Change {
    /// What to add.
    #[inline(always)]
    pub const fn value(self) -> u32 {
        match self {
            Change::More => 1,
            Change::Less => u32::MAX,
        }
    }
}

/// A connection in `state` comes or goes.
#[inline(always)]
pub(crate) fn count_connection<T: Tables>(
    tables: &mut T,
    dest: u32,
    protocol: u8,
    state: u32,
    change: Change,
) {
    let Some(counts) = tables.dest_counts(dest) else {
        return;
    };
    if is_active(protocol, state) {
        counts.add_active(change.value())
    } else {
        counts.add_inactive(change.value())
    }
    if let Some(dest) = tables.dest(dest) {
        settle(dest, counts, change);
    }
}

/// A template comes or goes.
#[inline(always)]
pub(crate) fn count_template<T: Tables>(tables: &mut T, dest: u32, change: Change) {
    if let Some(counts) = tables.dest_counts(dest) {
        counts.add_persistent(change.value());
    }
}

/// A connection is active now that was not, or the reverse. Whoever changed its
/// word counts the change, so each is counted once.
#[inline(always)]
pub(crate) fn recount<T: Tables>(tables: &mut T, dest: u32, protocol: u8, from: u32, to: u32) {
    if is_active(protocol, from) == is_active(protocol, to) {
        return;
    }
    let Some(counts) = tables.dest_counts(dest) else {
        return;
    };
    if is_active(protocol, to) {
        counts.add_inactive(u32::MAX);
        counts.add_active(1);
    } else {
        counts.add_active(u32::MAX);
        counts.add_inactive(1);
    }
}

/// Whether a server takes no new connection because it has enough.
#[inline(always)]
pub(crate) fn is_overloaded<T: Tables>(tables: &T, dest: u32) -> bool {
    let (Some(server), Some(counts)) = (tables.dest(dest), tables.dest_counts(dest)) else {
        return true;
    };
    server.upper() != 0 && counts.overloaded() == server.overload_epoch()
}

#[inline(always)]
fn settle(server: Shared<Dest>, counts: Shared<DestCounts>, change: Change) {
    let upper = server.upper();
    if upper == 0 {
        return;
    }
    let epoch = server.overload_epoch();
    let is_full = || total(counts) >= u64::from(upper);
    // IPVS: below the lower threshold, or below three quarters of the upper.
    let has_room = || match server.lower() {
        0 => total(counts) * 4 < u64::from(upper) * 3,
        lower => total(counts) < u64::from(lower),
    };
    match change {
        Change::More => {
            if is_full() {
                counts.set_overloaded(epoch);
                if has_room() {
                    counts.set_overloaded(0);
                }
            }
        }
        Change::Less => {
            if counts.overloaded() == epoch && has_room() {
                counts.set_overloaded(0);
                if is_full() {
                    counts.set_overloaded(epoch);
                }
            }
        }
    }
}

#[inline(always)]
fn total(counts: Shared<DestCounts>) -> u64 {
    u64::from(counts.active()) + u64::from(counts.inactive())
}

const _: () = assert!(!is_active(crate::parse::UDP, vsnat_abi::slot::state::UDP));

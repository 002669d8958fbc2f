//! Picking the server of a new connection.
//!
//! The daemon prepares for each service a view: the usable servers, newest
//! first as in IPVS, in the form its scheduler wants. Picking is lock-free:
//! the round-robin family takes a number, the least-connection family looks at
//! the counts, the hashing family looks into a table.

pub mod hash;
mod hashing;
mod least;
mod locality;
mod round_robin;
mod two_choices;
mod weighted;

use vsnat_abi::flow::FlowKey4;
use vsnat_abi::service::{View, scheduler, scheduler_flag};
use vsnat_abi::time::Coarse;

use crate::counts::is_overloaded;
use crate::target::Target;
use crate::{Shared, Tables};

/// Index of the destination for the connection that `key` opens. `None`: no
/// server can take one.
///
/// On the eBPF target a function of its own, with a stack frame of its own.
#[cfg_attr(target_arch = "bpf", inline(never))]
pub(crate) fn pick<T: Tables>(
    tables: &mut T,
    target: &Target,
    key: &FlowKey4,
    now: Coarse,
) -> Option<u32> {
    let index = target.view;
    let view = tables.view(u32::try_from(index).ok()?)?;
    match view.scheduler() {
        scheduler::RR => round_robin::pick(tables, target.index, view),
        scheduler::WRR => weighted::pick(tables, target.index, view),
        scheduler::TWOS => two_choices::pick(tables, view),
        scheduler::SH | scheduler::DH | scheduler::MH => hashing::pick(tables, view, key),
        scheduler::LBLC | scheduler::LBLCR => locality::pick(tables, target, view, key, now),
        _ => least::pick(tables, view),
    }
}

/// Whether any server of a view can be overloaded: most views have none that
/// can, and need not ask.
#[inline(always)]
fn has_limits(view: Shared<View>) -> bool {
    view.flags() & scheduler_flag::LIMITED != 0
}

/// Whether a server of a view may be picked as far as its thresholds go.
#[inline(always)]
fn has_room<T: Tables>(tables: &T, limits: u64, dest: u32) -> bool {
    limits == 0 || !is_overloaded(tables, dest)
}

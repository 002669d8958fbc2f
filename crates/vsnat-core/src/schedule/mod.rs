//! Picking the server of a new connection.
//!
//! The daemon prepares for each service a view: the usable servers, newest
//! first as in IPVS, in the form its scheduler wants. Picking is lock-free:
//! the round-robin family takes a number, the least-connection family looks at
//! the counts, the hashing family looks into a table.

pub mod hash;
mod hashing;
mod least;
mod round_robin;
mod two_choices;
mod weighted;

use vsnat_abi::flow::FlowKey4;
use vsnat_abi::service::scheduler;

use crate::Tables;

/// Index of the destination for the connection that `key` opens. `None`: no
/// server can take one.
#[inline(always)]
pub fn pick<T: Tables>(tables: &mut T, service: u32, key: &FlowKey4) -> Option<u32> {
    let index = tables.service(service)?.view();
    let view = tables.view(u32::try_from(index).ok()?)?;
    match view.scheduler() {
        scheduler::RR => round_robin::pick(tables, service, view),
        scheduler::WRR => weighted::pick(tables, service, view),
        scheduler::TWOS => two_choices::pick(tables, view),
        scheduler::SH | scheduler::DH | scheduler::MH => hashing::pick(tables, view, key),
        _ => least::pick(tables, view),
    }
}

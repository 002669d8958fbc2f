//! Picking the server of a new connection.
//!
//! The daemon prepares for each service a view: the usable servers, newest
//! first as in IPVS, in the form its scheduler wants. Picking is lock-free:
//! the round-robin family takes a number, the least-connection family looks at
//! the counts.

mod least;
mod round_robin;
mod weighted;

use vsnat_abi::service::scheduler;

use crate::Tables;

/// Index of the destination for the next connection of a service. `None`: no
/// server can take one.
#[inline(always)]
pub fn pick<T: Tables>(tables: &mut T, service: u32) -> Option<u32> {
    let index = tables.service(service)?.view();
    let view = tables.view(u32::try_from(index).ok()?)?;
    match view.scheduler() {
        scheduler::RR => round_robin::pick(tables, service, view),
        scheduler::WRR => weighted::pick(tables, service, view),
        scheduler::LC => least::pick(tables, view, least::Load::Connections),
        scheduler::WLC => least::pick(tables, view, least::Load::ConnectionsPerWeight),
        _ => None,
    }
}

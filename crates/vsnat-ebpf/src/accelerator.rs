//! The accelerators: XDP in front of the programs at TC ingress. What they do
//! not send on, TC sees as it came.

use aya_ebpf::bindings::xdp_action::{XDP_DROP, XDP_PASS};
use aya_ebpf::helpers::bpf_redirect;
use aya_ebpf::macros::xdp;
use aya_ebpf::programs::XdpContext;
use vsnat_core::{Verdict, ahead};

use crate::frame::XdpFrame;
use crate::tables::KernelTables;

/// The interface towards the clients.
#[xdp]
pub fn vsnat_xdp_outer(context: XdpContext) -> u32 {
    let mut frame = XdpFrame::new(context.ctx);
    act(ahead::outer(&mut frame, &mut KernelTables))
}

/// An interface towards the servers.
#[xdp]
pub fn vsnat_xdp_inner(context: XdpContext) -> u32 {
    let mut frame = XdpFrame::new(context.ctx);
    act(ahead::inner(&mut frame, &mut KernelTables))
}

/// Sends every frame back where it came from, and does nothing else: the floor
/// that the price of a packet is measured against. Never attached.
#[xdp]
pub fn vsnat_xdp_bare(context: XdpContext) -> u32 {
    // SAFETY: the kernel gives a valid context to every run; a helper with
    // plain arguments.
    unsafe { bpf_redirect((*context.ctx).ingress_ifindex, 0) as u32 }
}

/// The end of measurements with frames that are really sent: a neighbour that
/// takes them and gives their memory back.
#[xdp]
pub fn vsnat_xdp_drop(_context: XdpContext) -> u32 {
    XDP_DROP
}

#[inline(always)]
fn act(verdict: Option<Verdict>) -> u32 {
    match verdict {
        // SAFETY: a helper with plain arguments.
        Some(Verdict::Redirect { ifindex }) => unsafe { bpf_redirect(ifindex, 0) as u32 },
        Some(Verdict::Drop) => XDP_DROP,
        Some(
            Verdict::Pass
            | Verdict::ToHost
            | Verdict::Neighbour { .. }
            | Verdict::Six
            | Verdict::Resolved { .. },
        )
        | None => XDP_PASS,
    }
}

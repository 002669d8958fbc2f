//! The programs: one for each side of the director, and the one that starts
//! the sweeper. They bind the packet path to the kernel and decide nothing.

#![no_std]
#![no_main]
#![feature(asm_experimental_arch)]

mod maps;
mod packet;
mod sweeper;
mod tables;

use aya_ebpf::bindings::{TC_ACT_SHOT, TC_ACT_UNSPEC, bpf_redir_neigh};
use aya_ebpf::helpers::{bpf_redirect, bpf_redirect_neigh};
use aya_ebpf::macros::classifier;
use aya_ebpf::programs::TcContext;
use vsnat_core::{Verdict, way};

use crate::packet::TcPacket;
use crate::tables::KernelTables;

const AF_INET: u32 = 2;

/// Ingress of the interface towards the clients.
#[classifier]
pub fn vsnat_outer(context: TcContext) -> i32 {
    let mut packet = TcPacket::new(context.skb.skb);
    act(way::outer(&mut packet, &mut KernelTables))
}

/// Ingress of an interface towards the servers.
#[classifier]
pub fn vsnat_inner(context: TcContext) -> i32 {
    let mut packet = TcPacket::new(context.skb.skb);
    act(way::inner(&mut packet, &mut KernelTables))
}

/// Run once after every load, never attached.
#[classifier]
pub fn vsnat_arm(_context: TcContext) -> i32 {
    sweeper::arm() as i32
}

/// A pass is "no opinion": filters of others on the same hook still see it.
#[inline(always)]
fn act(verdict: Verdict) -> i32 {
    match verdict {
        Verdict::Pass => TC_ACT_UNSPEC,
        Verdict::Drop => TC_ACT_SHOT,
        // SAFETY: a helper with plain arguments.
        Verdict::Redirect { ifindex } => unsafe { bpf_redirect(ifindex, 0) as i32 },
        Verdict::Neighbour { ifindex, next_hop } => neighbour(ifindex, next_hop.raw()),
    }
}

#[inline(always)]
fn neighbour(ifindex: u32, next_hop: u32) -> i32 {
    let mut params = Neighbour {
        family: AF_INET,
        next_hop: [next_hop, 0, 0, 0],
    };
    // SAFETY: the layout is the kernel's; see `Neighbour`.
    unsafe {
        let pointer = (&raw mut params).cast::<bpf_redir_neigh>();
        bpf_redirect_neigh(ifindex, pointer, size_of::<Neighbour>() as i32, 0) as i32
    }
}

/// `struct bpf_redir_neigh`.
#[repr(C)]
struct Neighbour {
    family: u32,
    next_hop: [u32; 4],
}

const _: () = assert!(size_of::<Neighbour>() == size_of::<bpf_redir_neigh>());

/// Timers and several helpers are open to GPL-compatible programs only.
#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";

#[cfg(not(test))]
#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

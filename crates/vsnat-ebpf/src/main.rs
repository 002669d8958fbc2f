//! The programs: one for each side of the director, and the one that starts
//! the sweeper. They bind the packet path to the kernel and decide nothing.

#![no_std]
#![no_main]
#![feature(asm_experimental_arch)]

mod accelerator;
mod frame;
mod maps;
mod packet;
mod sweeper;
mod tables;

use aya_ebpf::bindings::{TC_ACT_SHOT, TC_ACT_UNSPEC, bpf_redir_neigh};
use aya_ebpf::helpers::{bpf_redirect, bpf_redirect_neigh};
use aya_ebpf::macros::classifier;
use aya_ebpf::programs::TcContext;
use vsnat_abi::counters::Reason;
use vsnat_abi::hop::TO_HOST_MARK;
use vsnat_abi::step;
use vsnat_core::way::{self, Step};
use vsnat_core::{Tables, Verdict};

use crate::packet::TcPacket;
use crate::tables::KernelTables;

const AF_INET: u32 = 2;

/// Ingress of the interface towards the clients. The programs behind it go on
/// where it ends; see [`way`].
#[classifier]
pub fn vsnat_outer(context: TcContext) -> i32 {
    let mut packet = TcPacket::new(context.skb.skb);
    let step = way::outer(&mut packet, &mut KernelTables);
    go_on(&context, step, Side::Outer)
}

#[classifier]
pub fn vsnat_outer_expected(context: TcContext) -> i32 {
    let mut packet = TcPacket::new(context.skb.skb);
    let step = way::outer_expected(&mut packet, &mut KernelTables);
    go_on(&context, step, Side::Outer)
}

#[classifier]
pub fn vsnat_outer_choose(context: TcContext) -> i32 {
    let mut packet = TcPacket::new(context.skb.skb);
    let step = way::outer_choose(&mut packet, &mut KernelTables);
    go_on(&context, step, Side::Outer)
}

#[classifier]
pub fn vsnat_outer_open(context: TcContext) -> i32 {
    let mut packet = TcPacket::new(context.skb.skb);
    let step = way::outer_open(&mut packet, &mut KernelTables);
    go_on(&context, step, Side::Outer)
}

#[classifier]
pub fn vsnat_outer_send(context: TcContext) -> i32 {
    let mut packet = TcPacket::new(context.skb.skb);
    let step = way::outer_send(&mut packet, &mut KernelTables);
    go_on(&context, step, Side::Outer)
}

#[classifier]
pub fn vsnat_outer_alone(context: TcContext) -> i32 {
    let mut packet = TcPacket::new(context.skb.skb);
    act(&context, way::outer_alone(&mut packet, &mut KernelTables))
}

#[classifier]
pub fn vsnat_outer_refuse(context: TcContext) -> i32 {
    let mut packet = TcPacket::new(context.skb.skb);
    let verdict = way::outer_refuse(&mut packet, &mut KernelTables);
    act(&context, verdict)
}

#[classifier]
pub fn vsnat_outer_part(context: TcContext) -> i32 {
    let mut packet = TcPacket::new(context.skb.skb);
    let step = way::outer_part(&mut packet, &mut KernelTables);
    go_on(&context, step, Side::Outer)
}

#[classifier]
pub fn vsnat_outer_error(context: TcContext) -> i32 {
    let mut packet = TcPacket::new(context.skb.skb);
    let verdict = way::outer_error(&mut packet, &mut KernelTables);
    act(&context, verdict)
}

/// Ingress of an interface towards the servers.
#[classifier]
pub fn vsnat_inner(context: TcContext) -> i32 {
    let mut packet = TcPacket::new(context.skb.skb);
    let step = way::inner(&mut packet, &mut KernelTables);
    go_on(&context, step, Side::Inner)
}

#[classifier]
pub fn vsnat_inner_rest(context: TcContext) -> i32 {
    let mut packet = TcPacket::new(context.skb.skb);
    let step = way::inner_rest(&mut packet, &mut KernelTables);
    go_on(&context, step, Side::Inner)
}

#[classifier]
pub fn vsnat_inner_part(context: TcContext) -> i32 {
    let mut packet = TcPacket::new(context.skb.skb);
    let verdict = way::inner_part(&mut packet, &mut KernelTables);
    act(&context, verdict)
}

#[classifier]
pub fn vsnat_inner_error(context: TcContext) -> i32 {
    let mut packet = TcPacket::new(context.skb.skb);
    let verdict = way::inner_error(&mut packet, &mut KernelTables);
    act(&context, verdict)
}

/// Either side: a packet of a connection on which the daemon stands in between.
#[classifier]
pub fn vsnat_hand_over(context: TcContext) -> i32 {
    let mut packet = TcPacket::new(context.skb.skb);
    act(&context, way::hand_over(&mut packet, &mut KernelTables))
}

#[classifier]
pub fn vsnat_inner_expected(context: TcContext) -> i32 {
    let mut packet = TcPacket::new(context.skb.skb);
    let verdict = way::inner_expected(&mut packet, &mut KernelTables);
    act(&context, verdict)
}

/// Either side: an IPv6 packet becomes an IPv4 one, if it is ours.
#[classifier]
pub fn vsnat_outer_six(context: TcContext) -> i32 {
    let mut packet = TcPacket::new(context.skb.skb);
    let step = way::outer_six(&mut packet, &mut KernelTables);
    go_on(&context, step, Side::Outer)
}

#[classifier]
pub fn vsnat_inner_six(context: TcContext) -> i32 {
    let mut packet = TcPacket::new(context.skb.skb);
    let step = way::inner_six(&mut packet, &mut KernelTables);
    go_on(&context, step, Side::Inner)
}

#[classifier]
pub fn vsnat_outer_six_error(context: TcContext) -> i32 {
    let mut packet = TcPacket::new(context.skb.skb);
    let step = way::outer_six_error(&mut packet, &mut KernelTables);
    go_on(&context, step, Side::Outer)
}

#[classifier]
pub fn vsnat_inner_six_error(context: TcContext) -> i32 {
    let mut packet = TcPacket::new(context.skb.skb);
    let step = way::inner_six_error(&mut packet, &mut KernelTables);
    go_on(&context, step, Side::Inner)
}

/// Either side: a packet for a stand-in becomes an IPv6 one.
#[classifier]
pub fn vsnat_six_out(context: TcContext) -> i32 {
    let mut packet = TcPacket::new(context.skb.skb);
    let step = way::six_out(&mut packet, &mut KernelTables);
    go_on(&context, step, Side::Outer)
}

#[classifier]
pub fn vsnat_six_error_out(context: TcContext) -> i32 {
    let mut packet = TcPacket::new(context.skb.skb);
    act(&context, way::six_error_out(&mut packet, &mut KernelTables))
}

/// Sends every packet back where it came from, and does nothing else: the floor
/// that the price of a packet is measured against. Never attached.
#[classifier]
pub fn vsnat_bare(context: TcContext) -> i32 {
    // SAFETY: the kernel gives a valid context to every run; a helper with
    // plain arguments.
    unsafe { bpf_redirect((*context.skb.skb).ifindex, 0) as i32 }
}

/// Run once after every load, never attached.
#[classifier]
pub fn vsnat_arm(_context: TcContext) -> i32 {
    sweeper::arm() as i32
}

/// Where a packet came from.
#[derive(Clone, Copy)]
enum Side {
    Outer,
    Inner,
}

/// Where there is no program to go on with, nobody may decide about a packet to
/// a service.
#[inline(always)]
fn go_on(context: &TcContext, step: Step, side: Side) -> i32 {
    let place = match step {
        Step::Done(verdict) => return act(context, verdict),
        Step::Choose => step::OUTER_CHOOSE,
        Step::Open => step::OUTER_OPEN,
        Step::Send => step::OUTER_SEND,
        Step::Alone => step::OUTER_ALONE,
        Step::Refuse => step::OUTER_REFUSE,
        Step::Rest => step::INNER_REST,
        Step::Error => match side {
            Side::Outer => step::OUTER_ERROR,
            Side::Inner => step::INNER_ERROR,
        },
        Step::Part => match side {
            Side::Outer => step::OUTER_PART,
            Side::Inner => step::INNER_PART,
        },
        Step::OuterExpected => step::OUTER_EXPECTED,
        Step::InnerExpected => step::INNER_EXPECTED,
        Step::HandOver => step::HAND_OVER,
        Step::Six => match side {
            Side::Outer => step::OUTER_SIX,
            Side::Inner => step::INNER_SIX,
        },
        Step::SixError => match side {
            Side::Outer => step::OUTER_SIX_ERROR,
            Side::Inner => step::INNER_SIX_ERROR,
        },
        Step::SixErrorOut => step::SIX_ERROR_OUT,
        Step::Again => match side {
            Side::Outer => step::OUTER,
            Side::Inner => step::INNER,
        },
    };
    go_to(context, place)
}

#[inline(always)]
fn go_to(context: &TcContext, place: u32) -> i32 {
    // SAFETY: all programs take the same context.
    let _ = unsafe { maps::STEPS.tail_call(context, place) };
    KernelTables.count(Reason::Kernel);
    TC_ACT_SHOT
}

/// A pass is "no opinion": filters of others on the same hook still see it.
#[inline(always)]
fn act(context: &TcContext, verdict: Verdict) -> i32 {
    match verdict {
        Verdict::Pass => TC_ACT_UNSPEC,
        Verdict::ToHost => {
            // SAFETY: the kernel gives a valid context to every run, whose mark
            // may be written at TC.
            unsafe { (*context.skb.skb).mark = TO_HOST_MARK };
            TC_ACT_UNSPEC
        }
        Verdict::Drop => TC_ACT_SHOT,
        // SAFETY: a helper with plain arguments.
        Verdict::Redirect { ifindex } => unsafe { bpf_redirect(ifindex, 0) as i32 },
        Verdict::Neighbour { ifindex, next_hop } => neighbour(ifindex, next_hop.raw()),
        Verdict::Six => go_to(context, step::SIX_OUT),
        // SAFETY: a helper with plain arguments; without a neighbour it finds
        // one itself.
        Verdict::Resolved { ifindex } => unsafe {
            bpf_redirect_neigh(ifindex, core::ptr::null_mut(), 0, 0) as i32
        },
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

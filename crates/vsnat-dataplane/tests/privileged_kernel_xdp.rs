//! The case table with XDP in front of TC, on the loaded programs: each packet
//! is sent on by XDP as the case wants it, or goes up to TC and leaves no trace.
//! Needs root.

#![allow(clippy::unwrap_used, reason = "a test says what is wrong by failing")]

mod case_table;

use case_table::frame::{Flags, Frame};
use case_table::kernel_world::{XDP_PASS, XDP_REDIRECT};
use case_table::{Arriving, SERVER_A, World, add_server, add_service, endpoint, sent, service};
use vsnat_api::{Protocol, Scheduler, Side};
use vsnat_dataplane::Program;

fn world(limits: Limits) -> KernelWorld {
    KernelWorld::with_xdp("xdp-cases", limits)
}

include!("case_table/in_kernel.rs");

/// A client and a server that talk, on ports that differ: what each says next.
fn talking(world: &mut KernelWorld, protocol: Protocol) -> [(Side, Frame); 2] {
    let vip = world.vip();
    let key = service(world, protocol, 80);
    add_service(world, key, Scheduler::Rr);
    add_server(world, key, endpoint(SERVER_A, 8080), 1);
    let client = (world.client(), 5000);
    let to = Frame::outer(client, (vip, 80)).payload(33);
    let from = Frame::inner((SERVER_A, 8080), client).payload(7);
    for flags in [Flags::Syn, Flags::Ack] {
        sent(world, Side::Outer, bytes(&to, protocol, flags));
        sent(world, Side::Inner, bytes(&from, protocol, Flags::SynAck));
    }
    [(Side::Outer, to), (Side::Inner, from)]
}

fn bytes(frame: &Frame, protocol: Protocol, flags: Flags) -> Vec<u8> {
    match protocol {
        Protocol::Udp => frame.udp(),
        Protocol::Tcp | Protocol::Sctp => frame.tcp(flags),
    }
}

/// Runs a frame in XDP and at TC, and compares.
#[track_caller]
fn same_both_ways(world: &mut KernelWorld, side: Side, frame: Vec<u8>) {
    let frame = Arriving::from(frame);
    let taken = world.count("accelerated");
    let trial = world.frame(side, &frame);
    let front = world.plane.run(Program::Xdp(side), &trial).unwrap();
    assert_eq!(front.0, XDP_REDIRECT);
    assert_eq!(world.count("accelerated"), taken + 1);
    let complete = world.plane.run(Program::Side(side), &trial).unwrap();
    assert_eq!(front.1, complete.1);
}

#[test]
fn both_ways_make_the_same_bytes() {
    let mut world = WORLD.lock().unwrap_or_else(PoisonError::into_inner);
    for protocol in [Protocol::Tcp, Protocol::Udp] {
        world.enter();
        for (side, frame) in talking(&mut world, protocol) {
            for (ttl, length) in [(255, 0), (64, 1_000), (2, 1)] {
                let frame = frame.clone().ttl(ttl).payload(length);
                same_both_ways(&mut world, side, bytes(&frame, protocol, Flags::Ack));
            }
        }
    }
    world.enter();
    for (side, frame) in talking(&mut world, Protocol::Udp) {
        let mut frame = frame.udp();
        frame[40..42].fill(0);
        same_both_ways(&mut world, side, frame);
    }
}

#[test]
fn a_checksum_that_is_not_there_yet_goes_up() {
    let mut world = WORLD.lock().unwrap_or_else(PoisonError::into_inner);
    for (protocol, place) in [(Protocol::Tcp, 50), (Protocol::Udp, 40)] {
        world.enter();
        for (side, frame) in talking(&mut world, protocol) {
            let mut frame = bytes(&frame, protocol, Flags::Ack);
            let sum = pseudo_header_sum(&frame);
            frame[place..place + 2].copy_from_slice(&sum.to_be_bytes());
            let frame = Arriving::from(frame);
            let trial = world.frame(side, &frame);
            let front = world.plane.run(Program::Xdp(side), &trial).unwrap();
            assert_eq!((front.0, front.1), (XDP_PASS, frame.bytes));
        }
    }
}

/// What stands in the checksum's place until a card fills it in.
fn pseudo_header_sum(frame: &[u8]) -> u16 {
    let word = |at: usize| u32::from(u16::from_be_bytes([frame[at], frame[at + 1]]));
    let addresses: u32 = (26..34).step_by(2).map(word).sum();
    let sum = addresses + u32::from(frame[23]) + word(16) - 20;
    let sum = (sum & 0xffff) + (sum >> 16);
    ((sum & 0xffff) + (sum >> 16)) as u16
}

//! Segments that a service keeps small.

use etherparse::{PacketBuilder, TcpHeaderSlice};
use vsnat_api::{Command, MssClamp, Protocol, Scheduler, ServiceSpec, Side};

use super::frame::{Frame, read};
use super::*;

/// As Linux has them in a SYN, with a segment size of 1,460.
const LINUX: [u8; 20] = [
    2, 4, 0x05, 0xb4, 4, 2, 8, 10, 1, 2, 3, 4, 0, 0, 0, 0, 1, 3, 3, 7,
];

/// A TCP service on port 80 with server A behind it, and a limit.
fn clamped(world: &mut dyn World, clamp: Option<MssClamp>) -> ServiceKey {
    let key = service(world, Protocol::Tcp, 80);
    let spec = ServiceSpec {
        mss_clamp: clamp,
        ..ServiceSpec::new(key, Scheduler::Rr)
    };
    world.apply(&Command::AddService(spec)).unwrap();
    add_server(world, key, endpoint(SERVER_A, 80), 1);
    assert_eq!(world.services()[0].spec, spec, "listed as it was asked for");
    key
}

fn to(bytes: u16) -> Option<MssClamp> {
    Some(MssClamp::try_from(bytes).unwrap())
}

/// What begins a connection, with these options: the client's SYN, or the
/// server's answer to it.
fn syn(frame: &Frame, side: Side, options: &[u8]) -> Vec<u8> {
    let builder = PacketBuilder::ethernet2(frame.src_mac, frame.dst_mac)
        .ipv4(frame.src.0, frame.dst.0, frame.ttl)
        .tcp(frame.src.1, frame.dst.1, 1_000, 4_000)
        .syn();
    let builder = match side {
        Side::Outer => builder,
        Side::Inner => builder.ack(1_001),
    };
    let mut bytes = Vec::new();
    let builder = builder.options_raw(options).unwrap();
    builder.write(&mut bytes, &[]).unwrap();
    bytes
}

/// Sends it and answers the options that arrive; all else must be right.
#[track_caller]
fn options_of(world: &mut dyn World, side: Side, frame: Vec<u8>) -> Vec<u8> {
    let before = TcpHeaderSlice::from_slice(&frame[34..])
        .unwrap()
        .to_header();
    let out = sent(world, side, frame);
    // Both checksums are found right there.
    read(&out);
    let after = TcpHeaderSlice::from_slice(&out[34..]).unwrap().to_header();
    assert_eq!(after.sequence_number, before.sequence_number);
    assert_eq!((after.syn, after.ack), (before.syn, before.ack));
    assert_eq!(after.window_size, before.window_size);
    after.options.as_slice().to_vec()
}

fn linux(segment: u16) -> Vec<u8> {
    let mut options = LINUX.to_vec();
    options[2..4].copy_from_slice(&segment.to_be_bytes());
    options
}

fn ends(world: &dyn World) -> (Frame, Frame) {
    let client = (world.client(), 5_000);
    (
        Frame::outer(client, (world.vip(), 80)),
        Frame::inner((SERVER_A, 80), client),
    )
}

pub fn a_syn_asks_for_less(world: &mut dyn World) {
    clamped(world, to(1_300));
    let (there, back) = ends(world);
    let arrived = options_of(world, Side::Outer, syn(&there, Side::Outer, &LINUX));
    assert_eq!(arrived, linux(1_300));
    let arrived = options_of(world, Side::Inner, syn(&back, Side::Inner, &LINUX));
    assert_eq!(arrived, linux(1_300));
}

pub fn it_comes_again(world: &mut dyn World) {
    clamped(world, to(536));
    let (there, _) = ends(world);
    for _ in 0..3 {
        let arrived = options_of(world, Side::Outer, syn(&there, Side::Outer, &LINUX));
        assert_eq!(arrived, linux(536));
    }
    assert_eq!(world.connections().len(), 1);
}

pub fn what_the_links_take(world: &mut dyn World) {
    clamped(world, Some(MssClamp::Path));
    let (there, back) = ends(world);
    let takes = linux(INNER_MTU - 40);
    let arrived = options_of(world, Side::Outer, syn(&there, Side::Outer, &LINUX));
    assert_eq!(arrived, takes);
    let arrived = options_of(world, Side::Inner, syn(&back, Side::Inner, &LINUX));
    assert_eq!(arrived, takes);
}

pub fn small_ones_and_strangers_stay_as_they_are(world: &mut dyn World) {
    let service = clamped(world, to(1_300));
    let (there, back) = ends(world);
    for options in [linux(1_300), linux(0), vec![], vec![1, 1, 0, 0]] {
        let arrived = options_of(world, Side::Outer, syn(&there, Side::Outer, &options));
        assert_eq!(arrived, options);
    }
    // Another service has no limit; and the first one has it no longer.
    let key = super::service(world, Protocol::Tcp, 81);
    add_service(world, key, Scheduler::Rr);
    add_server(world, key, endpoint(SERVER_A, 81), 1);
    let other = Frame {
        dst: (world.vip(), 81),
        ..there.clone()
    };
    let arrived = options_of(world, Side::Outer, syn(&other, Side::Outer, &LINUX));
    assert_eq!(arrived, LINUX);
    let spec = ServiceSpec::new(service, Scheduler::Rr);
    world.apply(&Command::EditService(spec)).unwrap();
    let arrived = options_of(world, Side::Inner, syn(&back, Side::Inner, &LINUX));
    assert_eq!(arrived, LINUX);
}

pub fn other_options_around_it(world: &mut dyn World) {
    clamped(world, to(1_300));
    let (there, _) = ends(world);
    // At an odd place; behind nothing but fillers; at the very end; cut short,
    // which is none; behind an end; behind a length that leads nowhere.
    let cases: [(Vec<u8>, usize); 6] = [
        (vec![1, 2, 4, 0x05, 0xb4, 1, 1, 1], 3),
        ([vec![1; 36], vec![2, 4, 0x05, 0xb4]].concat(), 38),
        (vec![4, 2, 1, 1, 2, 4, 0x05, 0xb4], 6),
        (vec![1, 1, 1, 1, 1, 2, 4, 0x05], 0),
        (vec![0, 1, 1, 1, 2, 4, 0x05, 0xb4], 0),
        (vec![9, 0, 1, 1, 2, 4, 0x05, 0xb4], 0),
    ];
    for (index, (options, place)) in cases.into_iter().enumerate() {
        let frame = Frame {
            src: (world.client(), 6_000 + index as u16),
            ..there.clone()
        };
        let arrived = options_of(world, Side::Outer, syn(&frame, Side::Outer, &options));
        let mut wanted = options;
        if place > 0 {
            wanted[place..place + 2].copy_from_slice(&1_300u16.to_be_bytes());
        }
        assert_eq!(arrived, wanted);
    }
}

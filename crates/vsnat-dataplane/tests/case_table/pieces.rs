//! Datagrams that travel in pieces.

use vsnat_api::{Command, Protocol, Scheduler, ServiceSpec, Side};

use super::frame::{Flags, Frame, pieces, read, read_error, whole, with_fragment_field};
use super::*;

/// Payload of a piece.
const PIECE: usize = 512;

/// A UDP service on port 53, which is server A's port 5353.
fn names(world: &mut dyn World) -> ServiceKey {
    let key = service(world, Protocol::Udp, 53);
    add_service(world, key, Scheduler::Rr);
    add_server(world, key, endpoint(SERVER_A, 5_353), 1);
    key
}

fn question(world: &dyn World) -> Frame {
    Frame::outer((world.client(), 5_000), (world.vip(), 53)).payload(1_200)
}

fn answer(world: &dyn World) -> Frame {
    Frame::inner((SERVER_A, 5_353), (world.client(), 5_000)).payload(1_200)
}

#[track_caller]
fn all_sent(world: &mut dyn World, side: Side, pieces: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    let send = |piece| sent(world, side, piece);
    pieces.into_iter().map(send).collect()
}

pub fn they_follow_the_first_one(world: &mut dyn World) {
    names(world);
    let frame = question(world);
    let forwarded = world.count("forwarded");
    for number in [1, 2] {
        let arrived = all_sent(world, Side::Outer, pieces(&frame.udp(), number, PIECE));
        assert_eq!(arrived.len(), 3);
        let seen = read(&whole(&arrived));
        assert_eq!((seen.src, seen.dst), (frame.src, (SERVER_A, 5_353)));
        assert_eq!((seen.ttl, seen.payload), (63, frame.payload.clone()));
    }
    assert_eq!(world.connections().len(), 1);
    assert_eq!(world.count("forwarded"), forwarded + 6);
}

pub fn a_servers_pieces_return(world: &mut dyn World) {
    names(world);
    let (to, back) = (question(world), answer(world));
    sent(world, Side::Outer, to.clone().payload(9).udp());
    let arrived = all_sent(world, Side::Inner, pieces(&back.udp(), 7, PIECE));
    let seen = read(&whole(&arrived));
    assert_eq!((seen.src, seen.dst), (to.dst, to.src));
    assert_eq!((seen.ttl, seen.payload), (63, back.payload));
}

pub fn a_single_byte_is_a_piece(world: &mut dyn World) {
    names(world);
    // Eight bytes of UDP header in front.
    let frame = question(world).payload(PIECE - 8 + 1);
    let arrived = all_sent(world, Side::Outer, pieces(&frame.udp(), 3, PIECE));
    assert_eq!(arrived[1].len(), 35);
    assert_eq!(read(&whole(&arrived)).payload, frame.payload);
}

pub fn a_stray_is_dropped(world: &mut dyn World) {
    names(world);
    let sides = [
        (Side::Outer, question(world).udp()),
        (Side::Inner, answer(world).udp()),
    ];
    let [(_, to), (_, back)] = &sides;
    let to = pieces(to, 4, PIECE);
    dropped(world, Side::Outer, to[1].clone(), "fragment");
    // A server's may be of traffic of its own.
    let back = pieces(back, 4, PIECE);
    passed(world, Side::Inner, back[1].clone(), "not_ours");
    all_sent(world, Side::Outer, to);
    all_sent(world, Side::Inner, back);
}

pub fn those_of_the_host_are_left_alone(world: &mut dyn World) {
    names(world);
    let frame = Frame {
        dst: (world.vip(), 54),
        ..question(world)
    };
    for piece in pieces(&frame.udp(), 5, PIECE) {
        passed(world, Side::Outer, piece, "not_ours");
    }
    let frame = Frame {
        src: (SERVER_A, 5_354),
        ..answer(world)
    };
    for piece in pieces(&frame.udp(), 5, PIECE) {
        passed(world, Side::Inner, piece, "not_ours");
    }
    assert_eq!(world.connections(), []);
}

pub fn each_datagram_has_its_own_first(world: &mut dyn World) {
    let key = names(world);
    add_server(world, key, endpoint(SERVER_B, 5_353), 1);
    let one = question(world);
    let other = Frame {
        src: (world.client(), 5_001),
        ..one.clone()
    };
    let one = pieces(&one.udp(), 8, PIECE);
    let other = pieces(&other.udp(), 9, PIECE);
    let mut arrived = [Vec::new(), Vec::new()];
    for (one, other) in one.into_iter().zip(other) {
        arrived[0].push(sent(world, Side::Outer, one));
        arrived[1].push(sent(world, Side::Outer, other));
    }
    let [one, other] = arrived.map(|pieces| read(&whole(&pieces)).dst.0);
    assert_ne!(one, other, "two connections, two servers");
}

/// Runs a packet that the host is to divide.
#[track_caller]
fn divided(world: &mut dyn World, side: Side, frame: Vec<u8>) -> Vec<u8> {
    let before = (world.count("too_big"), world.count("forwarded"));
    let macs = frame[..12].to_vec();
    let (fate, bytes) = world.run(side, &frame.into());
    assert_eq!(fate, Fate::Pass, "to the host");
    assert_eq!(bytes[..12], macs, "as it came");
    let forwarded = before.1 + u64::from(side == Side::Outer);
    assert_eq!(world.count("too_big"), before.0 + 1);
    assert_eq!(world.count("forwarded"), forwarded);
    bytes
}

pub fn too_big_for_the_next_link_and_may_be_divided(world: &mut dyn World) {
    names(world);
    web(world);
    let small = question(world).payload(9);
    sent(world, Side::Outer, small.udp());
    let frame = small.clone().payload(1_400);
    let seen = read(&divided(
        world,
        Side::Outer,
        with_fragment_field(frame.udp(), 0),
    ));
    assert_eq!((seen.src, seen.dst), (frame.src, (SERVER_A, 5_353)));
    // The host takes one from it as it sends it on.
    assert_eq!((seen.ttl, seen.payload), (64, frame.payload));
    let frame = Frame::outer((world.client(), 5_000), (world.vip(), 80)).payload(1_361);
    sent(world, Side::Outer, frame.clone().payload(0).tcp(Flags::Syn));
    let segment = with_fragment_field(frame.tcp(Flags::Ack), 0);
    let seen = read(&divided(world, Side::Outer, segment));
    assert_eq!((seen.dst, seen.payload), ((SERVER_A, 80), frame.payload));
    // One that dies there is worth no word about its fragments.
    let dying = with_fragment_field(question(world).payload(1_400).ttl(1).udp(), 0);
    let error = sent(world, Side::Outer, dying);
    assert_eq!(read_error(&error).kind, (11, 0));
}

pub fn a_servers_datagram_may_be_divided_too(world: &mut dyn World) {
    names(world);
    let (to, back) = (question(world).payload(9), answer(world).payload(1_600));
    sent(world, Side::Outer, to.udp());
    let datagram = with_fragment_field(back.udp(), 0);
    let seen = read(&divided(world, Side::Inner, datagram));
    assert_eq!((seen.src, seen.dst), (to.dst, to.src));
    assert_eq!((seen.ttl, seen.payload), (64, back.payload));
}

pub fn all_pieces_of_a_divided_datagram_are_the_hosts(world: &mut dyn World) {
    names(world);
    let small = question(world).payload(9);
    sent(world, Side::Outer, small.udp());
    let frame = small.payload(3_000);
    // The last of the three would fit.
    let pieces = pieces(&frame.udp(), 6, 1_400);
    assert!(pieces[2].len() < usize::from(INNER_MTU));
    let arrived: Vec<_> = pieces
        .into_iter()
        .map(|piece| divided(world, Side::Outer, piece))
        .collect();
    let seen = read(&whole(&arrived));
    assert_eq!((seen.src, seen.dst), (frame.src, (SERVER_A, 5_353)));
    assert_eq!((seen.ttl, seen.payload), (64, frame.payload));
}

pub fn of_a_segment(world: &mut dyn World) {
    web(world);
    let frame = Frame::outer((world.client(), 5_000), (world.vip(), 80)).payload(1_000);
    sent(world, Side::Outer, frame.tcp(Flags::Syn));
    let arrived = all_sent(world, Side::Outer, pieces(&frame.tcp(Flags::Ack), 1, PIECE));
    let seen = read(&whole(&arrived));
    assert_eq!((seen.dst, seen.payload), ((SERVER_A, 80), frame.payload));
}

pub fn of_a_one_packet_service(world: &mut dyn World) {
    let key = service(world, Protocol::Udp, 53);
    let spec = ServiceSpec {
        one_packet: true,
        ..ServiceSpec::new(key, Scheduler::Rr)
    };
    world.apply(&Command::AddService(spec)).unwrap();
    add_server(world, key, endpoint(SERVER_A, 53), 1);
    for piece in pieces(&question(world).udp(), 2, PIECE) {
        dropped(world, Side::Outer, piece, "fragment");
    }
}

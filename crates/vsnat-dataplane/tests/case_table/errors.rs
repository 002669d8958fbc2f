//! ICMP errors of others about packets of connections.

use vsnat_api::{Command, Protocol, Scheduler, Side};

use super::frame::{Flags, Frame, SeenError, read_error};
use super::*;

/// Of the servers' network, and of the clients' way.
const INNER_ROUTER: [u8; 4] = [10, 9, 0, 77];
const OUTER_ROUTER: [u8; 4] = [192, 0, 2, 77];
const UNREACHABLE: (u8, u8) = (3, 1);
const NEXT_MTU: [u8; 4] = [0, 0, 0x05, 0x00];

/// A TCP connection to port 80 of the VIP, which is server A's port 8080.
struct Talk {
    client: ([u8; 4], u16),
    vip: ([u8; 4], u16),
    server: ([u8; 4], u16),
}

impl Talk {
    fn open(world: &mut dyn World) -> Talk {
        let key = service(world, Protocol::Tcp, 80);
        add_service(world, key, Scheduler::Rr);
        add_server(world, key, endpoint(SERVER_A, 8_080), 1);
        let talk = Talk {
            client: (world.client(), 5_000),
            vip: (world.vip(), 80),
            server: (SERVER_A, 8_080),
        };
        sent(world, Side::Outer, talk.request().tcp(Flags::Syn));
        talk
    }

    fn request(&self) -> Frame {
        Frame::outer(self.client, self.vip)
    }

    fn response(&self) -> Frame {
        Frame::inner(self.server, self.client)
    }

    /// What the client's packet was when it was forwarded, as far as it is
    /// quoted, and what the client sent, one router older.
    fn forwarded(&self, frame: &Frame, length: usize) -> (Vec<u8>, Vec<u8>) {
        let forwarded = Frame {
            dst: self.server,
            ..frame.clone()
        };
        (ip(&forwarded, length), ip(frame, length))
    }

    /// The same of the server's packet.
    fn returned(&self, frame: &Frame, length: usize) -> (Vec<u8>, Vec<u8>) {
        let returned = Frame {
            src: self.vip,
            ..frame.clone()
        };
        (ip(&returned, length), ip(frame, length))
    }
}

/// The start of a TCP packet's IP part, after it has passed one router.
fn ip(frame: &Frame, length: usize) -> Vec<u8> {
    let bytes = frame.clone().ttl(63).tcp(Flags::Ack);
    bytes[14..].iter().copied().take(length).collect()
}

const WHOLE: usize = usize::MAX;

#[track_caller]
fn translated(world: &mut dyn World, side: Side, frame: Vec<u8>) -> SeenError {
    let before = world.count("error_translated");
    let bytes = sent(world, side, frame);
    assert_eq!(world.count("error_translated"), before + 1);
    read_error(&bytes)
}

pub fn a_server_is_unreachable(world: &mut dyn World) {
    let talk = Talk::open(world);
    let (quote, wanted) = talk.forwarded(&talk.request(), WHOLE);
    let error = Frame::inner((SERVER_A, 0), (world.client(), 0));
    let error = error.error((3, 3), [0; 4], &quote);
    let seen = translated(world, Side::Inner, error);
    assert_eq!(seen.kind, (3, 3));
    assert_eq!((seen.src, seen.dst), (world.vip(), world.client()));
    assert_eq!(seen.quote, wanted);
    let stats = world.services()[0].servers[0].counters;
    assert_eq!((stats.in_packets, stats.out_packets), (1, 1));
}

pub fn a_router_between_director_and_server(world: &mut dyn World) {
    let talk = Talk::open(world);
    let (quote, wanted) = talk.forwarded(&talk.request(), WHOLE);
    let error = Frame::inner((INNER_ROUTER, 0), (world.client(), 0));
    let error = error.error((3, 4), NEXT_MTU, &quote);
    let seen = translated(world, Side::Inner, error);
    assert_eq!((seen.kind, seen.mtu), ((3, 4), 0x0500));
    assert_eq!(seen.src, world.vip(), "a private address tells nothing");
    assert_eq!(seen.quote, wanted);
}

pub fn as_much_as_is_quoted(world: &mut dyn World) {
    let talk = Talk::open(world);
    // Ports only, up to the checksum, with it, odd, and longer than the rest.
    for length in [28, 36, 38, 39, 43, 45, 500] {
        let frame = talk.request().payload(600);
        let (quote, wanted) = talk.forwarded(&frame, length);
        let error = Frame::inner((SERVER_A, 0), (world.client(), 0));
        let error = error.error((11, 0), [0; 4], &quote);
        assert_eq!(translated(world, Side::Inner, error).quote, wanted);
        let frame = talk.response().payload(600);
        let (quote, wanted) = talk.returned(&frame, length);
        let error = Frame::outer((world.client(), 0), (world.vip(), 0));
        let error = error.error((12, 0), [20, 0, 0, 0], &quote);
        assert_eq!(translated(world, Side::Outer, error).quote, wanted);
    }
    let (quote, _) = talk.forwarded(&talk.request(), 27);
    let error = Frame::inner((SERVER_A, 0), (world.client(), 0));
    passed(
        world,
        Side::Inner,
        error.error(UNREACHABLE, [0; 4], &quote),
        "not_ours",
    );
}

pub fn datagrams_with_and_without_a_checksum(world: &mut dyn World) {
    let key = service(world, Protocol::Udp, 53);
    add_service(world, key, Scheduler::Rr);
    add_server(world, key, endpoint(SERVER_A, 5_353), 1);
    let to = Frame::outer((world.client(), 5_000), (world.vip(), 53));
    sent(world, Side::Outer, to.udp());
    let forwarded = Frame {
        dst: (SERVER_A, 5_353),
        ..to.clone()
    };
    let (mut quote, mut wanted) = (forwarded.udp(), to.udp());
    let error = Frame::inner((SERVER_A, 0), (world.client(), 0));
    for _ in 0..2 {
        let error = error.error((3, 3), [0; 4], &quote[14..]);
        assert_eq!(translated(world, Side::Inner, error).quote, wanted[14..]);
        for frame in [&mut quote, &mut wanted] {
            frame[40..42].fill(0);
        }
    }
}

pub fn a_client_is_unreachable(world: &mut dyn World) {
    let talk = Talk::open(world);
    let (quote, wanted) = talk.returned(&talk.response(), WHOLE);
    let error = Frame::outer((world.client(), 0), (world.vip(), 0));
    for _ in ["the way is asked", "the way is known"] {
        let seen = translated(world, Side::Outer, error.error((3, 3), [0; 4], &quote));
        assert_eq!((seen.src, seen.dst), (world.client(), SERVER_A));
        assert_eq!(seen.quote, wanted);
    }
    let last = sent(world, Side::Outer, error.error((3, 3), [0; 4], &quote));
    assert_eq!(last[..6], SERVER_MAC);
}

pub fn a_router_on_the_clients_way(world: &mut dyn World) {
    let talk = Talk::open(world);
    let (quote, wanted) = talk.returned(&talk.response(), WHOLE);
    let error = Frame::outer((OUTER_ROUTER, 0), (world.vip(), 0));
    let seen = translated(world, Side::Outer, error.error((3, 4), NEXT_MTU, &quote));
    assert_eq!((seen.kind, seen.mtu), ((3, 4), 0x0500));
    assert_eq!((seen.src, seen.dst), (OUTER_ROUTER, SERVER_A));
    assert_eq!(seen.quote, wanted);
}

pub fn behind_ip_options(world: &mut dyn World) {
    let key = service(world, Protocol::Udp, 53);
    add_service(world, key, Scheduler::Rr);
    add_server(world, key, endpoint(SERVER_A, 53), 1);
    let to = Frame::outer((world.client(), 5_000), (world.vip(), 53));
    let options = [7, 7, 4, 0, 0, 0, 0, 0];
    sent(world, Side::Outer, to.udp_with_options(&options));
    let forwarded = Frame {
        dst: (SERVER_A, 53),
        ..to.clone()
    };
    let quote = &forwarded.udp_with_options(&options)[14..];
    let error = Frame::inner((SERVER_A, 0), (world.client(), 0));
    let error = error.error_with_options((3, 3), [0; 4], quote, &options[..4]);
    let seen = translated(world, Side::Inner, error);
    assert_eq!((seen.src, seen.dst), (world.vip(), world.client()));
    assert_eq!(seen.quote, to.udp_with_options(&options)[14..]);
}

pub fn about_what_is_not_ours(world: &mut dyn World) {
    let talk = Talk::open(world);
    let (client, vip) = (world.client(), world.vip());
    let (forwarded, sent_by_client) = talk.forwarded(&talk.request(), WHOLE);
    let (returned, _) = talk.returned(&talk.response(), WHOLE);
    let inner = Frame::inner((SERVER_A, 0), (client, 0));
    let outer = Frame::outer((client, 0), (vip, 0));
    // Nobody's connection, the wrong side, and not what was forwarded.
    let other = Frame::outer((client, 5_001), (SERVER_A, 8_080)).tcp(Flags::Ack);
    passed(
        world,
        Side::Inner,
        inner.error(UNREACHABLE, [0; 4], &other[14..]),
        "not_ours",
    );
    passed(
        world,
        Side::Outer,
        outer.error(UNREACHABLE, [0; 4], &forwarded),
        "not_ours",
    );
    passed(
        world,
        Side::Inner,
        inner.error(UNREACHABLE, [0; 4], &returned),
        "not_ours",
    );
    passed(
        world,
        Side::Inner,
        inner.error(UNREACHABLE, [0; 4], &sent_by_client),
        "not_ours",
    );
    // Not to the VIP, and not for this machine.
    let elsewhere = Frame::outer((client, 0), (NOT_A_VIP, 0));
    passed(
        world,
        Side::Outer,
        elsewhere.error(UNREACHABLE, [0; 4], &returned),
        "not_ours",
    );
    let neighbours = outer.for_mac([2, 9, 9, 9, 9, 9]);
    passed(
        world,
        Side::Outer,
        neighbours.error(UNREACHABLE, [0; 4], &returned),
        "not_ours",
    );
}

pub fn other_messages_are_left_alone(world: &mut dyn World) {
    let talk = Talk::open(world);
    let (quote, _) = talk.forwarded(&talk.request(), WHOLE);
    let (returned, _) = talk.returned(&talk.response(), WHOLE);
    for kind in [(0, 0), (5, 1), (8, 0), (13, 0)] {
        let inner = Frame::inner((SERVER_A, 0), (world.client(), 0));
        passed(
            world,
            Side::Inner,
            inner.error(kind, [0; 4], &quote),
            "not_ours",
        );
        let outer = Frame::outer((world.client(), 0), (world.vip(), 0));
        passed(
            world,
            Side::Outer,
            outer.error(kind, [0; 4], &returned),
            "not_ours",
        );
    }
    // A fragment of a message, one cut short, and a later fragment quoted.
    let outer = Frame::outer((world.client(), 0), (world.vip(), 0));
    let whole = outer.error(UNREACHABLE, [0; 4], &returned);
    let fragment = super::frame::with_fragment_field(whole.clone(), 0x2000);
    passed(world, Side::Outer, fragment, "not_ours");
    for length in [34, 35, 41, 61, 69] {
        passed(world, Side::Outer, whole[..length].to_vec(), "not_ours");
    }
    let mut later = returned.clone();
    later[6..8].copy_from_slice(&[0, 100]);
    passed(
        world,
        Side::Outer,
        outer.error(UNREACHABLE, [0; 4], &later),
        "not_ours",
    );
}

pub fn it_has_a_time_to_live_too(world: &mut dyn World) {
    let talk = Talk::open(world);
    let (quote, _) = talk.forwarded(&talk.request(), WHOLE);
    let error = Frame::inner((SERVER_A, 0), (world.client(), 0)).ttl(1);
    let error = error.error(UNREACHABLE, [0; 4], &quote);
    dropped(world, Side::Inner, error, "ttl_exceeded");
}

pub fn from_who_is_denied(world: &mut dyn World) {
    let talk = Talk::open(world);
    let (quote, _) = talk.returned(&talk.response(), WHOLE);
    let prefix = "192.0.2.0/24".parse().unwrap();
    world.apply(&Command::DenyAdd(prefix)).unwrap();
    let error = Frame::outer((OUTER_ROUTER, 0), (world.vip(), 0));
    let error = error.error(UNREACHABLE, [0; 4], &quote);
    dropped(world, Side::Outer, error.clone(), "denied");
    world.apply(&Command::DenyDelete(prefix)).unwrap();
    translated(world, Side::Outer, error);
}

//! Servers that have the VIP themselves: packets reach them as they are, and
//! their answers take another way.

use vsnat_api::{Command, ConnectionState, Forwarding, Protocol, Scheduler, ServiceSpec, Side};

use super::frame::{Flags, Frame, pieces, read, read_error, with_fragment_field};
use super::*;

fn add_routed(world: &mut dyn World, service: ServiceKey, ip: [u8; 4]) {
    let port = service.address().unwrap().port();
    let server = ServerSpec {
        forwarding: Forwarding::Route,
        ..ServerSpec::new(endpoint(ip, port), Weight::ONE)
    };
    world
        .apply(&Command::AddServer { service, server })
        .unwrap();
    let view = world.services().remove(0);
    assert!(view.servers.iter().any(|view| view.spec == server));
}

fn routed(world: &mut dyn World, protocol: Protocol, port: u16) -> ServiceKey {
    let key = service(world, protocol, port);
    add_service(world, key, Scheduler::Rr);
    add_routed(world, key, SERVER_A);
    key
}

/// What must arrive: the frame with the servers' MACs and one less to live.
#[track_caller]
fn as_it_came(out: &[u8], frame: &[u8]) {
    assert_eq!((&out[..6], &out[6..12]), (&SERVER_MAC[..], &INNER_MAC[..]));
    let mut wanted = frame.to_vec();
    wanted[..12].copy_from_slice(&out[..12]);
    wanted[22] -= 1;
    let field = u16::from_be_bytes([wanted[20], wanted[21]]);
    assert_eq!(out, with_fragment_field(wanted, field));
}

fn client(world: &dyn World, port: u16) -> Frame {
    Frame::outer((world.client(), 5_000), (world.vip(), port))
}

pub fn packets_keep_every_byte_but_their_age(world: &mut dyn World) {
    routed(world, Protocol::Tcp, 80);
    let to = client(world, 80);
    let syn = to.tcp(Flags::Syn);
    // By the kernel's look-up, whose frame the test does not see, and cached.
    let first = sent(world, Side::Outer, syn.clone());
    assert_eq!(read(&first).dst, (world.vip(), 80));
    as_it_came(&sent(world, Side::Outer, syn.clone()), &syn);
    let ack = to.tcp(Flags::Ack);
    as_it_came(&sent(world, Side::Outer, ack.clone()), &ack);
    let [connection] = world.connections()[..] else {
        panic!("one connection");
    };
    assert_eq!(connection.server, endpoint(SERVER_A, 80));
    assert_eq!(connection.virtual_address, endpoint(world.vip(), 80));
    assert_eq!(connection.state, ConnectionState::Established);
    let server = &world.services()[0].servers[0];
    assert_eq!((server.active, server.counters.in_packets), (1, 3));
    assert_eq!(server.counters.out_packets, 0);
    // An answer that comes by here all the same is none of ours.
    let back = Frame::inner((world.vip(), 80), to.src).tcp(Flags::SynAck);
    passed(world, Side::Inner, back, "not_ours");
}

pub fn a_client_closes_alone(world: &mut dyn World) {
    routed(world, Protocol::Tcp, 80);
    let to = client(world, 80);
    let state = |world: &dyn World| world.connections()[0].state;
    for (flags, after) in [
        (Flags::Syn, ConnectionState::SynRecv),
        (Flags::Ack, ConnectionState::Established),
        // The server's may have gone before.
        (Flags::FinAck, ConnectionState::FinWait),
        (Flags::Ack, ConnectionState::FinWait),
        (Flags::FinAck, ConnectionState::FinWait),
        (Flags::Rst, ConnectionState::Close),
    ] {
        sent(world, Side::Outer, to.tcp(flags));
        assert_eq!(state(world), after, "{flags:?}");
    }
    // The port is used again.
    sent(world, Side::Outer, to.tcp(Flags::Syn));
    assert_eq!(state(world), ConnectionState::SynRecv);
    assert_eq!(world.connections().len(), 1);
}

pub fn datagrams_and_their_pieces(world: &mut dyn World) {
    routed(world, Protocol::Udp, 53);
    let to = client(world, 53).payload(1_200);
    sent(world, Side::Outer, to.clone().payload(3).udp());
    for piece in pieces(&to.udp(), 9, 512) {
        as_it_came(&sent(world, Side::Outer, piece.clone()), &piece);
    }
}

pub fn one_packet_services(world: &mut dyn World) {
    let key = service(world, Protocol::Udp, 53);
    let spec = ServiceSpec {
        one_packet: true,
        ..ServiceSpec::new(key, Scheduler::Rr)
    };
    world.apply(&Command::AddService(spec)).unwrap();
    add_routed(world, key, SERVER_A);
    let frame = client(world, 53).udp();
    sent(world, Side::Outer, frame.clone());
    as_it_came(&sent(world, Side::Outer, frame.clone()), &frame);
    assert_eq!(world.connections(), []);
}

pub fn nothing_larger_than_the_link(world: &mut dyn World) {
    routed(world, Protocol::Udp, 53);
    let to = client(world, 53);
    sent(world, Side::Outer, to.udp());
    let large = to.payload(1_400).udp();
    world.let_icmp_recover();
    let error = read_error(&sent(world, Side::Outer, large.clone()));
    assert_eq!((error.kind, error.mtu), ((3, 4), INNER_MTU));
    assert_eq!(error.src, world.vip());
    // The host would take it for its own.
    dropped(world, Side::Outer, with_fragment_field(large, 0), "too_big");
}

pub fn beside_a_translated_one(world: &mut dyn World) {
    let key = routed(world, Protocol::Tcp, 80);
    add_server(world, key, endpoint(SERVER_B, 8_080), 1);
    let mut ends = Vec::new();
    for port in 6_000..6_004 {
        let frame = Frame {
            src: (world.client(), port),
            ..client(world, 80)
        };
        let out = read(&sent(world, Side::Outer, frame.tcp(Flags::Syn)));
        assert_eq!(out.src, frame.src);
        ends.push(out.dst);
    }
    ends.sort_unstable();
    let vip = (world.vip(), 80);
    let mut wanted = [vip, vip, (SERVER_B, 8_080), (SERVER_B, 8_080)];
    wanted.sort_unstable();
    assert_eq!(ends, wanted);
}

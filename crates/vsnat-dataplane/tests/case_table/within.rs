//! Clients within, and servers that see the director's own address: both ends
//! of every packet change, and every checksum is right.

use vsnat_api::{Command, Protocol, ServiceSpec, SettingName, Side, Source};

use super::frame::{Flags, Frame, Seen, pieces, read, read_error, whole};
use super::talk::*;
use super::*;

/// The director's address on the servers' side.
const DIRECTOR: [u8; 4] = [10, 9, 0, 1];
/// Its address on the clients' side, which is no VIP.
const OUTSIDE: [u8; 4] = [198, 51, 100, 1];
/// Of the inner network, but no server.
const NEIGHBOUR: [u8; 4] = [10, 9, 0, 13];
/// Ports that the director lends.
const LENT: std::ops::RangeInclusive<u16> = 1_024..=32_767;

/// Tells the path what the daemon would of the director's addresses.
fn at_home(world: &mut dyn World) {
    world.set_sources(&["10.9.0.1/24", "198.51.100.1/24"]);
    let vip = format!("{}/32", std::net::Ipv4Addr::from(world.vip()));
    world.set_own_networks(&["10.9.0.0/24", "198.51.100.1/32", &vip]);
}

/// A TCP service on port 80 whose servers A and B listen on port 8080.
fn shop(world: &mut dyn World, source: Source) -> ServiceKey {
    at_home(world);
    let key = service(world, Protocol::Tcp, 80);
    let spec = ServiceSpec {
        source,
        ..ServiceSpec::new(key, Scheduler::Rr)
    };
    world.apply(&Command::AddService(spec)).unwrap();
    add_server(world, key, endpoint(SERVER_A, 8_080), 1);
    add_server(world, key, endpoint(SERVER_B, 8_080), 1);
    key
}

/// What a packet has become that must come from the director.
#[track_caller]
fn hidden(bytes: &[u8], server: [u8; 4], port: u16) -> Seen {
    let seen = read(bytes);
    assert_eq!(seen.dst, (server, port));
    assert_eq!(seen.src.0, DIRECTOR);
    assert!(LENT.contains(&seen.src.1), "{}", seen.src.1);
    assert_eq!(seen.ttl, 63);
    seen
}

/// The server of a new connection, and the director's end of it.
#[track_caller]
fn call(world: &mut dyn World, from: [u8; 4], port: u16) -> (End, End) {
    let vip = (world.vip(), 80);
    let syn = Frame::inner((from, port), vip).tcp(Flags::Syn);
    let seen = read(&sent(world, Side::Inner, syn));
    assert_eq!(seen.src.0, DIRECTOR);
    (seen.dst, seen.src)
}

pub fn a_service_hides_its_clients(world: &mut dyn World) {
    let key = shop(world, Source::Director);
    assert_eq!(world.services()[0].spec.source, Source::Director);
    let (from, vip) = (client(world, 5, 5_000), (world.vip(), 80));
    let syn = sent(world, Side::Outer, Frame::outer(from, vip).tcp(Flags::Syn));
    let first = read(&syn);
    let seen = hidden(&syn, first.dst.0, 8_080);
    let lent = seen.src;
    let answer = Frame::inner(first.dst, lent).tcp(Flags::SynAck);
    let seen = read(&sent(world, Side::Inner, answer));
    assert_eq!((seen.src, seen.dst, seen.ttl), (vip, from, 63));
    for length in [0, 1, 777] {
        let frame = Frame::outer(from, vip).payload(length);
        let seen = read(&sent(world, Side::Outer, frame.tcp(Flags::Ack)));
        assert_eq!((seen.src, seen.dst), (lent, first.dst));
        assert_eq!(seen.payload, frame.payload);
        let frame = Frame::inner(first.dst, lent).payload(length);
        let seen = read(&sent(world, Side::Inner, frame.tcp(Flags::Ack)));
        assert_eq!((seen.src, seen.dst), (vip, from));
        assert_eq!(seen.payload, frame.payload);
    }
    let line = template("TCP", "ESTABLISHED", from, vip, first.dst);
    assert_eq!(lines(world), [line]);
    assert_eq!(counts(world, key, first.dst.0), (1, 0, 0));
    // An address of the server's own choice is not the client's.
    let astray = Frame::inner(first.dst, from).tcp(Flags::Ack);
    passed(world, Side::Inner, astray, "not_ours");
}

pub fn two_clients_of_one_port_are_told_apart(world: &mut dyn World) {
    shop(world, Source::Director);
    let vip = (world.vip(), 80);
    let mut lent: Vec<(End, End)> = (0..40)
        .map(|last| {
            let from = client(world, last, 5_000);
            let syn = Frame::outer(from, vip).tcp(Flags::Syn);
            let seen = read(&sent(world, Side::Outer, syn));
            (seen.dst, seen.src)
        })
        .collect();
    lent.sort_unstable();
    lent.dedup();
    assert_eq!(lent.len(), 40);
}

pub fn datagrams_of_hidden_clients(world: &mut dyn World) {
    at_home(world);
    let key = service(world, Protocol::Udp, 53);
    let spec = ServiceSpec {
        source: Source::Director,
        // Who hides nobody would leave no connection behind.
        one_packet: true,
        ..ServiceSpec::new(key, Scheduler::Rr)
    };
    world.apply(&Command::AddService(spec)).unwrap();
    add_server(world, key, endpoint(SERVER_A, 53), 1);
    let (from, vip) = (client(world, 5, 5_300), (world.vip(), 53));
    let question = Frame::outer(from, vip).payload(100).udp();
    let seen = hidden(&sent(world, Side::Outer, question), SERVER_A, 53);
    let answer = Frame::inner((SERVER_A, 53), seen.src).payload(200).udp();
    let seen = read(&sent(world, Side::Inner, answer));
    assert_eq!((seen.src, seen.dst), (vip, from));
    // Without a checksum none is made up.
    let mut question = Frame::outer(from, vip).udp();
    question[40..42].fill(0);
    let bytes = sent(world, Side::Outer, question);
    assert_eq!(bytes[40..42], [0, 0]);
}

pub fn pieces_of_hidden_clients(world: &mut dyn World) {
    at_home(world);
    let key = service(world, Protocol::Udp, 53);
    let spec = ServiceSpec {
        source: Source::Director,
        ..ServiceSpec::new(key, Scheduler::Rr)
    };
    world.apply(&Command::AddService(spec)).unwrap();
    add_server(world, key, endpoint(SERVER_A, 53), 1);
    let (from, vip) = (client(world, 5, 5_300), (world.vip(), 53));
    let question = Frame::outer(from, vip).payload(3_000);
    let arrived: Vec<_> = pieces(&question.udp(), 7, 1_000)
        .into_iter()
        .map(|piece| sent(world, Side::Outer, piece))
        .collect();
    let seen = hidden(&whole(&arrived), SERVER_A, 53);
    assert_eq!(seen.payload, question.payload);
    let answer = Frame::inner((SERVER_A, 53), seen.src).payload(3_000);
    let arrived: Vec<_> = pieces(&answer.udp(), 8, 1_000)
        .into_iter()
        .map(|piece| sent(world, Side::Inner, piece))
        .collect();
    let seen = read(&whole(&arrived));
    assert_eq!((seen.src, seen.dst), (vip, from));
    assert_eq!(seen.payload, answer.payload);
}

pub fn a_server_calls_its_own_vip(world: &mut dyn World) {
    let key = shop(world, Source::Client);
    let vip = (world.vip(), 80);
    let mut reached = Vec::new();
    for port in 5_000..5_004 {
        let from = (SERVER_A, port);
        let (server, lent) = call(world, SERVER_A, port);
        assert!(LENT.contains(&lent.1));
        reached.push(server.0);
        let answer = Frame::inner(server, lent).tcp(Flags::SynAck);
        let seen = read(&sent(world, Side::Inner, answer));
        assert_eq!((seen.src, seen.dst, seen.ttl), (vip, from, 63));
        let ack = Frame::inner(from, vip).payload(33);
        let seen = hidden(
            &sent(world, Side::Inner, ack.tcp(Flags::Ack)),
            server.0,
            8_080,
        );
        assert_eq!((seen.src, &seen.payload), (lent, &ack.payload));
        assert_eq!(seen.dst_mac, SERVER_MAC);
    }
    reached.sort_unstable();
    assert_eq!(reached, [SERVER_A, SERVER_A, SERVER_B, SERVER_B]);
    assert_eq!(counts(world, key, SERVER_A).0, 2);
    // Those of clients outside are seen by their servers as ever.
    let outside = client(world, 5, 5_000);
    let seen = say(world, outside, vip, Flags::Syn);
    assert_eq!(seen.src, outside);
}

pub fn a_neighbour_of_the_servers_calls(world: &mut dyn World) {
    shop(world, Source::Client);
    let vip = (world.vip(), 80);
    let (server, lent) = call(world, NEIGHBOUR, 6_000);
    let answer = Frame::inner(server, lent).tcp(Flags::SynAck);
    let seen = read(&sent(world, Side::Inner, answer));
    assert_eq!((seen.src, seen.dst), (vip, (NEIGHBOUR, 6_000)));
    // What opens nothing is left to the host, and so is another port.
    let from = (NEIGHBOUR, 6_001);
    let ack = Frame::inner(from, vip).tcp(Flags::Ack);
    passed(world, Side::Inner, ack, "no_connection");
    let other = Frame::inner(from, (world.vip(), 81)).tcp(Flags::Syn);
    passed(world, Side::Inner, other, "not_ours");
}

pub fn a_port_of_a_server_is_used_again(world: &mut dyn World) {
    shop(world, Source::Client);
    let vip = (world.vip(), 80);
    let (server, lent) = call(world, SERVER_A, 5_000);
    let reset = Frame::inner(server, lent).tcp(Flags::Rst);
    sent(world, Side::Inner, reset);
    let reopened = world.count("reopened");
    let (next, another) = call(world, SERVER_A, 5_000);
    assert_eq!(world.count("reopened"), reopened + 1);
    assert_ne!(next, server, "it is the next one's turn");
    let answer = Frame::inner(next, another).tcp(Flags::SynAck);
    let seen = read(&sent(world, Side::Inner, answer));
    assert_eq!((seen.src, seen.dst), (vip, (SERVER_A, 5_000)));
}

pub fn pieces_of_a_server_to_a_vip(world: &mut dyn World) {
    at_home(world);
    let key = service(world, Protocol::Udp, 53);
    add_service(world, key, Scheduler::Rr);
    add_server(world, key, endpoint(SERVER_B, 53), 1);
    add_server(world, key, endpoint(SERVER_A, 53), 0);
    let (from, vip) = ((SERVER_A, 5_300), (world.vip(), 53));
    let question = Frame::inner(from, vip).payload(3_000);
    let arrived: Vec<_> = pieces(&question.udp(), 9, 1_000)
        .into_iter()
        .map(|piece| sent(world, Side::Inner, piece))
        .collect();
    let seen = hidden(&whole(&arrived), SERVER_B, 53);
    assert_eq!(seen.payload, question.payload);
    // Of what nobody knows the host decides.
    let stray = pieces(&question.udp(), 10, 1_000).swap_remove(1);
    passed(world, Side::Inner, stray, "not_ours");
}

pub fn errors_about_hidden_ends(world: &mut dyn World) {
    shop(world, Source::Client);
    let (from, vip) = ((SERVER_A, 5_000), (world.vip(), 80));
    let (server, lent) = call(world, SERVER_A, 5_000);
    let answer = Frame::inner(server, lent).tcp(Flags::SynAck);
    sent(world, Side::Inner, answer);
    for length in [28, 38, 45] {
        // The called server refuses what it got from the director.
        let quoted = |src, dst| quote(&Frame::inner(src, dst), length);
        let error = Frame::inner((server.0, 0), (DIRECTOR, 0));
        let error = error.error((3, 3), [0; 4], &quoted(lent, server));
        let seen = read_error(&sent(world, Side::Inner, error));
        assert_eq!((seen.src, seen.dst), (vip.0, from.0));
        assert_eq!(seen.quote, quoted(from, vip));
        // The calling one refuses what it got from the VIP.
        let error = Frame::inner((from.0, 0), (vip.0, 0));
        let error = error.error((3, 3), [0; 4], &quoted(vip, from));
        let seen = read_error(&sent(world, Side::Inner, error));
        assert_eq!((seen.src, seen.dst), (DIRECTOR, server.0));
        assert_eq!(seen.quote, quoted(server, lent));
    }
}

/// The start of a TCP packet's IP part, after it has passed one router.
fn quote(frame: &Frame, length: usize) -> Vec<u8> {
    let bytes = frame.clone().ttl(63).tcp(Flags::Ack);
    bytes[14..].iter().copied().take(length).collect()
}

pub fn the_director_calls_its_own_vip(world: &mut dyn World) {
    let key = shop(world, Source::Client);
    let (from, vip) = ((OUTSIDE, 5_000), (world.vip(), 80));
    let syn = Frame::local(from, vip).tcp(Flags::Syn);
    let (fate, bytes) = world.run_local(&syn.into());
    assert_eq!(fate, Fate::Sent);
    let server = read(&bytes).dst;
    let lent = hidden(&bytes, server.0, 8_080).src;
    for flags in [Flags::SynAck, Flags::Ack] {
        let answer = Frame::inner(server, lent).tcp(flags);
        let seen = read(&sent(world, Side::Inner, answer));
        assert_eq!((seen.src, seen.dst), (vip, from));
        let said = Frame::local(from, vip).payload(55);
        let (fate, bytes) = world.run_local(&said.tcp(Flags::Ack).into());
        assert_eq!(fate, Fate::Sent);
        let seen = hidden(&bytes, server.0, 8_080);
        assert_eq!((seen.src, seen.payload), (lent, said.payload));
    }
    // What it answers leaves by the loopback interface, whose MAC is zero.
    let last = Frame::inner(server, lent).tcp(Flags::Ack);
    let seen = read(&sent(world, Side::Inner, last));
    assert_eq!(seen.dst_mac, [0; 6]);
    assert_eq!(counts(world, key, server.0), (1, 0, 0));
}

pub fn what_the_director_says_to_itself_is_left_alone(world: &mut dyn World) {
    shop(world, Source::Client);
    let vip = world.vip();
    for frame in [
        Frame::local((OUTSIDE, 5_000), (vip, 81)).tcp(Flags::Syn),
        Frame::local((OUTSIDE, 5_000), (vip, 80)).udp(),
        Frame::local((vip, 80), (OUTSIDE, 5_000)).tcp(Flags::SynAck),
        Frame::local(([127, 0, 0, 1], 5_000), ([127, 0, 0, 1], 80)).tcp(Flags::Syn),
    ] {
        let before = world.count("not_ours");
        let (fate, bytes) = world.run_local(&frame.clone().into());
        assert_eq!(fate, Fate::Pass);
        assert_eq!(bytes, frame);
        assert_eq!(world.count("not_ours"), before + 1);
    }
}

pub fn no_port_is_left_to_lend(world: &mut dyn World) {
    at_home(world);
    let key = service(world, Protocol::Udp, 53);
    let spec = ServiceSpec {
        source: Source::Director,
        ..ServiceSpec::new(key, Scheduler::Rr)
    };
    world.apply(&Command::AddService(spec)).unwrap();
    add_server(world, key, endpoint(SERVER_A, 53), 1);
    let vip = (world.vip(), 53);
    let connections = LENT.count();
    let mut sent_on = 0;
    for number in 0..2 * connections {
        let from = client(
            world,
            5 + (number / 60_000) as u8,
            1_024 + (number % 60_000) as u16,
        );
        let frame = Frame::outer(from, vip).udp();
        let (fate, _) = world.run(Side::Outer, &frame.into());
        if fate == Fate::Sent && world.count("source_ports_exhausted") > 0 {
            break;
        }
        sent_on += 1;
    }
    // Few are free when the first search finds none of them.
    assert!(sent_on > connections * 4 / 5, "{sent_on}");
    assert!(world.count("source_ports_exhausted") > 0);
    assert!(world.count("icmp_sent") > 0, "the client is told");
}

pub fn a_server_without_a_way_to_the_director(world: &mut dyn World) {
    world.set_sources(&[]);
    let key = service(world, Protocol::Tcp, 80);
    let spec = ServiceSpec {
        source: Source::Director,
        ..ServiceSpec::new(key, Scheduler::Rr)
    };
    world.apply(&Command::AddService(spec)).unwrap();
    add_server(world, key, endpoint(SERVER_A, 80), 1);
    let from = client(world, 5, 5_000);
    let syn = Frame::outer(from, (world.vip(), 80)).tcp(Flags::Syn);
    let before = world.count("source_ports_exhausted");
    let (fate, bytes) = world.run(Side::Outer, &syn.into());
    assert_eq!(fate, Fate::Sent);
    assert_eq!(read_error(&bytes).kind, (3, 3));
    assert_eq!(world.count("source_ports_exhausted"), before + 1);
    assert!(world.connections().is_empty());
}

pub fn sources_within_are_still_martians_outside(world: &mut dyn World) {
    shop(world, Source::Client);
    call(world, SERVER_A, 5_000);
    let vip = (world.vip(), 80);
    let forged = Frame::outer((SERVER_A, 5_001), vip).tcp(Flags::Syn);
    dropped(world, Side::Outer, forged, "martian");
}

pub fn servers_and_strangers_keep_their_answers(world: &mut dyn World) {
    shop(world, Source::Client);
    set(world, SettingName::NatIcmpSend, 1);
    // A server that is told of unknown connections is a client all the same.
    let (server, lent) = call(world, SERVER_A, 5_000);
    let answer = Frame::inner(server, lent).tcp(Flags::SynAck);
    sent(world, Side::Inner, answer);
    let ack = Frame::inner((SERVER_A, 5_000), (world.vip(), 80)).tcp(Flags::Ack);
    sent(world, Side::Inner, ack);
    let unknown = Frame::inner((SERVER_A, 8_080), client(world, 5, 9)).tcp(Flags::Ack);
    let bytes = sent(world, Side::Inner, unknown);
    assert_eq!(read_error(&bytes).kind, (3, 3));
}

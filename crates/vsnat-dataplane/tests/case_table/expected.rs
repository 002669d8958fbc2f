//! FTP's helper: control connections that the host gets, and data connections
//! that are expected.

use std::net::SocketAddrV4;

use vsnat_abi::expected::EXPECTED;
use vsnat_api::{Command, Helper, Protocol, ServiceSpec, SettingName, Side};

use vsnat_dataplane::Backend;

use super::frame::{Flags, Frame, pieces, read};
use super::model_world::ModelWorld;
use super::talk::*;
use super::*;

const FTP: u16 = 21;

/// A service with the helper and server A, on a port.
fn helped(world: &mut dyn World, port: u16) -> ServiceKey {
    let key = service(world, Protocol::Tcp, port);
    let spec = ServiceSpec {
        helper: Some(Helper::Ftp),
        ..ServiceSpec::new(key, Scheduler::Rr)
    };
    world.apply(&Command::AddService(spec)).unwrap();
    add_server(world, key, endpoint(SERVER_A, port), 1);
    key
}

fn address((ip, port): End) -> SocketAddrV4 {
    SocketAddrV4::new(ip.into(), port)
}

/// Opens a control connection as the packet path sees it.
fn control(world: &mut dyn World, from: End, vip: End) {
    passed(
        world,
        Side::Outer,
        Frame::outer(from, vip).tcp(Flags::Syn),
        "proxied",
    );
    let server = (SERVER_A, vip.1);
    handed(world, Frame::inner(server, from).tcp(Flags::SynAck));
    passed(
        world,
        Side::Outer,
        Frame::outer(from, vip).tcp(Flags::Ack),
        "proxied",
    );
}

/// Runs a server's packet that must reach the daemon, every byte as it was.
#[track_caller]
fn handed(world: &mut dyn World, frame: Vec<u8>) {
    let before = world.count("proxied");
    let (fate, bytes) = world.run(Side::Inner, &frame.clone().into());
    assert_eq!(fate, Fate::ToHost);
    assert_eq!(bytes, frame, "the daemon gets every byte as it was");
    assert_eq!(world.count("proxied"), before + 1);
}

pub fn a_control_connection_goes_to_the_host(world: &mut dyn World) {
    let key = helped(world, FTP);
    let (from, vip) = (client(world, 5, 5_000), (world.vip(), FTP));
    control(world, from, vip);
    let line = template("TCP", "ESTABLISHED", from, vip, (SERVER_A, FTP));
    assert_eq!(lines(world), [line]);
    assert_eq!(counts(world, key, SERVER_A), (1, 0, 0));
    let counters = world.services()[0].counters;
    assert_eq!(
        (
            counters.connections,
            counters.in_packets,
            counters.out_packets
        ),
        (1, 2, 1)
    );
    let found = world.proxied(address(from), address(vip)).unwrap();
    assert_eq!(found.server, address((SERVER_A, FTP)));
    assert_eq!(found.source, address(from));
    // An end of either side is followed as ever.
    handed(
        world,
        Frame::inner((SERVER_A, FTP), from).tcp(Flags::FinAck),
    );
    passed(
        world,
        Side::Outer,
        Frame::outer(from, vip).tcp(Flags::FinAck),
        "proxied",
    );
    assert_eq!(counts(world, key, SERVER_A), (0, 1, 0));
}

/// The host puts a datagram together, so the daemon gets all of its pieces.
pub fn pieces_of_a_control_connection_go_to_the_host(world: &mut dyn World) {
    helped(world, FTP);
    let (from, vip) = (client(world, 5, 5_000), (world.vip(), FTP));
    control(world, from, vip);
    let returned = world.count("returned");
    let reply = Frame::inner((SERVER_A, FTP), from).payload(64);
    let reply = pieces(&reply.tcp(Flags::Ack), 8, 32);
    let count = reply.len() as u64;
    for piece in reply {
        handed(world, piece);
    }
    assert_eq!(world.count("returned") - returned, count);
}

pub fn a_setting_helps_port_21_alone(world: &mut dyn World) {
    for port in [FTP, 2_121] {
        let key = service(world, Protocol::Tcp, port);
        add_service(world, key, Scheduler::Rr);
        add_server(world, key, endpoint(SERVER_A, port), 1);
    }
    let vip = world.vip();
    let translated = |world: &mut dyn World, port, last| {
        let frame = Frame::outer(client(world, last, 5_000), (vip, port));
        let (fate, _) = world.run(Side::Outer, &frame.tcp(Flags::Syn).into());
        fate == Fate::Sent
    };
    assert!(translated(world, FTP, 1));
    set(world, SettingName::FtpHelper, 1);
    assert!(!translated(world, FTP, 2));
    assert!(translated(world, 2_121, 3));
    // What is open stays as it is.
    assert!(translated(world, FTP, 1));
    set(world, SettingName::FtpHelper, 0);
    assert!(translated(world, FTP, 4));
    assert!(!translated(world, FTP, 2));
}

pub fn a_client_comes_to_a_port_that_it_was_told(world: &mut dyn World) {
    let key = helped(world, FTP);
    let (from, vip) = (client(world, 5, 5_000), (world.vip(), FTP));
    control(world, from, vip);
    let told = world.proxied(address(from), address(vip)).unwrap();
    let port = world.expect_client(&told, 40_000).unwrap();
    assert_eq!(port, 40_000);
    let data = (vip.0, port);
    // Neither another client nor anything but a SYN.
    let stranger = Frame::outer(client(world, 6, 5_001), data).tcp(Flags::Syn);
    passed(world, Side::Outer, stranger, "not_ours");
    let mine = client(world, 5, 5_001);
    passed(
        world,
        Side::Outer,
        Frame::outer(mine, data).tcp(Flags::Ack),
        "not_ours",
    );
    let expected = world.count("expected");
    let server = open(world, mine, data).unwrap();
    assert_eq!(server, (SERVER_A, 40_000));
    assert_eq!(world.count("expected"), expected + 1);
    assert_eq!(counts(world, key, SERVER_A), (2, 0, 0));
    // One entry, one connection.
    let again = Frame::outer(client(world, 5, 5_002), data).tcp(Flags::Syn);
    passed(world, Side::Outer, again, "not_ours");
    close(world, mine, data, server);
    assert_eq!(counts(world, key, SERVER_A), (1, 1, 0));
}

pub fn a_server_comes_to_a_port_of_the_client(world: &mut dyn World) {
    let key = helped(world, FTP);
    let (from, vip) = (client(world, 5, 5_000), (world.vip(), FTP));
    control(world, from, vip);
    let told = world.proxied(address(from), address(vip)).unwrap();
    world.expect_server(&told, 6_000).unwrap();
    let (listening, server) = (client(world, 5, 6_000), (SERVER_A, 20));
    // Nobody but the server itself.
    let other = Frame::inner((SERVER_B, 20), listening).tcp(Flags::Syn);
    passed(world, Side::Inner, other, "not_ours");
    let expected = world.count("expected");
    let seen = read(&sent(
        world,
        Side::Inner,
        Frame::inner(server, listening).tcp(Flags::Syn),
    ));
    assert_eq!((seen.src, seen.dst), ((vip.0, 20), listening));
    assert_eq!(world.count("expected"), expected + 1);
    let back = Frame::outer(listening, seen.src).tcp(Flags::SynAck);
    let seen = read(&sent(world, Side::Outer, back));
    assert_eq!((seen.src, seen.dst), (listening, server));
    let line = template("TCP", "ESTABLISHED", listening, (vip.0, 20), server);
    assert!(lines(world).contains(&line), "{:?}", lines(world));
    assert_eq!(counts(world, key, SERVER_A), (2, 0, 0));
    // Once only.
    let again = Frame::inner((SERVER_A, 1_020), listening).tcp(Flags::Syn);
    passed(world, Side::Inner, again, "not_ours");
    // While that connection is known, another one shows another port.
    world.expect_server(&told, 6_000).unwrap();
    let again = Frame::inner((SERVER_A, 1_021), listening).tcp(Flags::Syn);
    let seen = read(&sent(world, Side::Inner, again));
    assert_eq!((seen.src.0, seen.dst), (vip.0, listening));
    assert_ne!(seen.src.1, 20);
}

pub fn another_port_shows_the_one_below_it(world: &mut dyn World) {
    helped(world, 2_121);
    let (from, vip) = (client(world, 5, 5_000), (world.vip(), 2_121));
    control(world, from, vip);
    let told = world.proxied(address(from), address(vip)).unwrap();
    world.expect_server(&told, 6_000).unwrap();
    let listening = client(world, 5, 6_000);
    let frame = Frame::inner((SERVER_A, 33_000), listening).tcp(Flags::Syn);
    let seen = read(&sent(world, Side::Inner, frame));
    assert_eq!((seen.src, seen.dst), ((vip.0, 2_120), listening));
}

pub fn a_port_of_another_service_is_not_given_away(world: &mut dyn World) {
    helped(world, FTP);
    let web = service(world, Protocol::Tcp, 40_000);
    add_service(world, web, Scheduler::Rr);
    let (from, vip) = (client(world, 5, 5_000), (world.vip(), FTP));
    control(world, from, vip);
    let told = world.proxied(address(from), address(vip)).unwrap();
    let port = world.expect_client(&told, 40_000).unwrap();
    assert_eq!(port, 40_001);
    // Asked for again the same one is given; another port of the server gets
    // another one, as long as the first may be in use.
    assert_eq!(world.expect_client(&told, 40_000).unwrap(), 40_001);
    assert_eq!(world.expect_client(&told, 40_001).unwrap(), 40_002);
    assert_eq!(world.expect_client(&told, u16::MAX).unwrap(), u16::MAX);
    let mine = client(world, 5, 5_001);
    assert_eq!(open(world, mine, (vip.0, port)), Some((SERVER_A, 40_000)));
}

pub fn a_deleted_server_is_expected_no_more(world: &mut dyn World) {
    let key = helped(world, FTP);
    let (from, vip) = (client(world, 5, 5_000), (world.vip(), FTP));
    control(world, from, vip);
    let told = world.proxied(address(from), address(vip)).unwrap();
    let port = world.expect_client(&told, 40_000).unwrap();
    let address = endpoint(SERVER_A, FTP);
    world
        .apply(&Command::DeleteServer {
            service: key,
            address,
        })
        .unwrap();
    let frame = Frame::outer(client(world, 5, 5_001), (vip.0, port)).tcp(Flags::Syn);
    passed(world, Side::Outer, frame, "not_ours");
    // And what is open is dropped in silence, as with any service.
    let frame = Frame::outer(from, vip).tcp(Flags::Ack);
    dropped(world, Side::Outer, frame, "server_gone");
}

pub fn a_reused_port_of_a_client_finds_its_server(world: &mut dyn World) {
    helped(world, FTP);
    let (from, vip) = (client(world, 5, 5_000), (world.vip(), FTP));
    control(world, from, vip);
    let told = world.proxied(address(from), address(vip)).unwrap();
    let mine = client(world, 5, 5_001);
    for server_port in [40_000, 40_000] {
        let port = world.expect_client(&told, server_port).unwrap();
        let server = open(world, mine, (vip.0, port)).unwrap();
        assert_eq!(server, (SERVER_A, server_port));
        close(world, mine, (vip.0, port), server);
    }
    // The control connection's own port, too.
    handed(
        world,
        Frame::inner((SERVER_A, FTP), from).tcp(Flags::FinAck),
    );
    passed(
        world,
        Side::Outer,
        Frame::outer(from, vip).tcp(Flags::FinAck),
        "proxied",
    );
    let reopened = world.count("reopened");
    passed(
        world,
        Side::Outer,
        Frame::outer(from, vip).tcp(Flags::Syn),
        "proxied",
    );
    assert_eq!(world.count("reopened"), reopened + 1);
}

pub fn expectations_end_with_the_director(world: &mut dyn World) {
    helped(world, FTP);
    let (from, vip) = (client(world, 5, 5_000), (world.vip(), FTP));
    control(world, from, vip);
    let told = world.proxied(address(from), address(vip)).unwrap();
    let port = world.expect_client(&told, 40_000).unwrap();
    world.restart();
    let frame = Frame::outer(client(world, 5, 5_001), (vip.0, port)).tcp(Flags::Syn);
    passed(world, Side::Outer, frame, "not_ours");
    // The helper is still asked for.
    assert_eq!(world.services()[0].spec.helper, Some(Helper::Ftp));
    assert!(world.proxied(address(from), address(vip)).is_some());
}

pub fn nobody_is_expected_for_ever(world: &mut ModelWorld) {
    helped(world, FTP);
    let (from, vip) = (client(world, 5, 5_000), (world.vip(), FTP));
    control(world, from, vip);
    let told = world.proxied(address(from), address(vip)).unwrap();
    let port = world.expect_client(&told, 40_000).unwrap();
    world.expect_server(&told, 6_000).unwrap();
    world.plane.backend_mut().advance_ms(61_000);
    // The packet path looks for itself, before the daemon has.
    let frame = Frame::outer(client(world, 5, 5_001), (vip.0, port)).tcp(Flags::Syn);
    passed(world, Side::Outer, frame, "not_ours");
    let frame = Frame::inner((SERVER_A, 20), client(world, 5, 6_000)).tcp(Flags::Syn);
    passed(world, Side::Inner, frame, "not_ours");
    world.expect_client(&told, 40_000).unwrap();
    world.plane.backend_mut().advance_ms(61_000);
    world.plane.tend();
    assert_eq!(world.plane.backend().expected().unwrap(), []);
}

pub fn a_full_table_is_counted_and_tidied(world: &mut ModelWorld) {
    helped(world, FTP);
    let (from, vip) = (client(world, 5, 5_000), (world.vip(), FTP));
    control(world, from, vip);
    let told = world.proxied(address(from), address(vip)).unwrap();
    for port in 0..EXPECTED as u16 {
        world.expect_server(&told, 1_024 + port).unwrap();
    }
    let refused = world.expect_server(&told, 60_000);
    assert!(matches!(refused, Err(ExpectError::Full)));
    assert_eq!(world.count("expected_full"), 1);
    // Room is made where there is some to be made.
    world.plane.backend_mut().advance_ms(61_000);
    world.expect_server(&told, 60_000).unwrap();
    assert_eq!(world.plane.backend().expected().unwrap().len(), 1);
}

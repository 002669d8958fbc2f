//! SCTP: the states of an association, and its checksum.

use vsnat_api::{ConnectionState, Protocol, Scheduler, SettingName, Side};

use super::association_frame::{Chunk, SeenAssociation, read_association};
use super::frame::{Frame, read_error};
use super::talk::*;
use super::*;

const PORT: u16 = 9_899;
const SERVER_PORT: u16 = 3_868;

/// A service whose servers A and B are on another port.
fn diameter(world: &mut dyn World) -> ServiceKey {
    let key = service(world, Protocol::Sctp, PORT);
    add_service(world, key, Scheduler::Rr);
    for server in [SERVER_A, SERVER_B] {
        add_server(world, key, endpoint(server, SERVER_PORT), 1);
    }
    key
}

#[track_caller]
fn to(world: &mut dyn World, from: End, chunk: Chunk) -> SeenAssociation {
    let frame = Frame::outer(from, (world.vip(), PORT));
    read_association(&sent(world, Side::Outer, frame.sctp(chunk)))
}

#[track_caller]
fn back(world: &mut dyn World, server: End, from: End, chunk: Chunk) -> SeenAssociation {
    let seen = sent(world, Side::Inner, Frame::inner(server, from).sctp(chunk));
    let seen = read_association(&seen);
    assert_eq!((seen.src, seen.dst), ((world.vip(), PORT), from));
    seen
}

/// An association up to the moment when both ends have it.
fn associate(world: &mut dyn World, from: End) -> End {
    let server = to(world, from, Chunk::Init).dst;
    back(world, server, from, Chunk::InitAck);
    to(world, from, Chunk::CookieEcho);
    back(world, server, from, Chunk::CookieAck);
    server
}

pub fn a_whole_association(world: &mut dyn World) {
    let key = diameter(world);
    let from = client(world, 5, 5_000);
    let out = to(world, from, Chunk::Init);
    let server = (SERVER_B, SERVER_PORT);
    assert_eq!((out.src, out.dst, out.ttl), (from, server, 63));
    assert_eq!(
        out.chunks,
        [1, 0, 0, 9, b'h', b'e', b'l', b'l', b'o', 0, 0, 0]
    );
    let at = |world: &mut dyn World, active, wanted| {
        assert_eq!(state(world, from), wanted);
        let counted = if active { (1, 0, 0) } else { (0, 1, 0) };
        assert_eq!(counts(world, key, SERVER_B), counted, "{wanted:?}");
    };
    at(world, false, ConnectionState::Init1);
    to(world, from, Chunk::Init);
    at(world, false, ConnectionState::Init);
    back(world, server, from, Chunk::InitAck);
    at(world, false, ConnectionState::CookieSent);
    to(world, from, Chunk::CookieEcho);
    at(world, false, ConnectionState::CookieReplied);
    back(world, server, from, Chunk::CookieAck);
    at(world, true, ConnectionState::Established);
    to(world, from, Chunk::Data);
    back(world, server, from, Chunk::Data);
    at(world, true, ConnectionState::Established);
    to(world, from, Chunk::Shutdown);
    at(world, false, ConnectionState::ShutdownReceived);
    back(world, server, from, Chunk::ShutdownAck);
    at(world, false, ConnectionState::ShutdownAckSent);
    to(world, from, Chunk::ShutdownComplete);
    at(world, false, ConnectionState::Closed);
    let line = template("SCTP", "CLOSED", from, (world.vip(), PORT), server);
    assert_eq!(lines(world), [line]);
    assert_eq!(world.services()[0].counters.connections, 1);
}

pub fn a_server_that_ends_it(world: &mut dyn World) {
    diameter(world);
    let from = client(world, 5, 5_000);
    let server = associate(world, from);
    back(world, server, from, Chunk::Shutdown);
    assert_eq!(state(world, from), ConnectionState::ShutdownSent);
    to(world, from, Chunk::ShutdownAck);
    assert_eq!(state(world, from), ConnectionState::Closed);
}

pub fn an_abort_ends_it_at_once(world: &mut dyn World) {
    let key = diameter(world);
    let from = client(world, 5, 5_000);
    let server = associate(world, from);
    to(world, from, Chunk::Abort);
    assert_eq!(state(world, from), ConnectionState::Closed);
    assert_eq!(counts(world, key, server.0), (0, 1, 0));
    let refused = client(world, 5, 5_001);
    let server = to(world, refused, Chunk::Init).dst;
    back(world, server, refused, Chunk::Abort);
    assert_eq!(state(world, refused), ConnectionState::Rejected);
}

pub fn checksums_of_all_lengths(world: &mut dyn World) {
    diameter(world);
    let from = client(world, 5, 5_000);
    let server = associate(world, from);
    for length in (0..=64).chain([255, 256, 257, 1_000, 1_300]) {
        let frame = Frame::outer(from, (world.vip(), PORT)).payload(length);
        let out = sent(world, Side::Outer, frame.sctp(Chunk::Data));
        assert_eq!(read_association(&out).dst, server, "{length} bytes");
        let frame = Frame::inner(server, from).payload(length);
        let out = sent(world, Side::Inner, frame.sctp(Chunk::Data));
        assert_eq!(read_association(&out).src.1, PORT, "{length} bytes");
    }
}

pub fn no_checksum_stays_none(world: &mut dyn World) {
    diameter(world);
    let from = client(world, 5, 5_000);
    let frame = Frame::outer(from, (world.vip(), PORT));
    let out = sent(world, Side::Outer, frame.sctp_without_checksum(Chunk::Init));
    let out = read_association(&out);
    assert_eq!((out.checksum, out.dst.1), ([0; 4], SERVER_PORT));
}

pub fn the_same_port_needs_no_new_checksum(world: &mut dyn World) {
    let key = service(world, Protocol::Sctp, PORT);
    add_service(world, key, Scheduler::Rr);
    add_server(world, key, endpoint(SERVER_A, PORT), 1);
    let frame = Frame::outer(client(world, 5, 5_000), (world.vip(), PORT));
    let mut frame = frame.sctp(Chunk::Init);
    // Even a wrong one is the receiver's to find.
    frame[45] ^= 0xff;
    let wrong: [u8; 4] = frame[42..46].try_into().unwrap();
    let out = sent(world, Side::Outer, frame);
    assert_eq!(out[42..46], wrong);
    assert_eq!(out[30..34], SERVER_A);
}

pub fn only_an_init_opens(world: &mut dyn World) {
    diameter(world);
    let from = client(world, 5, 5_000);
    let frame = Frame::outer(from, (world.vip(), PORT));
    for chunk in [
        Chunk::Data,
        Chunk::CookieEcho,
        Chunk::Shutdown,
        Chunk::Abort,
    ] {
        passed(world, Side::Outer, frame.sctp(chunk), "no_connection");
    }
    set(world, SettingName::SloppySctp, 1);
    assert_eq!(letter(Some(to(world, from, Chunk::Data).dst)), 'B');
    assert_eq!(state(world, from), ConnectionState::Established);
}

pub fn a_closed_association_opens_anew(world: &mut dyn World) {
    let key = diameter(world);
    let from = client(world, 5, 5_000);
    let server = associate(world, from);
    // While it stands, an INIT belongs to it.
    assert_eq!(to(world, from, Chunk::Init).dst, server);
    assert_eq!(state(world, from), ConnectionState::Established);
    to(world, from, Chunk::Abort);
    let reopened = world.count("reopened");
    let next = to(world, from, Chunk::Init).dst;
    assert_eq!(letter(Some(next)), 'A');
    assert_eq!(state(world, from), ConnectionState::Init1);
    assert_eq!(world.count("reopened"), reopened + 1);
    assert_eq!(counts(world, key, server.0), (0, 0, 0));
    assert_eq!(lines(world).len(), 1);
}

pub fn clients_of_associations_are_kept(world: &mut dyn World) {
    let key = service(world, Protocol::Sctp, PORT);
    keeping(world, key, every_client(), SERVER_PORT);
    let vip = (world.vip(), PORT);
    let line = |world: &dyn World, state| {
        let server = (SERVER_C, SERVER_PORT);
        template("SCTP", state, client(world, 5, 0), vip, server)
    };
    let from = client(world, 5, 5_000);
    assert_eq!(to(world, from, Chunk::Init).dst.0, SERVER_C);
    assert_eq!(templates(world), [line(world, "NONE")]);
    let from = client(world, 5, 5_001);
    assert_eq!(associate(world, from).0, SERVER_C);
    assert_eq!(templates(world), [line(world, "ASSURED")]);
}

pub fn nobody_for_an_association(world: &mut dyn World) {
    let key = service(world, Protocol::Sctp, PORT);
    add_service(world, key, Scheduler::Rr);
    world.let_icmp_recover();
    let frame = Frame::outer(client(world, 5, 5_000), (world.vip(), PORT));
    let frame = frame.sctp(Chunk::Init);
    let error = read_error(&sent(world, Side::Outer, frame.clone()));
    assert_eq!((error.kind, error.src), ((3, 3), world.vip()));
    assert_eq!(error.quote, frame[14..]);
}

pub fn a_server_is_told_of_an_unknown_association(world: &mut dyn World) {
    diameter(world);
    set(world, SettingName::NatIcmpSend, 1);
    world.let_icmp_recover();
    let from = client(world, 5, 5_000);
    let frame = Frame::inner((SERVER_A, SERVER_PORT), from);
    let error = read_error(&sent(world, Side::Inner, frame.sctp(Chunk::Data)));
    assert_eq!((error.kind, error.dst), ((3, 3), SERVER_A));
    passed(world, Side::Inner, frame.sctp(Chunk::Abort), "not_ours");
}

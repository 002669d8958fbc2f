//! IPv6 on either side of the director, and on one of them only.

use std::net::{Ipv4Addr, Ipv6Addr};

use vsnat_api::{Protocol, Scheduler, Side};

use super::frame::{Flags, Frame, pieces, read, read_error, whole};
use super::frame6::{Frame6, pieces6, read_error6, read6, whole6, with_options};
use super::*;

pub const SERVER6: [u8; 16] = [0x20, 1, 0xd, 0xb8, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x11];
/// A router on the servers' side.
const ROUTER6: [u8; 16] = [0x20, 1, 0xd, 0xb8, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xfe];

/// An address behind the prefix for IPv4 ones.
fn behind_prefix(ip: [u8; 4]) -> [u8; 16] {
    let mut address = [0; 16];
    address[..4].copy_from_slice(&[0, 0x64, 0xff, 0x9b]);
    address[12..].copy_from_slice(&ip);
    address
}

/// The stand-in of an address that has one.
fn stand_in(world: &mut dyn World, address: [u8; 16]) -> [u8; 4] {
    world.hold_stand_in(Ipv6Addr::from(address)).octets()
}

/// A service on an IPv6 VIP with a server of either family, whose address in
/// the tables is told.
fn six(world: &mut dyn World, protocol: Protocol, port: u16, server: ([u8; 4], u16)) -> ServiceKey {
    let vip = world.vip6();
    let key = ServiceKey::Address {
        protocol,
        address: endpoint(stand_in(world, vip), port),
    };
    add_service(world, key, Scheduler::Rr);
    add_server(world, key, endpoint(server.0, server.1), 1);
    key
}

/// The same for TCP on port 80.
pub fn web6(world: &mut dyn World) {
    six(world, Protocol::Tcp, 80, (SERVER_A, 80));
}

fn client(world: &dyn World) -> ([u8; 16], u16) {
    (world.client6(), 5_000)
}

pub fn a_client_of_an_ipv4_server(world: &mut dyn World) {
    six(world, Protocol::Tcp, 80, (SERVER_A, 8_080));
    let to = Frame6::outer(client(world), (world.vip6(), 80));
    let opened = world.count("opened");
    let seen_before = world.count("seen");
    let arrived = sent(world, Side::Outer, to.tcp(Flags::Syn));
    assert_eq!(arrived.len(), to.tcp(Flags::Syn).len() - 20);
    let seen = read(&arrived);
    assert_eq!(seen.dst, (SERVER_A, 8_080));
    assert_eq!((seen.src.1, seen.ttl), (5_000, 63));
    assert_eq!(seen.payload, to.payload);
    assert_eq!((arrived[15], &arrived[20..22]), (0x28, &[0x40, 0][..]));
    assert_eq!(world.true_address(seen.src.0), Ipv6Addr::from(to.src.0));
    assert_eq!(world.count("opened"), opened + 1);
    assert_eq!(world.count("seen"), seen_before + 1);

    let back = Frame::inner((SERVER_A, 8_080), seen.src).payload(300);
    let arrived = sent(world, Side::Inner, back.tcp(Flags::SynAck));
    let answer = read6(&arrived);
    assert_eq!((answer.src, answer.dst), (to.dst, to.src));
    assert_eq!((answer.hops, answer.payload), (63, back.payload.clone()));

    // By the next hop that is known now.
    let arrived = sent(world, Side::Inner, back.tcp(Flags::Ack));
    let answer = read6(&arrived);
    assert_eq!((answer.src, answer.dst), (to.dst, to.src));
    assert_eq!((answer.src_mac, answer.dst_mac), (OUTER_MAC, GATEWAY_MAC));
    sent(world, Side::Outer, to.tcp(Flags::Ack));
    let arrived = read(&sent(world, Side::Outer, with_options(&to.tcp(Flags::Ack))));
    assert_eq!((arrived.src, arrived.dst), (seen.src, (SERVER_A, 8_080)));
    assert_eq!(arrived.payload, to.payload);
    assert_eq!(world.count("opened"), opened + 1);
}

pub fn both_sides(world: &mut dyn World) {
    let server = stand_in(world, SERVER6);
    six(world, Protocol::Tcp, 80, (server, 8_080));
    let to = Frame6::outer(client(world), (world.vip6(), 80));
    for flags in [Flags::Syn, Flags::Ack] {
        let arrived = read6(&sent(world, Side::Outer, to.tcp(flags)));
        assert_eq!((arrived.src, arrived.dst), (to.src, (SERVER6, 8_080)));
        assert_eq!((arrived.hops, arrived.class), (63, 0x28));
        assert_eq!(arrived.payload, to.payload);
    }
    let back = Frame6::inner((SERVER6, 8_080), to.src);
    for flags in [Flags::SynAck, Flags::Ack] {
        let arrived = read6(&sent(world, Side::Inner, back.tcp(flags)));
        assert_eq!((arrived.src, arrived.dst), (to.dst, to.src));
        assert_eq!((arrived.hops, arrived.payload), (63, back.payload.clone()));
    }
}

pub fn an_ipv4_client_of_an_ipv6_server(world: &mut dyn World) {
    let server = stand_in(world, SERVER6);
    let key = service(world, Protocol::Tcp, 80);
    add_service(world, key, Scheduler::Rr);
    add_server(world, key, endpoint(server, 8_080), 1);
    let to = Frame::outer((world.client(), 5_000), (world.vip(), 80));
    let known_as = (behind_prefix(world.client()), 5_000);
    for flags in [Flags::Syn, Flags::Ack] {
        let arrived = read6(&sent(world, Side::Outer, to.tcp(flags)));
        assert_eq!((arrived.src, arrived.dst), (known_as, (SERVER6, 8_080)));
        assert_eq!((arrived.hops, arrived.payload), (63, to.payload.clone()));
    }
    let back = Frame6::inner((SERVER6, 8_080), known_as);
    for flags in [Flags::SynAck, Flags::Ack] {
        let arrived = read(&sent(world, Side::Inner, back.tcp(flags)));
        assert_eq!((arrived.src, arrived.dst), (to.dst, to.src));
        assert_eq!((arrived.ttl, arrived.payload), (63, back.payload.clone()));
    }
}

pub fn datagrams(world: &mut dyn World) {
    six(world, Protocol::Udp, 53, (SERVER_A, 5_353));
    let to = Frame6::outer(client(world), (world.vip6(), 53));
    let seen = read(&sent(world, Side::Outer, to.udp()));
    assert_eq!(
        (seen.dst, seen.payload),
        ((SERVER_A, 5_353), to.payload.clone())
    );
    let back = Frame::inner((SERVER_A, 5_353), seen.src);
    let answer = read6(&sent(world, Side::Inner, back.udp()));
    assert_eq!((answer.src, answer.dst), (to.dst, to.src));
    assert_eq!(answer.payload, back.payload);
    // IPv6 knows no datagram without a checksum.
    let mut unsummed = back.udp();
    unsummed[40..42].copy_from_slice(&[0, 0]);
    dropped(world, Side::Inner, unsummed, "untranslatable");
}

pub fn what_is_not_ours(world: &mut dyn World) {
    six(world, Protocol::Tcp, 80, (SERVER_A, 80));
    let from = client(world);
    let vip = world.vip6();
    let to = |port| Frame6::outer(from, (vip, port));
    let elsewhere = Frame6::outer(from, (SERVER6, 80));
    let seen = world.count("seen");
    passed(world, Side::Outer, to(81).tcp(Flags::Syn), "not_ours");
    passed(world, Side::Outer, to(80).udp(), "not_ours");
    passed(world, Side::Outer, to(80).tcp(Flags::Ack), "not_ours");
    passed(world, Side::Outer, to(80).tcp(Flags::Rst), "not_ours");
    passed(world, Side::Outer, elsewhere.tcp(Flags::Syn), "not_ours");
    let echo = to(0).icmp((128, 0), [0, 1, 0, 1], b"ping");
    passed(world, Side::Outer, echo, "not_ours");
    let solicitation = to(0).icmp((135, 0), [0; 4], &vip);
    passed(world, Side::Outer, solicitation, "not_ours");
    let stray = to(80).tcp(Flags::Syn);
    let unknown = to(0).icmp((1, 4), [0; 4], &stray[14..]);
    passed(world, Side::Outer, unknown, "not_ours");
    let own = Frame6::inner((SERVER6, 4_000), (from.0, 443));
    passed(world, Side::Inner, own.tcp(Flags::Syn), "not_ours");
    for length in [54, 60, 73] {
        let cut = to(80).tcp(Flags::Syn)[..length].to_vec();
        passed(world, Side::Outer, cut, "not_ours");
    }
    let mut routed = with_options(&to(80).tcp(Flags::Syn));
    (routed[20], routed[57]) = (43, 1);
    passed(world, Side::Outer, routed, "not_ours");
    assert_eq!(world.count("seen"), seen + 13);
    assert_eq!(world.connections(), []);
}

pub fn nobody_serves(world: &mut dyn World) {
    let vip = world.vip6();
    let key = ServiceKey::Address {
        protocol: Protocol::Tcp,
        address: endpoint(stand_in(world, vip), 80),
    };
    add_service(world, key, Scheduler::Rr);
    let to = Frame6::outer(client(world), (vip, 80));
    world.let_icmp_recover();
    let syn = to.tcp(Flags::Syn);
    let answer = read_error6(&sent(world, Side::Outer, syn.clone()));
    assert_eq!((answer.kind, answer.word), ((1, 4), 0));
    assert_eq!((answer.src, answer.dst), (vip, to.src.0));
    assert_eq!(answer.quote, syn[14..], "what the sender sent");
}

pub fn hops_are_used_up(world: &mut dyn World) {
    six(world, Protocol::Udp, 53, (SERVER_A, 53));
    let to = Frame6::outer(client(world), (world.vip6(), 53)).hops(1);
    world.let_icmp_recover();
    let question = to.udp();
    let answer = read_error6(&sent(world, Side::Outer, question.clone()));
    assert_eq!((answer.kind, answer.word), ((3, 0), 0));
    assert_eq!((answer.src, answer.dst), (world.vip6(), to.src.0));
    assert_eq!(answer.quote, question[14..]);
}

pub fn too_big_for_the_other_family(world: &mut dyn World) {
    six(world, Protocol::Tcp, 80, (SERVER_A, 80));
    let to = Frame6::outer(client(world), (world.vip6(), 80));
    let seen = read(&sent(world, Side::Outer, to.tcp(Flags::Syn)));
    world.let_icmp_recover();
    // The largest that fits without the longer header, and one byte more.
    let largest = usize::from(INNER_MTU) - 40;
    let fits = to.clone().payload(largest).tcp(Flags::Ack);
    assert_eq!(fits.len(), 14 + usize::from(INNER_MTU) + 20);
    sent(world, Side::Outer, fits);
    let large = to.clone().payload(largest + 1).tcp(Flags::Ack);
    let answer = read_error6(&sent(world, Side::Outer, large.clone()));
    assert_eq!(answer.kind, (2, 0));
    assert_eq!(answer.word, u32::from(INNER_MTU) + 20);
    let quoted = answer.quote.len();
    assert_eq!(answer.quote, large[14..14 + quoted]);

    // The other way: what the server sends gets a longer header.
    let back = Frame::inner((SERVER_A, 80), seen.src);
    read6(&sent(world, Side::Inner, back.tcp(Flags::SynAck)));
    let large = back
        .clone()
        .payload(usize::from(OUTER_MTU) - 59)
        .tcp(Flags::Ack);
    let answer = read_error(&sent(world, Side::Inner, large.clone()));
    assert_eq!((answer.kind, answer.mtu), ((3, 4), OUTER_MTU - 20));
    assert_eq!(answer.dst, SERVER_A);
    let fits = back.payload(usize::from(OUTER_MTU) - 60).tcp(Flags::Ack);
    read6(&sent(world, Side::Inner, fits));
}

pub fn errors_from_the_clients_side(world: &mut dyn World) {
    six(world, Protocol::Tcp, 80, (SERVER_A, 8_080));
    let to = Frame6::outer(client(world), (world.vip6(), 80));
    let seen = read(&sent(world, Side::Outer, to.tcp(Flags::Syn)));
    let back = Frame::inner((SERVER_A, 8_080), seen.src).payload(900);
    let reply = sent(world, Side::Inner, back.tcp(Flags::SynAck));
    let router = [0x20, 1, 0xd, 0xb8, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
    for (kind, word, becomes, mtu) in [
        ((2, 0), 1_300, (3, 4), 1_280),
        ((3, 0), 0, (11, 0), 0),
        ((1, 4), 0, (3, 3), 0),
        ((1, 1), 0, (3, 10), 0),
    ] {
        let translated = world.count("error_translated");
        let from = Frame6::outer((router, 0), to.dst);
        let word: u32 = word;
        let error = from.icmp(kind, word.to_be_bytes(), &reply[14..]);
        let arrived = sent(world, Side::Outer, error);
        let error = read_error(&arrived);
        assert_eq!((error.kind, error.mtu), (becomes, mtu));
        assert_eq!((error.src, error.dst), (seen.src.0, SERVER_A));
        assert_eq!(world.count("error_translated"), translated + 1);
        // The server finds what it sent, but for the hop that it passed.
        let mut frame = back.tcp(Flags::SynAck);
        frame.splice(14.., error.quote.clone());
        let quoted = read(&frame);
        assert_eq!((quoted.src, quoted.dst), (back.src, back.dst));
        assert_eq!(quoted.payload, back.payload);
    }
}

pub fn errors_from_the_servers_side(world: &mut dyn World) {
    let server = stand_in(world, SERVER6);
    six(world, Protocol::Tcp, 80, (server, 8_080));
    let to = Frame6::outer(client(world), (world.vip6(), 80)).payload(900);
    let arrived = sent(world, Side::Outer, to.tcp(Flags::Syn));
    for (kind, word, becomes) in [
        ((2, 0), 1_320, (2, 0)),
        ((3, 0), 0, (3, 0)),
        ((1, 4), 0, (1, 4)),
        ((1, 3), 0, (1, 0)),
    ] {
        let from = Frame6::inner((ROUTER6, 0), to.src);
        let word: u32 = word;
        let error = from.icmp(kind, word.to_be_bytes(), &arrived[14..]);
        let error = read_error6(&sent(world, Side::Inner, error));
        assert_eq!((error.kind, error.word), (becomes, word));
        assert_eq!((error.src, error.dst), (to.dst.0, to.src.0));
        let mut frame = to.tcp(Flags::Syn);
        frame.splice(14.., error.quote.clone());
        let quoted = read6(&frame);
        assert_eq!((quoted.src, quoted.dst), (to.src, to.dst));
    }
}

pub fn errors_of_an_ipv4_server(world: &mut dyn World) {
    six(world, Protocol::Udp, 53, (SERVER_A, 5_353));
    let to = Frame6::outer(client(world), (world.vip6(), 53));
    let arrived = sent(world, Side::Outer, to.udp());
    let from = Frame::inner((SERVER_A, 0), (read(&arrived).src.0, 0));
    let error = from.error((3, 3), [0; 4], &arrived[14..]);
    let error = read_error6(&sent(world, Side::Inner, error));
    assert_eq!((error.kind, error.word), ((1, 4), 0));
    assert_eq!((error.src, error.dst), (to.dst.0, to.src.0));
    let mut frame = to.udp();
    frame.splice(14.., error.quote);
    let quoted = read6(&frame);
    assert_eq!((quoted.src, quoted.dst), (to.src, to.dst));
    assert_eq!(quoted.payload, to.payload);
}

pub fn fragments(world: &mut dyn World) {
    six(world, Protocol::Udp, 53, (SERVER_A, 5_353));
    let to = Frame6::outer(client(world), (world.vip6(), 53)).payload(1_200);
    let cut = pieces6(&to.udp(), 0xbeef_0007, 512);
    dropped_or_passed_first(world, &cut[1]);
    let mut arrived = Vec::new();
    for piece in cut {
        arrived.push(sent(world, Side::Outer, piece));
    }
    let seen = read(&whole(&arrived));
    assert_eq!(
        (seen.dst, seen.payload),
        ((SERVER_A, 5_353), to.payload.clone())
    );
    // The client has a stand-in by now: a stray piece is known for one.
    let stray = pieces6(&to.udp(), 9, 512).remove(1);
    dropped(world, Side::Outer, stray, "fragment");

    let back = Frame::inner((SERVER_A, 5_353), seen.src).payload(1_200);
    let mut arrived = Vec::new();
    for piece in pieces(&back.udp(), 77, 512) {
        arrived.push(sent(world, Side::Inner, piece));
    }
    let answer = read6(&whole6(&arrived));
    assert_eq!((answer.src, answer.dst), (to.dst, to.src));
    assert_eq!(answer.payload, back.payload);
}

/// A piece of somebody who has no connection.
fn dropped_or_passed_first(world: &mut dyn World, piece: &[u8]) {
    passed(world, Side::Outer, piece.to_vec(), "not_ours");
}

pub fn segments_of_one_large_ipv6_packet(world: &mut dyn World) {
    six(world, Protocol::Tcp, 80, (SERVER_A, 80));
    let to = Frame6::outer(client(world), (world.vip6(), 80));
    let seen = read(&sent(world, Side::Outer, to.tcp(Flags::Syn)));
    let large = Arriving {
        bytes: to.clone().payload(3_000).tcp(Flags::Ack),
        segment_size: 1_000,
    };
    let arrived = read(&sent(world, Side::Outer, large));
    assert_eq!((arrived.src, arrived.dst), (seen.src, (SERVER_A, 80)));
    assert_eq!(arrived.payload.len(), 3_000);
    let back = Frame::inner((SERVER_A, 80), seen.src).payload(3_000);
    let large = Arriving {
        bytes: back.tcp(Flags::Ack),
        segment_size: 1_000,
    };
    let arrived = read6(&sent(world, Side::Inner, large));
    assert_eq!((arrived.src, arrived.dst), (to.dst, to.src));
    assert_eq!(arrived.payload.len(), 3_000);
}

pub fn a_stand_in_is_an_addresses_own(world: &mut dyn World) {
    six(world, Protocol::Tcp, 80, (SERVER_A, 80));
    let mut met = std::collections::BTreeSet::new();
    for last in 1..=20 {
        let mut from = world.client6();
        from[15] = last;
        let to = Frame6::outer((from, 5_000), (world.vip6(), 80));
        let seen = read(&sent(world, Side::Outer, to.tcp(Flags::Syn)));
        assert_eq!(world.true_address(seen.src.0), Ipv6Addr::from(from));
        assert!(met.insert(seen.src.0), "{from:?} has a stand-in of its own");
        let again = read(&sent(world, Side::Outer, to.tcp(Flags::Ack)));
        assert_eq!(again.src, seen.src);
    }
    let pool: ipnet::Ipv4Net = "198.18.0.0/15".parse().unwrap();
    assert!(met.iter().all(|ip| pool.contains(&Ipv4Addr::from(*ip))));
}

pub fn denied_ipv6_sources(world: &mut dyn World) {
    web6(world);
    let (from, vip) = (client(world), world.vip6());
    let network = format!("{}/48", Ipv6Addr::from(from.0));
    let to = Frame6::outer(from, (vip, 80));
    sent(world, Side::Outer, to.tcp(Flags::Syn));
    world.deny6_add(&network);
    dropped(world, Side::Outer, to.tcp(Flags::Ack), "denied");
    let other = Frame6::outer((from.0, 5_001), to.dst);
    dropped(world, Side::Outer, other.tcp(Flags::Syn), "denied");
    let own = Frame6::outer(from, (vip, 22));
    passed(world, Side::Outer, own.tcp(Flags::Syn), "not_ours");
    world.deny6_delete(&network);
    sent(world, Side::Outer, to.tcp(Flags::Ack));
    world.set_own_networks6();
    let loopback = Frame6::outer((Ipv6Addr::LOCALHOST.octets(), 9), to.dst);
    dropped(world, Side::Outer, loopback.tcp(Flags::Syn), "martian");
}

pub fn an_ipv6_client_keeps_its_hashed_server(world: &mut dyn World) {
    let vip = world.vip6();
    let key = ServiceKey::Address {
        protocol: Protocol::Tcp,
        address: endpoint(stand_in(world, vip), 80),
    };
    add_service(world, key, Scheduler::Sh);
    // IPVS's table has the newest server first, and each slot in turn.
    for server in [SERVER_B, SERVER_A] {
        add_server(world, key, endpoint(server, 80), 1);
    }
    for last in 1..=8u16 {
        let mut from = world.client6();
        from[14..].copy_from_slice(&last.to_be_bytes());
        let folded = from.chunks(4).fold(0, |folded, word| {
            folded ^ u32::from_be_bytes(word.try_into().unwrap())
        });
        let slot = folded.wrapping_mul(0x61c8_8647) >> 24;
        let wanted = [SERVER_A, SERVER_B][slot as usize % 2];
        let to = Frame6::outer((from, 5_000), (vip, 80));
        let seen = read(&sent(world, Side::Outer, to.tcp(Flags::Syn)));
        assert_eq!(seen.dst.0, wanted, "client {last}");
    }
}

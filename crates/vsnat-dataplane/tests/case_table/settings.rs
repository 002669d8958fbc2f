//! IPVS's settings of the packet path.

use vsnat_api::{Command, ConnectionState, Protocol, Scheduler, SetTimeouts, SettingName, Side};

use super::frame::{Flags, Frame, read, read_error};
use super::talk::*;
use super::*;

pub fn any_segment_opens_if_asked(world: &mut dyn World) {
    let vip = (world.vip(), 80);
    web(world);
    set(world, SettingName::SloppyTcp, 1);
    let from = client(world, 5, 5_000);
    assert_eq!(say(world, from, vip, Flags::Ack).dst.0, SERVER_A);
    assert_eq!(state(world, from), ConnectionState::Established);
    let closing = client(world, 5, 5_001);
    say(world, closing, vip, Flags::FinAck);
    assert_eq!(state(world, closing), ConnectionState::Close);
    let reset = Frame::outer(client(world, 5, 5_002), vip).tcp(Flags::Rst);
    passed(world, Side::Outer, reset, "no_connection");
    set(world, SettingName::SloppyTcp, 0);
    let ack = Frame::outer(client(world, 5, 5_003), vip).tcp(Flags::Ack);
    passed(world, Side::Outer, ack, "no_connection");
}

pub fn one_of_a_few_openings_is_dropped(world: &mut dyn World) {
    let vip = (world.vip(), 80);
    web(world);
    set(world, SettingName::DropPacket, 3);
    set(world, SettingName::AmDroprate, 4);
    let before = world.count("drop_packet");
    let first = client(world, 5, 5_000);
    let mut opened = Vec::new();
    for number in 0..12 {
        let from = (first.0, first.1 + number);
        let (fate, _) = world.run(Side::Outer, &Frame::outer(from, vip).tcp(Flags::Syn).into());
        if fate == Fate::Sent {
            opened.push(from);
        }
    }
    assert_eq!(world.count("drop_packet"), before + 3);
    assert_eq!(opened.len(), 9);
    assert_eq!(opened[0].1, first.1 + 1, "the first one is dropped");
    assert_eq!(lines(world).len(), 9);
    // What is open is never dropped.
    for from in opened {
        say(world, from, vip, Flags::Ack);
    }
    assert_eq!(world.count("drop_packet"), before + 3);
    set(world, SettingName::DropPacket, 0);
    assert_eq!(picks(world, peer(5, 6_000), vip, 8), "AAAAAAAA");
}

pub fn nothing_is_dropped_while_there_is_room(world: &mut dyn World) {
    let vip = (world.vip(), 80);
    web(world);
    for (number, mode) in [1, 2].into_iter().enumerate() {
        set(world, SettingName::DropPacket, mode);
        set(world, SettingName::AmDroprate, 1);
        let from = client(world, 5, 5_000 + 100 * number as u16);
        assert_eq!(picks(world, from, vip, 4), "AAAA");
    }
}

pub fn the_secure_table_waits_for_both_sides(world: &mut dyn World) {
    let vip = (world.vip(), 80);
    let key = web(world);
    set(world, SettingName::SecureTcp, 3);
    let from = client(world, 5, 5_000);
    let server = (SERVER_A, 80);
    // An ACK before the server's SYN establishes nothing.
    say(world, from, vip, Flags::Syn);
    assert_eq!(state(world, from), ConnectionState::SynRecv);
    say(world, from, vip, Flags::Ack);
    assert_eq!(state(world, from), ConnectionState::SynRecv);
    reply(world, server, from, Flags::SynAck);
    assert_eq!(state(world, from), ConnectionState::Synack);
    for flags in [Flags::Ack, Flags::Syn, Flags::FinAck] {
        say(world, from, vip, flags);
        assert_eq!(state(world, from), ConnectionState::Synack, "{flags:?}");
    }
    assert_eq!(counts(world, key, SERVER_A), (1, 0, 0));
    reply(world, server, from, Flags::Ack);
    assert_eq!(state(world, from), ConnectionState::Established);
    close(world, from, vip, server);
    assert_eq!(state(world, from), ConnectionState::TimeWait);
    assert_eq!(counts(world, key, SERVER_A), (0, 1, 0));
    // A reset of the client counts once the server has answered.
    let other = client(world, 5, 5_001);
    say(world, other, vip, Flags::Syn);
    say(world, other, vip, Flags::Rst);
    assert_eq!(state(world, other), ConnectionState::SynRecv);
    reply(world, server, other, Flags::SynAck);
    say(world, other, vip, Flags::Rst);
    assert_eq!(state(world, other), ConnectionState::Close);
    // Modes 1 and 2 wait for need.
    set(world, SettingName::SecureTcp, 2);
    let third = client(world, 5, 5_002);
    open(world, third, vip);
    assert_eq!(state(world, third), ConnectionState::Established);
}

pub fn a_server_is_told_of_what_nobody_knows(world: &mut dyn World) {
    let key = service(world, Protocol::Udp, 53);
    web(world);
    add_service(world, key, Scheduler::Rr);
    add_server(world, key, endpoint(SERVER_A, 5_353), 1);
    let from = client(world, 5, 5_000);
    let segment = Frame::inner((SERVER_A, 80), from);
    let datagram = Frame::inner((SERVER_A, 5_353), from);
    passed(world, Side::Inner, segment.tcp(Flags::Ack), "not_ours");
    passed(world, Side::Inner, datagram.udp(), "not_ours");
    set(world, SettingName::NatIcmpSend, 1);
    for frame in [
        segment.tcp(Flags::Ack),
        segment.tcp(Flags::Syn),
        segment.tcp(Flags::SynAck),
        datagram.udp(),
    ] {
        world.let_icmp_recover();
        let told = world.count("unknown_to_server");
        let error = read_error(&sent(world, Side::Inner, frame.clone()));
        assert_eq!(error.kind, (3, 3));
        assert_eq!((error.dst, error.dst_mac), (SERVER_A, SERVER_MAC));
        assert_eq!(error.quote, frame[14..]);
        assert_eq!(world.count("unknown_to_server"), told + 1);
    }
    // A reset needs no answer, and other ports are the server's own affair.
    passed(world, Side::Inner, segment.tcp(Flags::Rst), "not_ours");
    for port in [53, 81] {
        let own = Frame::inner((SERVER_A, port), from);
        passed(world, Side::Inner, own.udp(), "not_ours");
        passed(world, Side::Inner, own.tcp(Flags::Ack), "not_ours");
    }
    // Nor is a known connection an affair of it.
    let vip = (world.vip(), 80);
    open(world, from, vip);
    assert_eq!(
        read(&sent(world, Side::Inner, segment.tcp(Flags::Ack))).src,
        vip
    );
}

pub fn timeouts_as_they_are_set(world: &mut dyn World) {
    let vip = world.vip();
    web(world);
    let key = service(world, Protocol::Udp, 53);
    add_service(world, key, Scheduler::Rr);
    add_server(world, key, endpoint(SERVER_A, 53), 1);
    let left = |world: &dyn World, from: End| {
        let connections = world.connections();
        let found = connections
            .iter()
            .find(|c| c.client == endpoint(from.0, from.1));
        found.unwrap().expires_ms
    };
    let check = |world: &mut dyn World, port, tcp_s: u64, fin_s: u64, udp_s: u64| {
        let near = |got: u64, wanted: u64| {
            let wanted = wanted * 1_000;
            (wanted.saturating_sub(2_000)..=wanted + 200).contains(&got)
        };
        let from = client(world, 5, port);
        let server = open(world, from, (vip, 80)).unwrap();
        assert!(near(left(world, from), tcp_s), "established");
        reply(world, server, from, Flags::FinAck);
        assert_eq!(state(world, from), ConnectionState::FinWait);
        assert!(near(left(world, from), fin_s), "after a FIN");
        let from = client(world, 5, port + 1);
        datagram(world, from, (vip, 53));
        assert!(near(left(world, from), udp_s), "UDP");
    };
    check(world, 5_000, 900, 120, 300);
    let set = |world: &mut dyn World, tcp_s, tcp_fin_s, udp_s| {
        let timeouts = SetTimeouts {
            tcp_s,
            tcp_fin_s,
            udp_s,
        };
        world.apply(&Command::SetTimeouts(timeouts))
    };
    set(world, 50, 60, 70).unwrap();
    check(world, 5_010, 50, 60, 70);
    // Zero keeps.
    set(world, 0, 0, 80).unwrap();
    check(world, 5_020, 50, 60, 80);
    let refused = set(world, 1, 1, SetTimeouts::MAX_S + 1);
    assert_eq!(refused, Err(CommandError::Invalid));
    check(world, 5_030, 50, 60, 80);
}

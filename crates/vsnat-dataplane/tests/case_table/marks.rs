//! Services by mark, and the rules that mark.

use vsnat_api::{
    Command, CommandError, Mark, MarkRule, Persistence, PortRange, Protocol, Scheduler, ServiceKey,
    ServiceSpec, SettingName, Side,
};

use super::frame::{Flags, Frame, read, read_error};
use super::talk::*;
use super::*;

/// A mark that no other case uses.
fn mark(world: &dyn World, number: u32) -> Mark {
    Mark::new(u32::from(world.client()[2]) * 16 + number).unwrap()
}

/// A rule for every packet.
fn rule(mark: Mark) -> MarkRule {
    MarkRule {
        mark,
        protocol: None,
        source: None,
        destination: None,
        ports: Vec::new(),
        interface: None,
    }
}

/// A rule for every packet to the case's VIP.
fn to_vip(world: &dyn World, mark: Mark) -> MarkRule {
    MarkRule {
        destination: Some(prefix(world.vip(), 32)),
        ..rule(mark)
    }
}

fn prefix(address: [u8; 4], bits: u8) -> ipnet::Ipv4Net {
    ipnet::Ipv4Net::new(address.into(), bits).unwrap()
}

fn ports(first: u16, last: u16) -> PortRange {
    PortRange::new(first, last).unwrap()
}

/// A service by mark with one server, which takes every port.
fn serve(world: &mut dyn World, mark: Mark, server: [u8; 4]) -> ServiceKey {
    let key = ServiceKey::Mark { mark };
    add_service(world, key, Scheduler::Rr);
    add_server(world, key, endpoint(server, 0), 1);
    key
}

fn add(world: &mut dyn World, rule: MarkRule) {
    world.apply(&Command::MarkAdd(rule)).unwrap();
}

/// The letter of the server, or "." if the packet is nobody's.
fn tcp(world: &mut dyn World, from: End, port: u16) -> char {
    let vip = (world.vip(), port);
    fate(world, Frame::outer(from, vip).tcp(Flags::Syn))
}

fn udp(world: &mut dyn World, from: End, port: u16) -> char {
    let vip = (world.vip(), port);
    fate(world, Frame::outer(from, vip).udp())
}

fn fate(world: &mut dyn World, frame: Vec<u8>) -> char {
    match world.run(Side::Outer, &frame.into()) {
        (Fate::Pass | Fate::ToHost, _) => '.',
        (Fate::Drop, _) => panic!("dropped"),
        (Fate::Sent, bytes) => letter(Some(read(&bytes).dst)),
    }
}

pub fn a_mark_has_many_ports_and_protocols(world: &mut dyn World) {
    let mark = mark(world, 1);
    serve(world, mark, SERVER_A);
    let vip = world.vip();
    let from = client(world, 5, 5_000);
    let frame = Frame::outer(from, (vip, 80)).tcp(Flags::Syn);
    passed(world, Side::Outer, frame, "not_ours");
    let rule = to_vip(world, mark);
    add(world, rule);
    let server = open(world, from, (vip, 80)).unwrap();
    assert_eq!(server, (SERVER_A, 80), "the packet's own port");
    assert_eq!(reply(world, server, from, Flags::Ack).src, (vip, 80));
    assert_eq!(datagram(world, from, (vip, 53)), Some((SERVER_A, 53)));
    assert_eq!(answer(world, (SERVER_A, 53), from).src, (vip, 53));
    assert_eq!(
        lines(world),
        [
            template("TCP", "ESTABLISHED", from, (vip, 80), (SERVER_A, 80)),
            template("UDP", "UDP", from, (vip, 53), (SERVER_A, 53)),
        ]
    );
    let elsewhere = Frame::outer(from, (NOT_A_VIP, 80));
    passed(world, Side::Outer, elsewhere.tcp(Flags::Syn), "not_ours");
}

pub fn a_server_of_a_mark_with_a_port_of_its_own(world: &mut dyn World) {
    let mark = mark(world, 1);
    let key = ServiceKey::Mark { mark };
    add_service(world, key, Scheduler::Rr);
    add_server(world, key, endpoint(SERVER_A, 9_000), 1);
    let rule = to_vip(world, mark);
    add(world, rule);
    let vip = world.vip();
    for (number, port) in [80, 443, 9_000].into_iter().enumerate() {
        let from = client(world, 5, 5_000 + number as u16);
        assert_eq!(open(world, from, (vip, port)), Some((SERVER_A, 9_000)));
        let back = reply(world, (SERVER_A, 9_000), from, Flags::Ack);
        assert_eq!(back.src, (vip, port));
    }
}

pub fn a_server_of_a_mark_is_told_of_unknown_connections(world: &mut dyn World) {
    let key = ServiceKey::Mark {
        mark: mark(world, 1),
    };
    add_service(world, key, Scheduler::Rr);
    add_server(world, key, endpoint(SERVER_A, 9_000), 1);
    set(world, SettingName::NatIcmpSend, 1);
    let to = client(world, 5, 5_000);
    let from_server = Frame::inner((SERVER_A, 9_000), to);
    for frame in [from_server.tcp(Flags::Ack), from_server.udp()] {
        world.let_icmp_recover();
        assert_eq!(read_error(&sent(world, Side::Inner, frame)).kind, (3, 3));
    }
}

pub fn rules_by_protocol_and_port(world: &mut dyn World) {
    let (web, other) = (mark(world, 1), mark(world, 2));
    serve(world, web, SERVER_A);
    serve(world, other, SERVER_B);
    let tcp_ports = MarkRule {
        protocol: Some(Protocol::Tcp),
        ports: vec![ports(80, 80), ports(443, 443), ports(8_000, 8_009)],
        ..to_vip(world, web)
    };
    add(world, tcp_ports);
    let datagrams = MarkRule {
        protocol: Some(Protocol::Udp),
        ports: vec![ports(0, 1_023)],
        ..to_vip(world, other)
    };
    add(world, datagrams);
    let from = client(world, 5, 5_000);
    let wanted = [
        (79, '.'),
        (80, 'A'),
        (81, '.'),
        (443, 'A'),
        (7_999, '.'),
        (8_000, 'A'),
        (8_009, 'A'),
        (8_010, '.'),
    ];
    for (port, server) in wanted {
        assert_eq!(tcp(world, from, port), server, "TCP port {port}");
    }
    for (port, server) in [(80, 'B'), (1_023, 'B'), (1_024, '.'), (8_000, '.')] {
        assert_eq!(udp(world, from, port), server, "UDP port {port}");
    }
}

pub fn rules_by_source_and_destination(world: &mut dyn World) {
    let [a, b, c, _] = world.client();
    let (near, far) = (mark(world, 1), mark(world, 2));
    serve(world, near, SERVER_A);
    serve(world, far, SERVER_B);
    let from_few = MarkRule {
        source: Some(prefix([a, b, c, 0], 29)),
        ..to_vip(world, near)
    };
    add(world, from_few);
    let from_more = MarkRule {
        source: Some(prefix([a, b, c, 0], 28)),
        ..to_vip(world, far)
    };
    add(world, from_more);
    for (last, server) in [
        (1, 'A'),
        (7, 'A'),
        (8, 'B'),
        (15, 'B'),
        (16, '.'),
        (200, '.'),
    ] {
        let from = client(world, last, 5_000);
        assert_eq!(tcp(world, from, 80), server, "client .{last}");
    }
}

pub fn rules_by_interface(world: &mut dyn World) {
    let (other, own) = (mark(world, 1), mark(world, 2));
    serve(world, other, SERVER_A);
    serve(world, own, SERVER_B);
    for (mark, side) in [(other, Side::Inner), (own, Side::Outer)] {
        let rule = MarkRule {
            interface: Some(world.interface(side).to_owned()),
            ..to_vip(world, mark)
        };
        add(world, rule);
    }
    let from = client(world, 5, 5_000);
    assert_eq!(tcp(world, from, 80), 'B');
    let nowhere = MarkRule {
        interface: Some("nowhere0".to_owned()),
        ..to_vip(world, own)
    };
    let refused = world.apply(&Command::MarkAdd(nowhere));
    assert!(matches!(refused, Err(CommandError::Failed { .. })));
}

pub fn the_first_rule_wins(world: &mut dyn World) {
    let marks = [1, 2].map(|number| mark(world, number));
    serve(world, marks[0], SERVER_A);
    serve(world, marks[1], SERVER_B);
    let narrow = MarkRule {
        ports: vec![ports(80, 80)],
        ..to_vip(world, marks[0])
    };
    add(world, narrow.clone());
    let wide = to_vip(world, marks[1]);
    add(world, wide.clone());
    let from = |port| client(world, 5, port);
    let froms = [from(5_000), from(5_001), from(5_002), from(5_003)];
    assert_eq!(tcp(world, froms[0], 80), 'A');
    assert_eq!(tcp(world, froms[0], 81), 'B');
    // The rule at the end never comes to its turn.
    let late = MarkRule {
        ports: vec![ports(81, 81)],
        ..to_vip(world, marks[0])
    };
    add(world, late.clone());
    assert_eq!(tcp(world, froms[1], 81), 'B');
    world.apply(&Command::MarkDelete(wide.clone())).unwrap();
    assert_eq!(tcp(world, froms[2], 81), 'A');
    assert_eq!(tcp(world, froms[2], 82), '.');
    // What is open does not care.
    let vip = world.vip();
    assert_eq!(say(world, froms[1], (vip, 81), Flags::Ack).dst.0, SERVER_B);
    let gone = world.apply(&Command::MarkDelete(wide));
    assert!(matches!(gone, Err(CommandError::NoSuchMark { .. })));
    let twice = world.apply(&Command::MarkAdd(narrow));
    assert!(matches!(twice, Err(CommandError::MarkExists { .. })));
}

pub fn a_mark_comes_before_an_address(world: &mut dyn World) {
    let key = web(world);
    let mark = mark(world, 1);
    let from = [5_000, 5_001, 5_002, 5_003].map(|port| client(world, 5, port));
    let rule = to_vip(world, mark);
    // A mark without a service is none.
    add(world, rule.clone());
    assert_eq!(tcp(world, from[0], 80), 'A');
    let by_mark = serve(world, mark, SERVER_B);
    assert_eq!(tcp(world, from[1], 80), 'B');
    assert_eq!(counts(world, key, SERVER_A), (1, 0, 0));
    assert_eq!(counts(world, by_mark, SERVER_B), (1, 0, 0));
    world.apply(&Command::MarkDelete(rule)).unwrap();
    assert_eq!(tcp(world, from[2], 80), 'A');
    assert_eq!(tcp(world, from[3], 81), '.');
}

pub fn protocols_of_a_mark_share_a_template(world: &mut dyn World) {
    let mark = mark(world, 1);
    let key = ServiceKey::Mark { mark };
    let network = Persistence {
        timeout_s: 300,
        netmask: [255, 255, 255, 0].into(),
    };
    keeping(world, key, network, 0);
    let rule = to_vip(world, mark);
    add(world, rule);
    let vip = world.vip();
    assert_eq!(letter(open(world, peer(5, 5_000), (vip, 80))), 'C');
    assert_eq!(letter(open(world, peer(6, 5_000), (vip, 443))), 'C');
    let asking = client(world, 7, 5_000);
    assert_eq!(datagram(world, asking, (vip, 53)), Some((SERVER_C, 53)));
    let number = mark.get().to_be_bytes();
    let server = (SERVER_C, 0);
    let line = template("IP", "ASSURED", client(world, 0, 0), (number, 0), server);
    assert_eq!(templates(world), [line]);
    assert_eq!(counts(world, key, SERVER_C), (2, 1, 1));
}

pub fn destinations_of_a_mark_have_servers_of_their_own(world: &mut dyn World) {
    let mark = mark(world, 1);
    let key = ServiceKey::Mark { mark };
    limited(world, key, Scheduler::Lblc, &[(1, 0), (1, 0), (1, 0)]);
    add(world, rule(mark));
    let [a, b, c, last] = world.vip();
    let mut first = Vec::new();
    for round in 0..3 {
        let served: Vec<char> = (0..3)
            .map(|place| {
                let from = client(world, 5, 5_000 + round * 3 + place);
                let to = ([a, b, c, last ^ (place as u8) << 6], 80);
                letter(open(world, from, to))
            })
            .collect();
        if round == 0 {
            assert_eq!(served, ['C', 'B', 'A']);
            first = served.clone();
        }
        assert_eq!(served, first, "round {round}");
    }
    world.apply(&Command::MarkDelete(rule(mark))).unwrap();
}

pub fn rules_outlive_the_director(world: &mut dyn World) {
    let marks = [1, 2].map(|number| mark(world, number));
    serve(world, marks[0], SERVER_A);
    let key = serve(world, marks[1], SERVER_B);
    let several = MarkRule {
        protocol: Some(Protocol::Tcp),
        ports: vec![ports(80, 81), ports(443, 443)],
        interface: Some(world.interface(Side::Outer).to_owned()),
        ..to_vip(world, marks[0])
    };
    add(world, several.clone());
    let [a, b, c, _] = world.client();
    let rest = MarkRule {
        source: Some(prefix([a, b, c, 0], 24)),
        ..to_vip(world, marks[1])
    };
    add(world, rest.clone());
    let services = world.services();
    world.restart();
    assert_eq!(world.services(), services);
    let from = client(world, 5, 5_000);
    assert_eq!(tcp(world, from, 443), 'A');
    assert_eq!(tcp(world, from, 444), 'B');
    for (rule, word) in [(several, "first"), (rest, "second")] {
        let deleted = world.apply(&Command::MarkDelete(rule));
        assert_eq!(deleted, Ok(()), "the {word} rule is the same");
    }
    let from = client(world, 5, 5_001);
    assert_eq!(tcp(world, from, 443), '.');
    let spec = ServiceSpec::new(key, Scheduler::Wlc);
    world.apply(&Command::EditService(spec)).unwrap();
}

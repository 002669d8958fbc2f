//! One-packet scheduling.

use vsnat_api::{Command, Mark, MarkRule, Persistence, Protocol, ServiceSpec, SettingName, Side};

use super::frame::{Flags, Frame};
use super::talk::*;
use super::*;

/// A one-packet service with the servers A, B and C on a port of their own.
fn single(world: &mut dyn World, key: ServiceKey, keeps: Option<Persistence>, port: u16) {
    let spec = ServiceSpec {
        one_packet: true,
        persistence: keeps,
        ..ServiceSpec::new(key, Scheduler::Rr)
    };
    world.apply(&Command::AddService(spec)).unwrap();
    for server in SERVERS {
        add_server(world, key, endpoint(server, port), 1);
    }
}

pub fn every_datagram_finds_its_own_server(world: &mut dyn World) {
    let key = service(world, Protocol::Udp, 53);
    let vip = (world.vip(), 53);
    single(world, key, None, 5_353);
    let counted = (world.count("one_packet"), world.count("opened"));
    let from = client(world, 5, 5_000);
    let served: String = (0..6).map(|_| letter(datagram(world, from, vip))).collect();
    assert_eq!(served, "CBACBA");
    assert_eq!(lines(world), Vec::<String>::new());
    assert_eq!(world.count("one_packet"), counted.0 + 6);
    assert_eq!(world.count("opened"), counted.1);
    for server in SERVERS {
        assert_eq!(counts(world, key, server), (0, 0, 0));
    }
    let counters = world.services()[0].counters;
    // 20 bytes of IP, 8 of UDP, 5 of payload.
    assert_eq!(
        (counters.connections, counters.in_packets, counters.in_bytes),
        (6, 6, 6 * 33)
    );
    assert_eq!((counters.out_packets, counters.out_bytes), (0, 0));
}

pub fn answers_are_translated(world: &mut dyn World) {
    let key = service(world, Protocol::Udp, 53);
    let vip = (world.vip(), 53);
    single(world, key, None, 5_353);
    let from = client(world, 5, 5_000);
    let server = datagram(world, from, vip).unwrap();
    assert_eq!(server, (SERVER_C, 5_353));
    let back = answer(world, server, from);
    assert_eq!((back.src, back.dst), (vip, from));
    assert_eq!(world.services()[0].counters.out_packets, 1);
    // From another port the server speaks for itself.
    let own = Frame::inner((SERVER_C, 53), from).udp();
    passed(world, Side::Inner, own, "not_ours");
    let own = Frame::inner(server, from).tcp(Flags::SynAck);
    passed(world, Side::Inner, own, "not_ours");
}

pub fn answers_go_as_they_are_if_asked(world: &mut dyn World) {
    let key = service(world, Protocol::Udp, 53);
    let vip = (world.vip(), 53);
    single(world, key, None, 5_353);
    set(world, SettingName::OnePacketAnswers, 0);
    let from = client(world, 5, 5_000);
    let server = datagram(world, from, vip).unwrap();
    let back = Frame::inner(server, from).udp();
    passed(world, Side::Inner, back, "not_ours");
}

pub fn a_template_keeps_the_client(world: &mut dyn World) {
    let key = service(world, Protocol::Udp, 53);
    let vip = (world.vip(), 53);
    single(world, key, Some(every_client()), 53);
    let from = client(world, 5, 5_000);
    for _ in 0..4 {
        assert_eq!(letter(datagram(world, from, vip)), 'C');
    }
    let other = client(world, 6, 5_000);
    assert_eq!(letter(datagram(world, other, vip)), 'B');
    let line = |world: &dyn World, last, server| {
        template("UDP", "NONE", client(world, last, 0), vip, (server, 53))
    };
    let wanted = [line(world, 5, SERVER_C), line(world, 6, SERVER_B)];
    assert_eq!(lines(world), wanted);
    assert_eq!(counts(world, key, SERVER_C), (0, 0, 1));
}

pub fn tcp_of_a_mark_is_a_connection(world: &mut dyn World) {
    let mark = Mark::new(u32::from(world.client()[2]) * 16).unwrap();
    let key = ServiceKey::Mark { mark };
    single(world, key, None, 0);
    let rule = MarkRule {
        mark,
        protocol: None,
        source: None,
        destination: Some(ipnet::Ipv4Net::new(world.vip().into(), 32).unwrap()),
        ports: Vec::new(),
        interface: None,
    };
    world.apply(&Command::MarkAdd(rule)).unwrap();
    let vip = world.vip();
    let from = client(world, 5, 5_000);
    assert_eq!(datagram(world, from, (vip, 53)), Some((SERVER_C, 53)));
    assert_eq!(lines(world), Vec::<String>::new());
    let server = open(world, from, (vip, 80)).unwrap();
    assert_eq!(server, (SERVER_B, 80));
    let line = template("TCP", "ESTABLISHED", from, (vip, 80), server);
    assert_eq!(lines(world), [line]);
    close(world, from, (vip, 80), server);
    assert_eq!(counts(world, key, SERVER_B), (0, 1, 0));
}

pub fn nobody_to_take_it(world: &mut dyn World) {
    let key = service(world, Protocol::Udp, 53);
    let vip = (world.vip(), 53);
    single(world, key, None, 53);
    for (ip, weight) in [(SERVER_A, 0), (SERVER_B, 0), (SERVER_C, 0)] {
        let server =
            vsnat_api::ServerSpec::new(endpoint(ip, 53), vsnat_api::Weight::new(weight).unwrap());
        edit(world, key, server);
    }
    world.let_icmp_recover();
    let frame = Frame::outer(client(world, 5, 5_000), vip).udp();
    let refused = sent(world, Side::Outer, frame);
    assert_eq!(frame::read_error(&refused).kind, (3, 3));
}

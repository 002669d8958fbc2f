//! Services on all ports of an address.

use vsnat_api::{Protocol, SettingName, Side};

use super::frame::{Flags, Frame};
use super::talk::*;
use super::*;

/// A TCP service on all ports of the case's VIP.
fn everything(world: &mut dyn World, protocol: Protocol) -> ServiceKey {
    let key = service(world, protocol, 0);
    keeping(world, key, every_client(), 0);
    key
}

pub fn every_port_but_that_of_another_service(world: &mut dyn World) {
    let vip = world.vip();
    everything(world, Protocol::Tcp);
    let exact = service(world, Protocol::Tcp, 80);
    limited(world, exact, Scheduler::Rr, &[(1, 0), (1, 0)]);
    let from = [5_000, 5_001, 5_002, 5_003].map(|port| client(world, 5, port));
    assert_eq!(syn(world, from[0], (vip, 1)), Some((SERVER_C, 1)));
    assert_eq!(syn(world, from[1], (vip, 65_535)), Some((SERVER_C, 65_535)));
    // The service with a port keeps no clients.
    assert_eq!(letter(syn(world, from[2], (vip, 80))), 'B');
    assert_eq!(letter(syn(world, from[3], (vip, 80))), 'A');
    assert_eq!(templates(world).len(), 1);
    let other_protocol = Frame::outer(from[0], (vip, 1)).udp();
    passed(world, Side::Outer, other_protocol, "not_ours");
}

pub fn each_protocol_has_templates_of_its_own(world: &mut dyn World) {
    let vip = world.vip();
    everything(world, Protocol::Tcp);
    everything(world, Protocol::Udp);
    let from = client(world, 5, 5_000);
    syn(world, from, (vip, 1_000));
    datagram(world, from, (vip, 1_000));
    let line = |world: &dyn World, protocol| {
        template(
            protocol,
            "NONE",
            client(world, 5, 0),
            (vip, 0),
            (SERVER_C, 0),
        )
    };
    assert_eq!(templates(world), [line(world, "TCP"), line(world, "UDP")]);
}

pub fn ports_of_the_host_are_left_alone(world: &mut dyn World) {
    let vip = world.vip();
    everything(world, Protocol::Tcp);
    let to_socket = Frame::outer(client(world, 5, 5_000), (vip, LISTENED_PORT));
    passed(world, Side::Outer, to_socket.tcp(Flags::Syn), "spared_port");
    passed(world, Side::Outer, to_socket.tcp(Flags::Ack), "spared_port");
    assert_eq!(lines(world), Vec::<String>::new());
    // A service that has this very port is meant.
    let exact = service(world, Protocol::Tcp, LISTENED_PORT);
    add_service(world, exact, Scheduler::Rr);
    add_server(world, exact, endpoint(SERVER_A, 80), 1);
    sent(world, Side::Outer, to_socket.tcp(Flags::Syn));
}

pub fn ports_of_the_masquerade_are_left_alone(world: &mut dyn World) {
    let vip = world.vip();
    everything(world, Protocol::Tcp);
    everything(world, Protocol::Udp);
    world.spare_ports(Some((32_768, 60_999)));
    let from = client(world, 5, 5_000);
    for port in [32_768, 40_000, 60_999] {
        let frame = Frame::outer(from, (vip, port));
        passed(world, Side::Outer, frame.tcp(Flags::SynAck), "spared_port");
        passed(world, Side::Outer, frame.udp(), "spared_port");
    }
    for port in [32_767, 61_000] {
        assert_eq!(syn(world, from, (vip, port)), Some((SERVER_C, port)));
    }
    world.spare_ports(None);
    assert_eq!(syn(world, from, (vip, 40_000)), Some((SERVER_C, 40_000)));
}

pub fn nothing_is_left_alone_if_asked(world: &mut dyn World) {
    let vip = world.vip();
    everything(world, Protocol::Tcp);
    world.spare_ports(Some((32_768, 60_999)));
    set(world, SettingName::PortZeroSparesLocal, 0);
    let from = client(world, 5, 5_000);
    for port in [LISTENED_PORT, 40_000] {
        assert_eq!(syn(world, from, (vip, port)), Some((SERVER_C, port)));
    }
    set(world, SettingName::PortZeroSparesLocal, 1);
    let frame = Frame::outer(client(world, 5, 5_001), (vip, 40_000));
    passed(world, Side::Outer, frame.tcp(Flags::Syn), "spared_port");
}

pub fn it_outlives_the_director(world: &mut dyn World) {
    let vip = world.vip();
    everything(world, Protocol::Tcp);
    let from = client(world, 5, 5_000);
    open(world, from, (vip, 80));
    let services = world.services();
    world.restart();
    assert_eq!(world.services(), services);
    let from = client(world, 5, 5_001);
    assert_eq!(syn(world, from, (vip, 443)), Some((SERVER_C, 443)));
    assert_eq!(templates(world).len(), 1);
}

//! Clients that stay with their server, and the templates that say so.

use vsnat_api::{
    Command, Persistence, Protocol, Scheduler, ServerSpec, ServiceSpec, SettingName, Side, Weight,
};

use super::frame::{Flags, Frame};
use super::talk::*;
use super::*;

/// Every address of a /24 is one client.
fn every_network() -> Persistence {
    Persistence {
        timeout_s: 300,
        netmask: [255, 255, 255, 0].into(),
    }
}

pub fn a_client_stays_with_its_server(world: &mut dyn World) {
    let key = service(world, Protocol::Tcp, 80);
    let vip = (world.vip(), 80);
    keeping(world, key, every_client(), 8_000);
    let [first, second] = [5_000, 5_001].map(|port| client(world, 5, port));
    assert_eq!(open(world, first, vip), Some((SERVER_C, 8_000)));
    assert_eq!(open(world, second, vip), Some((SERVER_C, 8_000)));
    let other = client(world, 6, 5_000);
    assert_eq!(open(world, other, vip), Some((SERVER_B, 8_000)));
    assert_eq!(
        templates(world),
        [
            template(
                "TCP",
                "ASSURED",
                client(world, 5, 0),
                vip,
                (SERVER_C, 8_000)
            ),
            template(
                "TCP",
                "ASSURED",
                client(world, 6, 0),
                vip,
                (SERVER_B, 8_000)
            ),
        ]
    );
    assert_eq!(counts(world, key, SERVER_C), (2, 0, 1));
    assert_eq!(counts(world, key, SERVER_B), (1, 0, 1));
    assert_eq!(counts(world, key, SERVER_A), (0, 0, 0));
    let kept = world.connections();
    let kept = kept.iter().find(|c| c.client.port() == 0).unwrap();
    assert!((298_000..=300_200).contains(&kept.expires_ms), "{kept:?}");
}

pub fn a_network_is_one_client(world: &mut dyn World) {
    let key = service(world, Protocol::Tcp, 80);
    let vip = (world.vip(), 80);
    keeping(world, key, every_network(), 80);
    for last in [5, 6, 200] {
        let from = client(world, last, 5_000);
        assert_eq!(letter(syn(world, from, vip)), 'C');
    }
    let network = client(world, 0, 0);
    assert_eq!(
        templates(world),
        [template("TCP", "NONE", network, vip, (SERVER_C, 80))]
    );
    assert_eq!(counts(world, key, SERVER_C), (3, 0, 1));
}

pub fn all_ports_share_a_template(world: &mut dyn World) {
    let key = service(world, Protocol::Tcp, 0);
    let vip = world.vip();
    keeping(world, key, every_client(), 0);
    let from = client(world, 5, 5_000);
    assert_eq!(open(world, from, (vip, 80)), Some((SERVER_C, 80)));
    let from = client(world, 5, 5_001);
    assert_eq!(open(world, from, (vip, 443)), Some((SERVER_C, 443)));
    assert_eq!(
        templates(world),
        [template(
            "TCP",
            "ASSURED",
            client(world, 5, 0),
            (vip, 0),
            (SERVER_C, 0)
        )]
    );
    assert!(lines(world).contains(&template(
        "TCP",
        "ESTABLISHED",
        from,
        (vip, 443),
        (SERVER_C, 443)
    )));
}

pub fn ftp_data_follow_their_client(world: &mut dyn World) {
    let key = service(world, Protocol::Tcp, 21);
    let vip = world.vip();
    keeping(world, key, every_client(), 21);
    let from = client(world, 5, 5_000);
    assert_eq!(open(world, from, (vip, 21)), Some((SERVER_C, 21)));
    // Passive data connections, to a port that the server announced.
    let data = client(world, 5, 5_001);
    assert_eq!(open(world, data, (vip, 1_024)), Some((SERVER_C, 1_024)));
    assert_eq!(
        templates(world),
        [template(
            "TCP",
            "ASSURED",
            client(world, 5, 0),
            (vip, 0),
            (SERVER_C, 0)
        )]
    );
    let below = Frame::outer(client(world, 5, 5_002), (vip, 1_023));
    passed(world, Side::Outer, below.tcp(Flags::Syn), "not_ours");
    passed(world, Side::Outer, below.udp(), "not_ours");
}

pub fn without_templates_ftp_has_one_port(world: &mut dyn World) {
    let key = service(world, Protocol::Tcp, 21);
    add_service(world, key, Scheduler::Rr);
    add_server(world, key, endpoint(SERVER_A, 21), 1);
    let data = Frame::outer(client(world, 5, 5_000), (world.vip(), 3_000));
    passed(world, Side::Outer, data.tcp(Flags::Syn), "not_ours");
}

pub fn a_datagram_is_assured_by_its_answer(world: &mut dyn World) {
    let key = service(world, Protocol::Udp, 53);
    let vip = (world.vip(), 53);
    keeping(world, key, every_client(), 53);
    let from = client(world, 5, 5_000);
    let line =
        |world: &dyn World, state| template("UDP", state, client(world, 5, 0), vip, (SERVER_C, 53));
    assert_eq!(datagram(world, from, vip), Some((SERVER_C, 53)));
    assert_eq!(templates(world), [line(world, "NONE")]);
    assert_eq!(datagram(world, from, vip), Some((SERVER_C, 53)));
    assert_eq!(templates(world), [line(world, "NONE")]);
    assert_eq!(answer(world, (SERVER_C, 53), from).src, vip);
    assert_eq!(templates(world), [line(world, "ASSURED")]);
    assert_eq!(counts(world, key, SERVER_C), (0, 1, 1));
}

pub fn a_connection_is_assured_by_its_handshake(world: &mut dyn World) {
    let key = service(world, Protocol::Tcp, 80);
    let vip = (world.vip(), 80);
    keeping(world, key, every_client(), 80);
    let from = client(world, 5, 5_000);
    let line =
        |world: &dyn World, state| template("TCP", state, client(world, 5, 0), vip, (SERVER_C, 80));
    syn(world, from, vip);
    reply(world, (SERVER_C, 80), from, Flags::SynAck);
    assert_eq!(templates(world), [line(world, "NONE")]);
    say(world, from, vip, Flags::Ack);
    assert_eq!(templates(world), [line(world, "ASSURED")]);
    close(world, from, vip, (SERVER_C, 80));
    assert_eq!(templates(world), [line(world, "ASSURED")]);
}

pub fn a_resting_server_keeps_its_clients(world: &mut dyn World) {
    let key = service(world, Protocol::Tcp, 80);
    let vip = (world.vip(), 80);
    keeping(world, key, every_client(), 80);
    assert_eq!(letter(open(world, peer(5, 5_000), vip)), 'C');
    edit(world, key, spec_of(SERVER_C, 0, 0));
    assert_eq!(letter(open(world, peer(5, 5_001), vip)), 'C');
    assert_eq!(letter(open(world, peer(6, 5_000), vip)), 'B');
    assert_eq!(counts(world, key, SERVER_C), (2, 0, 1));
}

pub fn a_resting_server_loses_its_clients_if_asked(world: &mut dyn World) {
    let key = service(world, Protocol::Tcp, 80);
    let vip = (world.vip(), 80);
    keeping(world, key, every_client(), 80);
    set(world, SettingName::ExpireQuiescentTemplate, 1);
    assert_eq!(letter(open(world, peer(5, 5_000), vip)), 'C');
    edit(world, key, spec_of(SERVER_C, 0, 0));
    let next = letter(open(world, peer(5, 5_001), vip));
    assert_eq!(next, 'B');
    assert_eq!(letter(open(world, peer(5, 5_002), vip)), next);
    let now = template("TCP", "ASSURED", client(world, 5, 0), vip, (SERVER_B, 80));
    assert!(templates(world).contains(&now));
    // What is open stays where it is.
    assert_eq!(say(world, peer(5, 5_000), vip, Flags::Ack).dst.0, SERVER_C);
    // Once it works again, the new server keeps the client.
    edit(world, key, spec_of(SERVER_C, 1, 0));
    assert_eq!(letter(open(world, peer(5, 5_003), vip)), next);
}

pub fn a_deleted_server_loses_its_clients(world: &mut dyn World) {
    let key = service(world, Protocol::Tcp, 80);
    let vip = (world.vip(), 80);
    keeping(world, key, every_client(), 80);
    let from = client(world, 5, 5_000);
    assert_eq!(letter(open(world, from, vip)), 'C');
    let before = lines(world);
    let address = endpoint(SERVER_C, 80);
    world
        .apply(&Command::DeleteServer {
            service: key,
            address,
        })
        .unwrap();
    assert_eq!(lines(world), before, "nothing ends by the command");
    assert_eq!(letter(open(world, peer(5, 5_001), vip)), 'B');
    assert_eq!(letter(open(world, peer(5, 5_002), vip)), 'B');
    let now = template("TCP", "ASSURED", client(world, 5, 0), vip, (SERVER_B, 80));
    assert!(templates(world).contains(&now));
    // Its packets still meet silence.
    let ack = Frame::outer(from, vip).tcp(Flags::Ack);
    dropped(world, Side::Outer, ack, "server_gone");
}

pub fn a_reused_port_stays_with_the_template(world: &mut dyn World) {
    let key = service(world, Protocol::Tcp, 80);
    let vip = (world.vip(), 80);
    keeping(world, key, every_client(), 80);
    let from = client(world, 5, 5_000);
    assert_eq!(letter(open(world, from, vip)), 'C');
    close(world, from, vip, (SERVER_C, 80));
    let reopened = world.count("reopened");
    for _ in 0..3 {
        assert_eq!(letter(syn(world, from, vip)), 'C');
    }
    assert_eq!(
        world.count("reopened"),
        reopened,
        "the old connection goes on"
    );
    assert_eq!(lines(world).len(), 2);
    assert_eq!(counts(world, key, SERVER_C), (1, 0, 1));
}

pub fn an_edit_leaves_templates_in_force(world: &mut dyn World) {
    let key = service(world, Protocol::Tcp, 80);
    let vip = (world.vip(), 80);
    keeping(world, key, every_client(), 80);
    let left = |world: &dyn World, last| {
        let ip = client(world, last, 0).0;
        let connections = world.connections();
        let found = connections
            .iter()
            .find(|c| c.client == endpoint(ip, 0))
            .unwrap();
        found.expires_ms / 1_000
    };
    let spec = |scheduler, persistence| ServiceSpec {
        persistence,
        ..ServiceSpec::new(key, scheduler)
    };
    open(world, peer(5, 5_000), vip);
    let shorter = Persistence {
        timeout_s: 100,
        ..every_client()
    };
    // Another scheduler, and another time: the template keeps its server and
    // the time it was made with.
    world
        .apply(&Command::EditService(spec(Scheduler::Wlc, Some(shorter))))
        .unwrap();
    assert_eq!(letter(open(world, peer(5, 5_001), vip)), 'C');
    assert!((298..=300).contains(&left(world, 5)), "{}", left(world, 5));
    assert_eq!(letter(open(world, peer(6, 5_000), vip)), 'B');
    assert!((98..=100).contains(&left(world, 6)), "{}", left(world, 6));
    // Without persistence nobody asks for templates, but they stay.
    world
        .apply(&Command::EditService(spec(Scheduler::Rr, None)))
        .unwrap();
    let order = picks(world, peer(5, 6_000), vip, 3);
    assert_eq!(order, "CBA");
    assert_eq!(templates(world).len(), 2);
    assert_eq!(counts(world, key, SERVER_C).2, 1);
    // And later they are in force again.
    world
        .apply(&Command::EditService(spec(Scheduler::Rr, Some(shorter))))
        .unwrap();
    assert_eq!(picks(world, peer(5, 6_100), vip, 3), "CCC");
    assert!((298..=300).contains(&left(world, 5)));
}

pub fn a_wider_netmask_makes_new_templates(world: &mut dyn World) {
    let key = service(world, Protocol::Tcp, 80);
    let vip = (world.vip(), 80);
    keeping(world, key, every_client(), 80);
    assert_eq!(letter(open(world, peer(5, 5_000), vip)), 'C');
    let spec = ServiceSpec {
        persistence: Some(every_network()),
        ..ServiceSpec::new(key, Scheduler::Rr)
    };
    world.apply(&Command::EditService(spec)).unwrap();
    assert_eq!(letter(open(world, peer(5, 5_001), vip)), 'B');
    assert_eq!(letter(open(world, peer(6, 5_001), vip)), 'B');
    assert_eq!(templates(world).len(), 2, "the old one stays listed");
}

pub fn a_template_outweighs_a_threshold(world: &mut dyn World) {
    let key = service(world, Protocol::Tcp, 80);
    let vip = (world.vip(), 80);
    keeping(world, key, every_client(), 80);
    edit(world, key, spec_of(SERVER_C, 1, 2));
    assert_eq!(picks(world, peer(5, 5_000), vip, 5), "CCCCC");
    assert_eq!(letter(syn(world, peer(6, 5_000), vip)), 'B');
    assert_eq!(letter(syn(world, peer(7, 5_000), vip)), 'A');
    assert_eq!(letter(syn(world, peer(8, 5_000), vip)), 'B');
}

pub fn another_port_of_a_kept_server(world: &mut dyn World) {
    // Whose port differs from the service's: as in IPVS a client gets what it
    // asked for from a service on all ports, and the server's own from others.
    let vip = world.vip();
    let exact = service(world, Protocol::Tcp, 80);
    let server = |port| ServerSpec::new(endpoint(SERVER_A, port), Weight::ONE);
    for (key, port) in [(exact, 8_080), (service(world, Protocol::Tcp, 0), 8_000)] {
        let spec = ServiceSpec {
            persistence: Some(every_client()),
            ..ServiceSpec::new(key, Scheduler::Rr)
        };
        world.apply(&Command::AddService(spec)).unwrap();
        let (service, server) = (key, server(port));
        world
            .apply(&Command::AddServer { service, server })
            .unwrap();
    }
    let from = client(world, 5, 5_000);
    assert_eq!(open(world, from, (vip, 80)), Some((SERVER_A, 8_080)));
    let from = client(world, 5, 5_001);
    assert_eq!(open(world, from, (vip, 443)), Some((SERVER_A, 443)));
}

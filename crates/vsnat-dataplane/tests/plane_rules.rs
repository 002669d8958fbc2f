//! Random lives of a director in memory: commands and packets in any order.
//!
//! After every step the books must balance; a plane that is adopted must say
//! what the one before it said; and when all is over nothing may be left.

#![allow(clippy::unwrap_used, reason = "a test says what is wrong by failing")]

mod case_table;

use case_table::frame::{Flags, Frame};
use case_table::model_world::ModelWorld;
use case_table::{SERVER_A, SERVER_B, World, endpoint};
use ipnet::Ipv4Net;
use proptest::prelude::*;
use vsnat_abi::destination::dest_state;
use vsnat_abi::filter::{FILTER_SERVERS, FILTER_VIPS, FILTER_WORDS, filter_place};
use vsnat_abi::net::{Be16, Be32};
use vsnat_abi::service::{Service, service_flag};
use vsnat_abi::settings::flag;
use vsnat_api::{
    Command, Mark, MarkRule, Persistence, PortRange, Protocol, Scheduler, ServerSpec, ServiceKey,
    ServiceSpec, Setting, SettingName, Side, Weight,
};
use vsnat_core::sweep::Pressure;
use vsnat_dataplane::Backend;
use vsnat_dataplane::{Limits, Plane};

const SERVERS: [[u8; 4]; 2] = [SERVER_A, SERVER_B];

#[derive(Clone, Debug)]
enum Step {
    Command(Command),
    /// A client's segment to one of the two services.
    Client {
        service: usize,
        port: u16,
        flags: Flags,
    },
    /// A client's datagram to the mark's port or to the service on all ports.
    Datagram {
        port: u16,
        to: u16,
    },
    /// A server's datagram to one of the clients.
    Answer {
        server: usize,
        port: u16,
        from: u16,
    },
    /// A server's segment to one of the clients.
    Server {
        server: usize,
        port: u16,
        flags: Flags,
    },
    Wait {
        ms: u64,
    },
    Adopt,
}

/// Two by address, one by mark, one for UDP on all ports.
const SERVICES: usize = 4;
/// The port whose packets are marked, TCP's and UDP's.
const MARKED: u16 = 81;

fn key(service: usize) -> ServiceKey {
    let by_address = |protocol, port| ServiceKey::Address {
        protocol,
        address: endpoint([198, 51, 100, 7], port),
    };
    match service {
        0 | 1 => by_address(Protocol::Tcp, 80 + service as u16),
        2 => ServiceKey::Mark { mark: mark() },
        _ => by_address(Protocol::Udp, 0),
    }
}

fn mark() -> Mark {
    Mark::new(7).unwrap()
}

/// One that may mark packets to any address, and some to few.
fn rule(destination: u8) -> MarkRule {
    let net = |bits| Ipv4Net::new([198, 51, 100, 8].into(), bits).unwrap();
    MarkRule {
        mark: mark(),
        protocol: None,
        source: None,
        destination: match destination {
            0 => None,
            1 => Some(net(32)),
            _ => Some(net(30)),
        },
        ports: vec![PortRange::new(MARKED, MARKED).unwrap()],
        interface: None,
    }
}

fn settings() -> impl Strategy<Value = Setting> {
    let names = [
        SettingName::ExpireNodestConn,
        SettingName::ExpireQuiescentTemplate,
        SettingName::ConnReuseMode,
        SettingName::SloppyTcp,
        SettingName::DropEntry,
        SettingName::DropPacket,
        SettingName::AmDroprate,
        SettingName::SecureTcp,
        SettingName::NatIcmpSend,
        SettingName::OnePacketAnswers,
        SettingName::NoServerAnswer,
    ];
    (prop::sample::select(names.to_vec()), any::<u32>()).prop_map(|(name, value)| {
        let (least, most) = name.range();
        let most = most.min(least + 3);
        Setting::new(name, least + value % (most - least + 1)).unwrap()
    })
}

fn commands() -> impl Strategy<Value = Command> {
    let service = 0usize..SERVICES;
    let scheduler = prop::sample::select(Scheduler::ALL.to_vec());
    let server = (0usize..2, 0u32..4, 0u32..4).prop_map(|(server, weight, upper)| ServerSpec {
        upper_threshold: upper,
        lower_threshold: upper / 2,
        ..ServerSpec::new(endpoint(SERVERS[server], 80), Weight::new(weight).unwrap())
    });
    let kept = prop::option::of((1u32..100).prop_map(|timeout_s| Persistence {
        timeout_s,
        netmask: Persistence::EVERY_CLIENT,
    }));
    let spec = (service, scheduler, kept, any::<bool>());
    let spec = spec.prop_map(|(service, scheduler, persistence, single)| {
        let spec = ServiceSpec::new(key(service), scheduler);
        ServiceSpec {
            persistence,
            one_packet: single && service >= 2,
            ..spec
        }
    });
    (spec, server, settings(), 0..16, 0u8..3).prop_map(|(spec, server, setting, kind, to)| {
        let service = spec.key;
        match kind {
            0..=1 => Command::AddService(spec),
            2 => Command::EditService(spec),
            3 => Command::DeleteService(service),
            4 => Command::Clear,
            5..=7 => Command::AddServer { service, server },
            8 => Command::EditServer { service, server },
            9 => Command::DeleteServer {
                service,
                address: server.address,
            },
            10 => Command::Zero(Some(service)),
            11..=12 => Command::Set(setting),
            13 => Command::MarkAdd(rule(to)),
            14 => Command::MarkDelete(rule(to)),
            _ => Command::Zero(None),
        }
    })
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let flags = prop::sample::select(vec![
        Flags::Syn,
        Flags::Syn,
        Flags::SynAck,
        Flags::Ack,
        Flags::FinAck,
        Flags::Rst,
    ]);
    // Few ports, so that clients meet their old connections and each other.
    let port = 5_000u16..5_006;
    let step = prop_oneof![
        2 => commands().prop_map(Step::Command),
        4 => (0usize..2, port.clone(), flags.clone())
            .prop_map(|(service, port, flags)| Step::Client { service, port, flags }),
        3 => (0usize..2, port.clone(), flags)
            .prop_map(|(server, port, flags)| Step::Server { server, port, flags }),
        2 => (port.clone(), 80u16..83).prop_map(|(port, to)| Step::Datagram { port, to }),
        1 => (0usize..2, port, 80u16..83)
            .prop_map(|(server, port, from)| Step::Answer { server, port, from }),
        1 => (0u64..200_000).prop_map(|ms| Step::Wait { ms }),
        1 => Just(Step::Adopt),
    ];
    prop::collection::vec(step, 1..80)
}

fn carry_out(mut world: ModelWorld, step: &Step) -> ModelWorld {
    let client = |port| ([203, 0, 113, 5], port);
    match step {
        Step::Command(command) => {
            // A refusal is as good as a success: the books must balance.
            let _ = world.plane.apply(command);
        }
        Step::Client {
            service,
            port,
            flags,
        } => {
            let to = ([198, 51, 100, 7], 80 + *service as u16);
            world.run(
                Side::Outer,
                &Frame::outer(client(*port), to).tcp(*flags).into(),
            );
        }
        Step::Server {
            server,
            port,
            flags,
        } => {
            let from = (SERVERS[*server], 80);
            world.run(
                Side::Inner,
                &Frame::inner(from, client(*port)).tcp(*flags).into(),
            );
        }
        Step::Datagram { port, to } => {
            let frame = Frame::outer(client(*port), ([198, 51, 100, 7], *to));
            world.run(Side::Outer, &frame.udp().into());
        }
        Step::Answer { server, port, from } => {
            let frame = Frame::inner((SERVERS[*server], *from), client(*port));
            world.run(Side::Inner, &frame.udp().into());
        }
        Step::Wait { ms } => {
            world.plane.backend_mut().advance_ms(*ms);
            world.plane.backend_mut().sweep(Pressure::Relaxed);
            world.plane.tend();
        }
        Step::Adopt => {
            let before = (world.plane.services(), world.plane.marks());
            let settings = world.plane.settings();
            world.plane = Plane::new(world.plane.into_backend());
            let after = (world.plane.services(), world.plane.marks());
            assert_eq!(after, before);
            assert_eq!(world.plane.settings(), settings);
        }
    }
    world
}

/// Every live connection is counted once, at one server, and has two keys;
/// every template likewise, with one key, and knows how many follow it.
fn assert_balanced(world: &ModelWorld) {
    let memory = world.plane.backend().memory();
    let (mut connections, mut templates, mut followers, mut followed) = (0, 0, 0, 0);
    for slot in (0..memory.slots.len()).filter_map(|at| memory.slots.shared(at)) {
        match slot.forward().is_template() {
            _ if !slot.word().is_live() => {}
            true => {
                templates += 1;
                followed += slot.control();
            }
            false => {
                connections += 1;
                followers += u32::from(slot.control() != 0);
            }
        }
    }
    let counts = memory.dest_counts.iter().map(|(_, counts)| counts);
    let (counted, persistent) = counts.fold((0, 0), |(counted, persistent), counts| {
        (
            counted + counts.active + counts.inactive,
            persistent + counts.persistent,
        )
    });
    assert_eq!((counted, persistent), (connections, templates));
    assert_eq!(followed, followers, "connections that follow a template");
    let keys = world.plane.backend().flow_entries() as u32;
    assert_eq!(keys, 2 * connections + templates);
    assert_eq!(world.plane.table().live, connections + templates);
    assert_eq!(world.connections().len() as u32, connections + templates);
}

/// The filters that the tables ask for, reckoned from nothing.
fn filters_of(world: &ModelWorld) -> [[u64; FILTER_WORDS]; 2] {
    let memory = world.plane.backend().memory();
    let mut filters = [[0u64; FILTER_WORDS]; 2];
    let mut set = |filter: u32, address: Be32| {
        let (word, bit) = filter_place(address);
        filters[filter as usize][word] |= 1 << bit;
    };
    for (_, service) in memory.services.iter() {
        if service.used != 0 && !service.key.is_mark() {
            set(FILTER_VIPS, service.key.vip);
        }
    }
    for (_, dest) in memory
        .dests
        .iter()
        .filter(|(_, dest)| dest.state != dest_state::FREE)
    {
        if !dest.service.is_mark() {
            set(FILTER_VIPS, dest.service.vip);
        }
        set(FILTER_SERVERS, dest.address);
    }
    let mut any = false;
    for rule in world.plane.marks() {
        match rule.destination {
            Some(net) => (u32::from(net.network())..=u32::from(net.broadcast()))
                .for_each(|host| set(FILTER_VIPS, Be32::from_host(host))),
            None => any = true,
        }
    }
    if any {
        filters[FILTER_VIPS as usize] = [u64::MAX; FILTER_WORDS];
    }
    filters
}

/// What is counted step by step is what would be reckoned from nothing.
fn assert_found_by_records(world: &ModelWorld) {
    let memory = world.plane.backend().memory();
    for (filter, wanted) in (0..).zip(filters_of(world)) {
        let found = memory.filters.read(filter).unwrap().words;
        assert!(
            found == wanted,
            "filter {filter} is not what its tables ask for"
        );
    }
    let settings = memory.settings.read(0).unwrap();
    let services = || memory.services.iter().filter(|(_, s)| s.used != 0);
    let any = |is: fn(&Service) -> bool| services().any(|(_, service)| is(&service));
    for (bit, wanted) in [
        (
            flag::HAS_PORT_ZERO,
            any(|s| !s.key.is_mark() && s.key.port == Be16::ZERO),
        ),
        (
            flag::HAS_FTP,
            any(|s| !s.key.is_mark() && s.key.port.host() == 21),
        ),
        (
            flag::HAS_ONE_PACKET,
            any(|s| s.flags & service_flag::ONE_PACKET != 0),
        ),
    ] {
        assert_eq!(settings.flags & bit != 0, wanted, "flag {bit:#x}");
    }
}

proptest! {
    #[test]
    fn the_books_balance_through_any_life(steps in steps()) {
        let limits = Limits { connections: 16, services: 4, servers: 8 };
        let mut world = ModelWorld::with_limits(&limits);
        for step in &steps {
            world = carry_out(world, step);
            assert_balanced(&world);
            assert_found_by_records(&world);
        }
        for _ in 0..3 {
            world.plane.backend_mut().advance_ms(1_000_000);
            world.plane.backend_mut().sweep(Pressure::Relaxed);
        }
        assert_balanced(&world);
        let table = world.plane.table();
        prop_assert_eq!((table.live, table.dying, table.free), (0, 0, limits.connections));
    }
}

/// What a director that is killed inside of a command leaves, the next mends.
#[test]
fn adoption_finishes_what_a_killed_director_began() {
    use case_table::{add_server, dropped, sent, web};
    use vsnat_abi::service::{NO_VIEW, ServiceKey4};

    let syn =
        |port| Frame::outer(([203, 0, 113, 5], port), ([198, 51, 100, 7], 80)).tcp(Flags::Syn);
    let key4 = ServiceKey4 {
        vip: Be32::from_bytes([198, 51, 100, 7]),
        port: Be16::from_host(80),
        protocol: 6,
        zero: 0,
    };

    // Before the key of a new service was written.
    let mut world = ModelWorld::new();
    let service = web(&mut world);
    let mut model = world.plane.into_backend();
    model.remove_service_key(key4).unwrap();
    world.plane = Plane::new(model);
    sent(&mut world, Side::Outer, syn(1));

    // Before a new server was put into the order.
    add_server(&mut world, service, endpoint(SERVER_B, 80), 1);
    let model = world.plane.into_backend();
    let memory = *model.memory();
    let view = memory.services.read(0).unwrap().view as u32;
    let mut before = memory.views.read(view).unwrap();
    before.servers = 1;
    before.period = 1;
    before.ring_entries = 1;
    memory.views.write(view, before);
    world.plane = Plane::new(model);
    let served: Vec<_> = (2..6)
        .map(|port| sent(&mut world, Side::Outer, syn(port))[33])
        .collect();
    assert_eq!(
        served.iter().filter(|last| **last == SERVER_B[3]).count(),
        2
    );

    // Between the two halves of a deletion: no view, but still a service.
    let model = world.plane.into_backend();
    let memory = *model.memory();
    let mut record = memory.services.read(0).unwrap();
    record.view = NO_VIEW;
    memory.services.write(0, record);
    world.plane = Plane::new(model);
    sent(&mut world, Side::Outer, syn(6));

    // A deleted server is still a deleted one.
    let address = endpoint(SERVER_A, 80);
    world
        .apply(&Command::DeleteServer { service, address })
        .unwrap();
    world.plane = Plane::new(world.plane.into_backend());
    let deleted = world.plane.backend().memory().dests.iter();
    assert_eq!(
        deleted
            .filter(|(_, d)| d.state == dest_state::DELETED)
            .count(),
        1
    );
    let ack = Frame::outer(([203, 0, 113, 5], 1), ([198, 51, 100, 7], 80)).tcp(Flags::Ack);
    dropped(&mut world, Side::Outer, ack, "server_gone");
}

//! Ten thousand services of ten servers each, in the kernel: one server more
//! and one less, found by packets, and adopted. Needs root.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test says what is wrong by failing"
)]

mod case_table;

use case_table::frame::{Flags, Frame as Packet, read};
use case_table::kernel_world::KernelWorld;
use case_table::{World, add_server, add_service, endpoint, passed, sent, service};
use vsnat_api::{Command, Protocol, Scheduler, Side};
use vsnat_dataplane::{Limits, OpenOptions, Origin};

const SERVICES: u16 = 10_000;
const SERVERS: u8 = 10;
const LIMITS: Limits = Limits {
    connections: 1_000,
    services: SERVICES as u32 + 1,
    servers: SERVICES as u32 * SERVERS as u32 + 16,
};

fn server(number: u8) -> [u8; 4] {
    [10, 9, 0, 100 + number]
}

/// The servers that one round of new clients meets.
fn met(world: &mut KernelWorld, port: u16, clients: std::ops::Range<u16>) -> Vec<u8> {
    let mut met: Vec<u8> = clients
        .map(|client| {
            let to = (world.vip(), port);
            let syn = Packet::outer((world.client(), 5_000 + client), to).tcp(Flags::Syn);
            read(&sent(world, Side::Outer, syn)).dst.0[3] - 100
        })
        .collect();
    met.sort_unstable();
    met
}

#[test]
fn one_server_more_and_one_less_among_a_hundred_thousand() {
    let mut world = KernelWorld::new("many", LIMITS);
    for port in 1..=SERVICES {
        let key = service(&world, Protocol::Tcp, port);
        add_service(&mut world, key, Scheduler::Rr);
        for number in 0..SERVERS {
            add_server(&mut world, key, endpoint(server(number), 80), 1);
        }
    }
    let all: Vec<u8> = (0..SERVERS).collect();
    let port = SERVICES / 2;
    assert_eq!(met(&mut world, port, 0..10), all);

    let key = service(&world, Protocol::Tcp, port);
    add_server(&mut world, key, endpoint(server(SERVERS), 80), 1);
    let eleven: Vec<u8> = (0..=SERVERS).collect();
    assert_eq!(met(&mut world, port, 10..21), eleven);
    let address = endpoint(server(0), 80);
    world
        .apply(&Command::DeleteServer {
            service: key,
            address,
        })
        .unwrap();
    assert_eq!(met(&mut world, port, 30..40), eleven[1..]);

    world.close();
    let options = OpenOptions {
        name: world.name().to_owned(),
        limits: LIMITS,
        object: None,
    };
    assert!(matches!(world.reopen(&options), Origin::Adopted { .. }));
    let services = world.services();
    assert_eq!(services.len(), usize::from(SERVICES));
    let servers: usize = services.iter().map(|service| service.servers.len()).sum();
    assert_eq!(servers, usize::from(SERVICES) * usize::from(SERVERS));
    assert_eq!(met(&mut world, port, 40..50), eleven[1..]);
    assert_eq!(met(&mut world, port + 1, 50..60), all);

    world.apply(&Command::Clear).unwrap();
    let syn = Packet::outer((world.client(), 9_000), (world.vip(), port)).tcp(Flags::Syn);
    passed(&mut world, Side::Outer, syn, "not_ours");
}

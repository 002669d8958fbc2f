//! Services and servers of IPv6 in the tables, which know stand-ins of them.

#![allow(clippy::unwrap_used, reason = "a test says what is wrong by failing")]

use std::net::SocketAddr;

use vsnat_api::{
    Command, CommandError, Mark, Persistence, Protocol, Scheduler, ServerSpec, ServiceKey,
    ServiceSpec, ServiceView, Weight,
};
use vsnat_dataplane::model::Model;
use vsnat_dataplane::{Limits, Plane};

const LIMITS: Limits = Limits {
    connections: 64,
    services: 16,
    servers: 16,
};

fn plane() -> Plane<Model> {
    Plane::new(Model::new(&LIMITS, 1))
}

fn key(address: &str) -> ServiceKey {
    let protocol = Protocol::Tcp;
    let address = address.parse().unwrap();
    ServiceKey::Address { protocol, address }
}

fn server(address: &str) -> ServerSpec {
    let address: SocketAddr = address.parse().unwrap();
    ServerSpec::new(address, Weight::ONE)
}

fn add(plane: &mut Plane<Model>, service: ServiceKey, servers: &[&str]) {
    let spec = ServiceSpec::new(service, Scheduler::Mh);
    plane.apply(&Command::AddService(spec)).unwrap();
    for address in servers {
        let server = server(address);
        plane
            .apply(&Command::AddServer { service, server })
            .unwrap();
    }
}

/// Services with their servers, in the order of listing.
fn listed(services: &[ServiceView]) -> Vec<(ServiceKey, Vec<SocketAddr>)> {
    let of = |view: &ServiceView| {
        let servers = view.servers.iter().map(|server| server.spec.address);
        (view.spec.key, servers.collect())
    };
    services.iter().map(of).collect()
}

#[test]
fn both_families_are_listed_as_they_were_added_and_adopted_as_they_are() {
    let mut plane = plane();
    let six = key("[2001:db8::1]:80");
    add(&mut plane, six, &["10.0.0.11:80", "[2001:db8:2::11]:8080"]);
    add(&mut plane, key("192.0.2.1:80"), &["[2001:db8:2::11]:8080"]);
    let before = listed(&plane.services());
    assert_eq!(before[0].0, six);
    let servers: [SocketAddr; 2] = [
        "[2001:db8:2::11]:8080".parse().unwrap(),
        "10.0.0.11:80".parse().unwrap(),
    ];
    assert_eq!(before[0].1, servers, "newest first");

    let mut plane = Plane::new(plane.into_backend());
    assert_eq!(listed(&plane.services()), before);
    let again = Command::AddServer {
        service: six,
        server: server("[2001:db8:2::11]:8080"),
    };
    assert_eq!(plane.apply(&again), Err(CommandError::ServerExists));
    let twice = Command::AddService(ServiceSpec::new(six, Scheduler::Rr));
    assert_eq!(plane.apply(&twice), Err(CommandError::ServiceExists));
    let unknown = Command::DeleteServer {
        service: six,
        address: "[2001:db8:2::12]:8080".parse().unwrap(),
    };
    assert_eq!(plane.apply(&unknown), Err(CommandError::NoSuchServer));
    plane
        .apply(&Command::DeleteServer {
            service: six,
            address: servers[0],
        })
        .unwrap();
    assert_eq!(listed(&plane.services())[0].1, servers[1..]);
    plane.apply(&Command::Clear).unwrap();
    assert!(plane.services().is_empty());
}

#[test]
fn clients_of_ipv6_are_kept_one_by_one() {
    let mut plane = plane();
    let spec = |key, netmask| ServiceSpec {
        persistence: Some(Persistence {
            timeout_s: 300,
            netmask,
        }),
        ..ServiceSpec::new(key, Scheduler::Rr)
    };
    let (six, four) = (key("[2001:db8::1]:80"), key("192.0.2.1:80"));
    let mask4 = "255.255.255.0".parse().unwrap();
    let mask6 = Persistence::netmask_of_prefix6(64);
    for refused in [spec(six, mask4), spec(four, mask6)] {
        let refused = plane.apply(&Command::AddService(refused));
        assert_eq!(refused, Err(CommandError::Invalid));
    }
    let refused = plane.apply(&Command::AddService(spec(six, mask6)));
    let refused = refused.unwrap_err().to_string();
    assert!(
        refused.contains("each client is kept by itself"),
        "{refused}"
    );
    for wanted in [spec(six, Persistence::EVERY_CLIENT), spec(four, mask4)] {
        plane.apply(&Command::AddService(wanted)).unwrap();
    }
    let plane = Plane::new(plane.into_backend());
    let masks = plane.services().into_iter();
    let masks = masks.map(|view| view.spec.persistence.unwrap().netmask);
    let expected = [Persistence::EVERY_CLIENT, mask4];
    assert_eq!(masks.collect::<Vec<_>>(), expected);
}

#[test]
fn a_mark_has_servers_of_ipv4_and_nobody_is_a_server_by_a_group_address() {
    let mut plane = plane();
    let mark = ServiceKey::Mark {
        mark: Mark::new(7).unwrap(),
    };
    add(&mut plane, mark, &["10.0.0.11:0"]);
    add(&mut plane, key("[2001:db8::1]:80"), &[]);
    for (service, address) in [
        (mark, "[2001:db8:2::11]:0"),
        (key("[2001:db8::1]:80"), "[ff02::1]:80"),
        (key("[2001:db8::1]:80"), "[::]:80"),
    ] {
        let server = server(address);
        let refused = plane.apply(&Command::AddServer { service, server });
        assert_eq!(refused, Err(CommandError::Invalid), "{address}");
    }
}

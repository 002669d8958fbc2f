//! Whatever runs and whatever is wanted: the difference leads from one to the
//! other, and equal states differ by nothing.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::net::{Ipv4Addr, SocketAddrV4};

use ipnet::Ipv4Net;
use proptest::prelude::*;
use vsnat_api::{Command, Protocol, Scheduler, ServerSpec, ServiceKey, ServiceSpec, Weight};
use vsnat_config::{Desired, DesiredService, diff, merge};

fn servers() -> impl Strategy<Value = Vec<ServerSpec>> {
    let server = (1u8..6, 0u32..3);
    proptest::collection::btree_map(1u8..6, server, 0..5).prop_map(|map| {
        let spec = |(host, (_, weight))| ServerSpec {
            address: SocketAddrV4::new(Ipv4Addr::new(10, 0, 100, host), 80),
            weight: Weight::new(weight).unwrap(),
        };
        map.into_iter().map(spec).collect()
    })
}

fn desired() -> impl Strategy<Value = Desired> {
    let service = (0usize..4, servers());
    let services = proptest::collection::btree_map(0u16..5, service, 0..5);
    let deny = proptest::collection::btree_set(0u8..5, 0..4);
    (services, deny).prop_map(|(services, deny)| Desired {
        services: services
            .into_iter()
            .map(|(n, (scheduler, servers))| DesiredService {
                spec: ServiceSpec {
                    key: key(n),
                    scheduler: Scheduler::ALL[scheduler],
                    flags: Default::default(),
                },
                servers,
            })
            .collect(),
        deny: deny.into_iter().map(prefix).collect(),
    })
}

fn key(n: u16) -> ServiceKey {
    let protocol = if n.is_multiple_of(2) {
        Protocol::Tcp
    } else {
        Protocol::Udp
    };
    let address = SocketAddrV4::new(Ipv4Addr::new(192, 168, 28, 167), 80 + n / 2);
    ServiceKey { protocol, address }
}

fn prefix(n: u8) -> Ipv4Net {
    Ipv4Net::new(Ipv4Addr::new(203, 0, n, 0), 24).unwrap()
}

/// The tables as the commands' meaning has it; every command must fit.
fn apply(state: &mut Desired, command: &Command) {
    let position = |state: &Desired, key| state.services.iter().position(|s| s.spec.key == key);
    match command {
        Command::AddService(spec) => {
            assert_eq!(position(state, spec.key), None);
            state.services.push(DesiredService {
                spec: *spec,
                servers: Vec::new(),
            });
        }
        Command::EditService(spec) => {
            let at = position(state, spec.key).unwrap();
            state.services[at].spec = *spec;
        }
        Command::DeleteService(key) => {
            let at = position(state, *key).unwrap();
            state.services.remove(at);
        }
        Command::Clear => state.services.clear(),
        Command::AddServer { service, server } => {
            let at = position(state, *service).unwrap();
            let servers = &mut state.services[at].servers;
            assert!(servers.iter().all(|s| s.address != server.address));
            servers.push(*server);
        }
        Command::EditServer { service, server } => {
            let at = position(state, *service).unwrap();
            let servers = &mut state.services[at].servers;
            let found = servers.iter_mut().find(|s| s.address == server.address);
            found.unwrap().weight = server.weight;
        }
        Command::DeleteServer { service, address } => {
            let at = position(state, *service).unwrap();
            let servers = &mut state.services[at].servers;
            let found = servers.iter().position(|s| s.address == *address);
            servers.remove(found.unwrap());
        }
        Command::Zero(_) => {}
        Command::DenyAdd(prefix) => {
            assert!(!state.deny.contains(prefix));
            state.deny.push(*prefix);
        }
        Command::DenyDelete(prefix) => {
            let at = state.deny.iter().position(|p| p == prefix).unwrap();
            state.deny.remove(at);
        }
    }
}

fn sorted(mut state: Desired) -> Desired {
    state.services.sort_by_key(|service| service.spec.key);
    for service in &mut state.services {
        service.servers.sort_by_key(|server| server.address);
    }
    state.deny.sort();
    state
}

proptest! {
    #[test]
    fn applied_to_what_runs_it_gives_what_is_wanted(actual in desired(), wanted in desired()) {
        let mut state = actual.clone();
        for command in diff(&actual, &wanted) {
            apply(&mut state, &command);
        }
        prop_assert_eq!(sorted(state), sorted(wanted));
    }

    #[test]
    fn equal_states_differ_by_nothing(state in desired()) {
        prop_assert_eq!(diff(&state, &state), vec![]);
    }

    #[test]
    fn a_file_that_nobody_overrode_is_followed(applied in desired(), file in desired()) {
        let merged = merge(&applied, &applied, &file);
        prop_assert_eq!(sorted(merged), sorted(file));
    }

    #[test]
    fn an_unchanged_file_changes_nothing(running in desired(), file in desired()) {
        let merged = merge(&running, &file, &file);
        prop_assert_eq!(sorted(merged), sorted(running));
    }
}

#[test]
fn what_ipvsadm_changed_stays_and_the_rest_follows_the_file() {
    let service = |n, scheduler| DesiredService {
        spec: ServiceSpec {
            key: key(n),
            scheduler,
            flags: Default::default(),
        },
        servers: Vec::new(),
    };
    let state = |services| Desired {
        services,
        deny: Vec::new(),
    };
    let applied = state(vec![service(0, Scheduler::Rr), service(2, Scheduler::Rr)]);
    let running = state(vec![service(0, Scheduler::Lc), service(2, Scheduler::Rr)]);
    let file = state(vec![service(0, Scheduler::Wrr), service(2, Scheduler::Wrr)]);
    let merged = merge(&running, &applied, &file);
    let expected = state(vec![service(0, Scheduler::Lc), service(2, Scheduler::Wrr)]);
    assert_eq!(merged, expected);
}

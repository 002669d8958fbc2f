//! Whatever runs and whatever is wanted: the difference leads from one to the
//! other, and equal states differ by nothing.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use ipnet::{IpNet, Ipv4Net};
use proptest::prelude::*;
use vsnat_api::{
    Command, Mark, MarkRule, Persistence, Protocol, Scheduler, ServerSpec, ServiceKey, ServiceSpec,
    Setting, SettingName, Timeouts, Weight,
};
use vsnat_config::{Desired, DesiredService, diff, merge};

fn servers() -> impl Strategy<Value = Vec<ServerSpec>> {
    let server = (0u32..3, 0u32..3);
    proptest::collection::btree_map(1u8..6, server, 0..5).prop_map(|map| {
        let spec = |(host, (weight, upper_threshold))| ServerSpec {
            upper_threshold,
            ..ServerSpec::new(
                SocketAddr::new(Ipv4Addr::new(10, 0, 100, host).into(), 80),
                Weight::new(weight).unwrap(),
            )
        };
        map.into_iter().map(spec).collect()
    })
}

fn services() -> impl Strategy<Value = Vec<DesiredService>> {
    let service = (0usize..4, 0u32..3, servers());
    proptest::collection::btree_map(0u16..5, service, 0..5).prop_map(|services| {
        let service = |(n, (scheduler, persistent_s, servers))| {
            let mut spec = ServiceSpec::new(key(n), Scheduler::ALL[scheduler]);
            spec.persistence = (persistent_s > 0).then_some(Persistence {
                timeout_s: persistent_s,
                netmask: Persistence::EVERY_CLIENT,
            });
            DesiredService { spec, servers }
        };
        services.into_iter().map(service).collect()
    })
}

/// Rules in every order.
fn marks() -> impl Strategy<Value = Vec<MarkRule>> {
    let all: Vec<u32> = (1..6).collect();
    let some = proptest::sample::subsequence(all, 0..=5).prop_shuffle();
    some.prop_map(|marks| marks.into_iter().map(rule).collect())
}

fn settings() -> impl Strategy<Value = Vec<Setting>> {
    let values = proptest::collection::btree_map(0usize..SettingName::ALL.len(), 0u32..2, 0..4);
    values.prop_map(|values| {
        let setting = |(n, value)| Setting::new(SettingName::ALL[n], value).ok();
        let settings = values.into_iter().filter_map(setting);
        let is_unlike = |setting: &Setting| setting.value() != setting.name().default_value();
        settings.filter(is_unlike).collect()
    })
}

fn timeouts() -> impl Strategy<Value = Timeouts> {
    (1u32..4, 1u32..4, 1u32..4).prop_map(|(tcp_s, tcp_fin_s, udp_s)| Timeouts {
        tcp_s,
        tcp_fin_s,
        udp_s,
    })
}

fn desired() -> impl Strategy<Value = Desired> {
    let deny = proptest::collection::btree_set(0u8..5, 0..4);
    let all = (services(), deny, marks(), settings(), timeouts());
    all.prop_map(|(services, deny, marks, settings, timeouts)| Desired {
        services,
        deny: deny.into_iter().map(prefix).collect(),
        marks,
        settings,
        timeouts,
    })
}

fn key(n: u16) -> ServiceKey {
    let address = SocketAddr::new(IpAddr::from([192, 168, 28, 167]), 80 + n);
    let by_address = |protocol| ServiceKey::Address { protocol, address };
    match n % 4 {
        0 => by_address(Protocol::Tcp),
        1 => by_address(Protocol::Udp),
        2 => by_address(Protocol::Sctp),
        _ => ServiceKey::Mark {
            mark: Mark::new(n.into()).unwrap(),
        },
    }
}

fn rule(mark: u32) -> MarkRule {
    MarkRule {
        mark: Mark::new(mark).unwrap(),
        protocol: Some(Protocol::Tcp),
        source: None,
        destination: None,
        ports: Vec::new(),
        interface: None,
    }
}

fn prefix(n: u8) -> IpNet {
    Ipv4Net::new(Ipv4Addr::new(203, 0, n, 0), 24)
        .unwrap()
        .into()
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
            *found.unwrap() = *server;
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
        Command::SetTimeouts(new) => {
            let set = |new: u32, old| if new == 0 { old } else { new };
            let old = state.timeouts;
            state.timeouts = Timeouts {
                tcp_s: set(new.tcp_s, old.tcp_s),
                tcp_fin_s: set(new.tcp_fin_s, old.tcp_fin_s),
                udp_s: set(new.udp_s, old.udp_s),
            };
        }
        Command::Set(setting) => {
            assert_ne!(state.setting(setting.name()), setting.value());
            state
                .settings
                .retain(|other| other.name() != setting.name());
            if setting.value() != setting.name().default_value() {
                state.settings.push(*setting);
            }
        }
        Command::MarkAdd(rule) => {
            assert!(!state.marks.contains(rule));
            state.marks.push(rule.clone());
        }
        Command::MarkDelete(rule) => {
            let at = state.marks.iter().position(|r| r == rule).unwrap();
            state.marks.remove(at);
        }
    }
}

/// Without the orders that mean nothing; that of the rules stays.
fn sorted(mut state: Desired) -> Desired {
    state.services.sort_by_key(|service| service.spec.key);
    for service in &mut state.services {
        service.servers.sort_by_key(|server| server.address);
    }
    state.deny.sort();
    state.settings.sort();
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
    fn a_state_is_read_as_it_was_written(state in desired()) {
        let text = serde_json::to_string(&state).unwrap();
        prop_assert_eq!(serde_json::from_str::<Desired>(&text).unwrap(), state);
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
        spec: ServiceSpec::new(key(n), scheduler),
        servers: Vec::new(),
    };
    let state = |services| Desired {
        services,
        ..Desired::default()
    };
    let applied = state(vec![service(0, Scheduler::Rr), service(2, Scheduler::Rr)]);
    let running = state(vec![service(0, Scheduler::Lc), service(2, Scheduler::Rr)]);
    let file = state(vec![service(0, Scheduler::Wrr), service(2, Scheduler::Wrr)]);
    let merged = merge(&running, &applied, &file);
    let expected = state(vec![service(0, Scheduler::Lc), service(2, Scheduler::Wrr)]);
    assert_eq!(merged, expected);
}

#[test]
fn settings_and_timeouts_that_were_set_stay() {
    let set = |name, value| Setting::new(name, value).unwrap();
    let state = |settings: &[Setting], tcp_s, udp_s| Desired {
        settings: settings.to_vec(),
        timeouts: Timeouts {
            tcp_s,
            udp_s,
            ..Desired::default().timeouts
        },
        ..Desired::default()
    };
    let reuse_off = set(SettingName::ConnReuseMode, 0);
    let drop = |value| set(SettingName::DropEntry, value);
    let applied = state(&[drop(1)], 900, 300);
    let running = state(&[reuse_off, drop(1)], 60, 300);
    let file = state(&[drop(2)], 900, 30);
    let merged = merge(&running, &applied, &file);
    assert_eq!(merged, state(&[reuse_off, drop(2)], 60, 30));
    let back_to_default = state(&[], 900, 300);
    let merged = merge(&running, &applied, &back_to_default);
    assert_eq!(merged, state(&[reuse_off], 60, 300));
}

#[test]
fn rules_of_the_file_come_before_those_that_were_added() {
    let state = |marks: &[u32]| Desired {
        marks: marks.iter().copied().map(rule).collect(),
        ..Desired::default()
    };
    let merged = merge(
        &state(&[1, 3, 9]),
        &state(&[1, 2, 3]),
        &state(&[4, 3, 2, 1]),
    );
    assert_eq!(merged, state(&[4, 3, 1, 9]));
    let commands = diff(&state(&[1, 2, 3]), &state(&[1, 3, 4]));
    let expected = [Command::MarkDelete(rule(2)), Command::MarkAdd(rule(4))];
    assert_eq!(commands, expected, "what is in order stays");
}

#[test]
fn a_state_of_an_earlier_version_can_be_read() {
    let text = "{\"services\": [{\"spec\": {\"protocol\": \"tcp\", \
                \"address\": \"192.168.28.167:80\", \"scheduler\": \"rr\"}, \
                \"servers\": [{\"address\": \"10.0.100.11:80\", \"weight\": 1}]}], \"deny\": []}";
    let state: Desired = serde_json::from_str(text).unwrap();
    assert_eq!(state.services[0].spec.key, key_of("192.168.28.167:80"));
    assert_eq!(state.timeouts, Desired::default().timeouts);
    let written = serde_json::to_string(&state).unwrap();
    assert_eq!(serde_json::from_str::<Desired>(&written).unwrap(), state);
}

fn key_of(address: &str) -> ServiceKey {
    ServiceKey::Address {
        protocol: Protocol::Tcp,
        address: address.parse().unwrap(),
    }
}

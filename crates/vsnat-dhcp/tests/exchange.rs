//! The exchange of messages, state by state, as RFC 2131 has it.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod kit;

use kit::*;
use vsnat_dhcp::wire::relay::{RelayAgentInformation, RelayInfo};
use vsnat_dhcp::wire::{DhcpOption, MessageType, OptionCode};
use vsnat_dhcp::{
    Action, Destination, Event, HostName, LeaseState, Network, Owner, ProbeResult, Range,
    Reservation, Route, Server,
};

#[test]
fn a_new_client_gets_an_address_and_all_it_needs() {
    let mut server = server(vec![network(20)], Vec::new());
    let offer = Ask::new(MessageType::Discover, 1).answer(&mut server, START);
    offer.is(MessageType::Offer, host(10));
    let to = Destination::Hardware {
        hardware: mac(1),
        address: host(10),
    };
    assert_eq!(offer.answer.to, to);
    let ack = select(1, host(10)).answer(&mut server, START);
    ack.is(MessageType::Ack, host(10));
    let expected = [
        DhcpOption::SubnetMask("255.255.255.0".parse().unwrap()),
        DhcpOption::Router(vec![SERVER]),
        DhcpOption::DomainNameServer(vec![host(2)]),
        DhcpOption::BroadcastAddr(host(255)),
        DhcpOption::AddressLeaseTime(600),
        DhcpOption::Renewal(300),
        DhcpOption::Rebinding(525),
        DhcpOption::ServerIdentifier(SERVER),
    ];
    for option in expected {
        let code = OptionCode::from(&option);
        assert_eq!(ack.option(code), Some(&option));
    }
    assert!(ack.answer.bytes.len() >= 300);
}

#[test]
fn the_broadcast_flag_is_obeyed() {
    let mut server = server(vec![network(20)], Vec::new());
    let offer = Ask::new(MessageType::Discover, 1).broadcast();
    assert_eq!(
        offer.answer(&mut server, START).answer.to,
        Destination::Broadcast
    );
}

#[test]
fn renewing_rebinding_and_rebooting_keep_the_address() {
    let mut server = server(vec![network(20)], Vec::new());
    let address = lease(&mut server, 1, START);
    let later = START.plus_s(400);
    let ack = renew(1, address).answer(&mut server, later);
    ack.is(MessageType::Ack, address);
    assert_eq!(ack.answer.to, Destination::Client(address));
    let held = lease_at(&server, address, later).unwrap();
    assert_eq!((held.since, held.ends), (START, later.plus_s(LEASE_S)));
    let reboot = Ask::new(MessageType::Request, 1).requested(address);
    reboot
        .answer(&mut server, later)
        .is(MessageType::Ack, address);
    // After its end too, as long as nobody else got it.
    let much_later = later.plus_s(5_000);
    renew(1, address)
        .answer(&mut server, much_later)
        .is(MessageType::Ack, address);
}

#[test]
fn a_wrong_address_is_refused_and_an_unknown_client_left_alone() {
    let mut server = server(vec![network(20)], Vec::new());
    let address = lease(&mut server, 1, START);
    let reboot = |client, address| Ask::new(MessageType::Request, client).requested(address);
    reboot(1, "192.168.9.9".parse().unwrap())
        .answer(&mut server, START)
        .is_nak();
    reboot(1, host(19)).answer(&mut server, START).is_nak();
    reboot(2, host(19)).is_ignored(&mut server, START);
    let refused = renew(2, address).answer(&mut server, START);
    refused.is_nak();
    assert_eq!(refused.answer.to, Destination::Broadcast);
    renew(2, host(19)).is_ignored(&mut server, START);
    select(2, address).answer(&mut server, START).is_nak();
    select(2, host(99)).answer(&mut server, START).is_nak();
    select(1, host(11)).answer(&mut server, START).is_nak();
}

#[test]
fn an_offer_ends_and_one_that_is_not_taken_is_free_again() {
    let mut server = server(vec![network(10)], Vec::new());
    let discover = |client| Ask::new(MessageType::Discover, client);
    discover(1)
        .answer(&mut server, START)
        .is(MessageType::Offer, host(10));
    assert!(discover(2).tell(&mut server, START).len() == 1, "exhausted");
    let other = Ask::new(MessageType::Request, 1)
        .requested(host(10))
        .to(host(77));
    other.is_ignored(&mut server, START);
    discover(2)
        .answer(&mut server, START)
        .is(MessageType::Offer, host(10));
    let later = START.plus_s(31);
    discover(3)
        .answer(&mut server, later)
        .is(MessageType::Offer, host(10));
}

#[test]
fn what_was_given_back_is_found_again_by_its_client() {
    let mut server = server(vec![network(11)], Vec::new());
    let first = lease(&mut server, 1, START);
    let second = lease(&mut server, 2, START);
    let released = release(1, first).tell(&mut server, START);
    assert!(matches!(released[0], Action::Write(_)), "{released:?}");
    assert_eq!(lease(&mut server, 1, START), first);
    release(1, first).tell(&mut server, START);
    release(2, second).tell(&mut server, START.plus_s(1));
    // A third takes the one that was free for longer.
    assert_eq!(lease(&mut server, 3, START.plus_s(2)), first);
    assert_eq!(lease(&mut server, 2, START.plus_s(2)), second);
}

#[test]
fn a_declined_address_is_given_to_nobody_for_a_while() {
    let mut server = server(vec![network(10)], Vec::new());
    let address = lease(&mut server, 1, START);
    let actions = decline(1, address).tell(&mut server, START);
    assert!(actions.contains(&Action::Tell(Event::InUse { address })));
    let exhausted = Ask::new(MessageType::Discover, 1).tell(&mut server, START);
    assert!(matches!(
        exhausted[..],
        [Action::Tell(Event::Exhausted { .. })]
    ));
    assert_eq!(lease(&mut server, 1, START.plus_s(600)), address);
}

#[test]
fn an_address_that_answers_is_not_offered() {
    let mut server = server(vec![network(20)], Vec::new());
    let actions = Ask::new(MessageType::Discover, 1).tell(&mut server, START);
    let [Action::Probe(probe)] = &actions[..] else {
        panic!("{actions:?}");
    };
    assert_eq!(probe.address, host(10));
    // Asking again while the probe is under way starts no second one.
    Ask::new(MessageType::Discover, 1).is_ignored(&mut server, START);
    let actions = server.probed(host(10), ProbeResult::Answered, START);
    let state = lease_at(&server, host(10), START).unwrap().state;
    assert_eq!(state, LeaseState::Withdrawn);
    let next = actions.iter().find_map(|action| match action {
        Action::Probe(probe) => Some(probe.address),
        Action::Write(_) | Action::Send(_) | Action::Tell(_) => None,
    });
    assert_eq!(next, Some(host(11)));
    let actions = server.probed(host(11), ProbeResult::Silent, START);
    assert!(matches!(actions[..], [Action::Send(_)]));
    assert_eq!(server.counters().conflicts, 1);
    assert_eq!(server.probed(host(11), ProbeResult::Answered, START), []);
}

#[test]
fn a_known_client_is_not_probed() {
    let mut server = server(vec![network(20)], Vec::new());
    let address = lease(&mut server, 1, START);
    for now in [START, START.plus_s(2 * LEASE_S)] {
        let actions = Ask::new(MessageType::Discover, 1).tell(&mut server, now);
        assert!(matches!(actions[..], [Action::Send(_)]), "{actions:?}");
    }
    assert!(lease_at(&server, address, START).is_some());
}

fn reserved() -> Vec<Reservation> {
    let reservation = |owner, last, name| Reservation {
        owner,
        address: host(last),
        host_name: HostName::new(name),
    };
    vec![
        reservation(Owner::Hardware(mac(1)), 12, "web1"),
        reservation(Owner::Id("ff:01".parse().unwrap()), 50, "db"),
    ]
}

#[test]
fn reservations_by_hardware_and_by_identifier() {
    let mut server = server(vec![network(13)], reserved());
    assert_eq!(lease(&mut server, 1, START), host(12));
    let discover = Ask::new(MessageType::Discover, 2).id(&[0xff, 1]);
    discover
        .answer(&mut server, START)
        .is(MessageType::Offer, host(50));
    let wanted = [OptionCode::Hostname];
    let ack = select(2, host(50)).id(&[0xff, 1]).wanting(&wanted);
    let ack = ack.answer(&mut server, START);
    assert_eq!(
        ack.option(OptionCode::Hostname),
        Some(&DhcpOption::Hostname("db".to_owned()))
    );
    // The others get what nobody has reserved.
    let others: Vec<_> = (3..6)
        .map(|client| lease(&mut server, client, START))
        .collect();
    assert_eq!(others, [host(10), host(11), host(13)]);
    select(7, host(12)).answer(&mut server, START).is_nak();
    let held = Ask::new(MessageType::Discover, 8).id(&[0xff, 1]);
    let told = held.tell(&mut server, START);
    assert!(matches!(
        told[..],
        [Action::Tell(Event::ReservationHeld { .. })]
    ));
}

#[test]
fn machines_with_the_same_identifier_are_two_clients() {
    let mut server = server(vec![network(20)], Vec::new());
    let offer = |server: &mut Server, client| {
        let discover = Ask::new(MessageType::Discover, client).id(&[0xff, 9]);
        discover.answer(server, START).message.yiaddr()
    };
    assert_ne!(offer(&mut server, 1), offer(&mut server, 2));
}

#[test]
fn an_identifier_that_repeats_the_hardware_address_is_none() {
    let mut server = server(vec![network(13)], reserved());
    let address = lease(&mut server, 3, START);
    let id = [&[1], &mac(3).octets()[..]].concat();
    let discover = Ask::new(MessageType::Discover, 3).id(&id);
    let offer = discover.answer(&mut server, START);
    offer.is(MessageType::Offer, address);
    let echo = offer.option(OptionCode::ClientIdentifier);
    assert_eq!(echo, Some(&DhcpOption::ClientIdentifier(id)));
}

#[test]
fn what_is_wanted_is_told_and_no_more() {
    let network = Network {
        domain: Some("example.org".to_owned()),
        mtu: Some(1_400),
        ntp: vec![host(3)],
        routes: vec![Route {
            to: "10.9.0.0/16".parse().unwrap(),
            via: host(4),
        }],
        ..network(20)
    };
    let mut server = server(vec![network], Vec::new());
    let wanted = [
        OptionCode::InterfaceMtu,
        OptionCode::ClasslessStaticRoute,
        OptionCode::DomainName,
        OptionCode::NtpServers,
        OptionCode::TFTPServerName,
    ];
    let discover = Ask::new(MessageType::Discover, 1).wanting(&wanted);
    let offer = discover.answer(&mut server, START);
    let routes = vec![
        ("0.0.0.0/0".parse().unwrap(), SERVER),
        ("10.9.0.0/16".parse().unwrap(), host(4)),
    ];
    let expected = [
        DhcpOption::InterfaceMtu(1_400),
        DhcpOption::ClasslessStaticRoute(routes),
        DhcpOption::DomainName("example.org".to_owned()),
        DhcpOption::NtpServers(vec![host(3)]),
    ];
    for option in expected {
        assert_eq!(offer.option((&option).into()), Some(&option));
    }
    assert_eq!(offer.option(OptionCode::DomainNameServer), None);
    assert_eq!(offer.option(OptionCode::Router), None);
}

#[test]
fn what_does_not_fit_is_left_out_the_least_wanted_first() {
    let network = Network {
        dns: vec![host(2); 60],
        ntp: vec![host(3); 60],
        ..network(20)
    };
    let mut server = server(vec![network], Vec::new());
    let wanted = [
        OptionCode::NtpServers,
        OptionCode::DomainNameServer,
        OptionCode::Router,
    ];
    let small = Ask::new(MessageType::Discover, 1).wanting(&wanted);
    let offer = small.answer(&mut server, START);
    assert!(offer.answer.bytes.len() <= 548);
    assert!(offer.option(OptionCode::NtpServers).is_some());
    assert!(offer.option(OptionCode::DomainNameServer).is_none());
    assert!(offer.option(OptionCode::Router).is_some());
    let large = Ask::new(MessageType::Discover, 1)
        .wanting(&wanted)
        .with(DhcpOption::MaxMessageSize(1_500));
    let offer = large.answer(&mut server, START);
    assert!(offer.option(OptionCode::DomainNameServer).is_some());
}

#[test]
fn a_relayed_client_gets_an_address_of_its_own_network() {
    let agent = "10.7.0.2".parse().unwrap();
    let first = "10.7.0.10".parse().unwrap();
    let far = Network {
        network: "10.7.0.0/24".parse().unwrap(),
        link: None,
        router: "10.7.0.1".parse().unwrap(),
        pools: vec![Range::new(first, first).unwrap()],
        ..network(20)
    };
    let mut server = server(vec![network(20), far], Vec::new());
    let mut information = RelayAgentInformation::default();
    information.insert(RelayInfo::AgentCircuitId(b"port 7".to_vec()));
    let discover = Ask::new(MessageType::Discover, 1).relayed(agent, information.clone());
    let offer = discover.answer(&mut server, START);
    offer.is(MessageType::Offer, first);
    assert_eq!(offer.answer.to, Destination::Relay(agent));
    assert_eq!(offer.answer.to.port(), 67);
    assert_eq!(
        offer.option(OptionCode::RelayAgentInformation),
        Some(&DhcpOption::RelayAgentInformation(information))
    );
    // From its own address the agent may name another network.
    let mut selection = RelayAgentInformation::default();
    selection.insert(RelayInfo::LinkSelection("10.7.0.0".parse().unwrap()));
    let discover = Ask::new(MessageType::Discover, 1).relayed(host(5), selection);
    discover
        .answer(&mut server, START)
        .is(MessageType::Offer, first);
    let nowhere = "172.16.0.1".parse().unwrap();
    let lost =
        Ask::new(MessageType::Discover, 1).relayed(nowhere, RelayAgentInformation::default());
    lost.is_ignored(&mut server, START);
    assert_eq!(server.counters().unknown_network, 1);
}

#[test]
fn inform_is_answered_without_a_lease() {
    let mut server = server(vec![network(20)], Vec::new());
    let inform = Ask::new(MessageType::Inform, 1).from(host(200));
    let ack = inform.answer(&mut server, START);
    ack.is(MessageType::Ack, NOBODY);
    assert_eq!(ack.answer.to, Destination::Client(host(200)));
    assert_eq!(ack.option(OptionCode::AddressLeaseTime), None);
    assert!(ack.option(OptionCode::DomainNameServer).is_some());
    assert_eq!(server.leases(START), []);
}

#[test]
fn leases_outlive_a_change_of_the_pools() {
    let mut first = server(vec![network(20)], Vec::new());
    let address = lease(&mut first, 1, START);
    let stored: Vec<_> = first.stored().1.cloned().collect();
    let shifted = Network {
        pools: vec![Range::new(host(30), host(40)).unwrap()],
        ..network(20)
    };
    let mut next = Server::new(vec![shifted], Vec::new(), stored, START);
    assert!(lease_at(&next, address, START).unwrap().is_active());
    // It is asked to move, and nobody else can get the old one meanwhile.
    renew(1, address).answer(&mut next, START).is_nak();
    assert_eq!(lease(&mut next, 1, START), host(30));
}

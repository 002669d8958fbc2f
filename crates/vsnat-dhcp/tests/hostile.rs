//! Malformed, spoofed and greedy messages: no lease of another client changes.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod kit;

use kit::*;
use proptest::prelude::*;
use vsnat_dhcp::wire::{DhcpOption, MessageType};
use vsnat_dhcp::{Action, Event, Lease, Request, RequestError, Server};

fn active(server: &Server) -> Vec<Lease> {
    let leases = server.leases(START).into_iter();
    leases.filter(Lease::is_active).collect()
}

#[test]
fn a_spoofed_release_or_decline_changes_nothing() {
    let mut server = server(vec![network(20)], Vec::new());
    let address = lease(&mut server, 1, START);
    let before = active(&server);
    let other = |ask: Ask| Ask {
        arrival: vsnat_dhcp::Arrival {
            sender: mac(66),
            ..ask.arrival
        },
        ..ask
    };
    // Another's name, from another's interface.
    other(release(1, address)).is_ignored(&mut server, START);
    other(decline(1, address)).is_ignored(&mut server, START);
    // A renewal in the client's name does not make its author the sender.
    other(renew(1, address)).tell(&mut server, START);
    other(release(1, address)).is_ignored(&mut server, START);
    // One's own name, another's address.
    release(2, address).is_ignored(&mut server, START);
    decline(2, address).is_ignored(&mut server, START);
    let mut elsewhere = release(1, address);
    elsewhere.arrival.source = host(99);
    elsewhere.is_ignored(&mut server, START);
    // For another server.
    let foreign = Ask::new(MessageType::Release, 1).from(address).to(host(77));
    foreign.is_ignored(&mut server, START);
    assert_eq!(active(&server), before);
    assert_eq!(server.counters().ignored, 7);
}

#[test]
fn starving_the_pool_is_told_once_and_harms_no_lease() {
    let mut server = server(vec![network(30)], Vec::new());
    let address = lease(&mut server, 1, START);
    let before = active(&server);
    let mut told = 0;
    for client in 100..2_000 {
        let actions = Ask::new(MessageType::Discover, client).tell(&mut server, START);
        let is_event = |action: &&Action| matches!(action, Action::Tell(Event::Exhausted { .. }));
        told += actions.iter().filter(is_event).count();
        settled(&mut server, actions, START);
    }
    assert_eq!(told, 1);
    assert_eq!(server.counters().exhausted, 1_900 - 20);
    assert_eq!(active(&server), before);
    assert_eq!(server.leases(START).len(), 21, "no more than the pool has");
    renew(1, address)
        .answer(&mut server, START)
        .is(MessageType::Ack, address);
    // What the attacker did not take up is free again soon.
    let later = START.plus_s(31);
    assert!(host(10) <= lease(&mut server, 2, later));
}

#[test]
fn one_client_cannot_collect_addresses() {
    let mut server = server(vec![network(30)], Vec::new());
    lease(&mut server, 1, START);
    for last in 11..=30 {
        select(1, host(last)).answer(&mut server, START).is_nak();
    }
    assert_eq!(active(&server).len(), 1);
}

#[test]
fn what_is_not_a_clients_message() {
    let good = Ask::new(MessageType::Discover, 1).bytes();
    let with = |at: usize, byte: u8| {
        let mut bytes = good.clone();
        bytes[at] = byte;
        Request::read(&bytes).unwrap_err()
    };
    assert_eq!(with(0, 2), RequestError::FromServer);
    assert_eq!(with(1, 6), RequestError::Hardware);
    assert_eq!(with(2, 16), RequestError::Hardware);
    assert_eq!(with(2, 255), RequestError::Hardware);
    assert_eq!(with(28, 0xff), RequestError::Hardware);
    assert_eq!(with(236, 0), RequestError::NotDhcp);
    assert_eq!(with(242, 2), RequestError::Kind, "an offer");
    assert_eq!(
        with(241, 9),
        RequestError::Options,
        "longer than the message"
    );
    for length in 0..240 {
        assert_eq!(Request::read(&good[..length]), Err(RequestError::NotDhcp));
    }
    let odd = |option: DhcpOption| {
        let ask = Ask::new(MessageType::Discover, 1).with(option);
        Request::read(&ask.bytes())
    };
    assert_eq!(
        odd(DhcpOption::ClientIdentifier(vec![1; 200])),
        Err(RequestError::Options)
    );
    let harmless = odd(DhcpOption::Hostname("\x1b[2J".to_owned())).unwrap();
    assert_eq!(harmless.host_name, None);
    let class = odd(DhcpOption::ClassIdentifier(vec![0xff; 80])).unwrap();
    assert_eq!(class.vendor_class, None);
}

/// A message with some bytes changed, cut off or added.
fn damaged() -> impl Strategy<Value = Vec<u8>> {
    let kinds = prop_oneof![
        Just(MessageType::Discover),
        Just(MessageType::Request),
        Just(MessageType::Decline),
        Just(MessageType::Release),
        Just(MessageType::Inform),
    ];
    let changes = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..12);
    let tail = prop::collection::vec(any::<u8>(), 0..40);
    (kinds, changes, any::<prop::sample::Index>(), tail).prop_map(|(kind, changes, cut, tail)| {
        let ask = Ask::new(kind, 66)
            .requested(host(10))
            .to(SERVER)
            .id(&[1, 2, 3]);
        let mut bytes = ask.bytes();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            // The hardware address stays the attacker's: who writes another's
            // everywhere, in the frame too, is that other as far as can be told.
            if !(28..34).contains(&at) {
                bytes[at] = byte;
            }
        }
        bytes.truncate(bytes.len() - cut.index(bytes.len()) / 8);
        bytes.extend(tail);
        bytes
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn no_message_panics_or_changes_the_lease_of_another(
        messages in prop::collection::vec(damaged(), 1..30)
    ) {
        let mut server = server(vec![network(20)], Vec::new());
        for client in 1..5 {
            lease(&mut server, client, START);
        }
        let others = |server: &Server| {
            let mut leases = active(server);
            leases.retain(|lease| lease.client.hardware != mac(66));
            leases
        };
        let before = others(&server);
        for bytes in messages {
            let Ok(request) = Request::read(&bytes) else { continue };
            let arrival = vsnat_dhcp::Arrival { link: LINK, sender: mac(66), source: request.ciaddr };
            let actions = server.handle(&request, &arrival, START);
            settled(&mut server, actions, START);
        }
        prop_assert_eq!(others(&server), before);
    }

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..700)) {
        let _ = Request::read(&bytes);
        let _ = vsnat_dhcp::Reply::read(&bytes);
        let mut framed = Ask::new(MessageType::Discover, 1).bytes();
        framed.truncate(240);
        framed.extend(bytes);
        let _ = Request::read(&framed);
    }
}

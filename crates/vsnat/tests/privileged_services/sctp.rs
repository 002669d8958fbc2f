//! SCTP through the director, with another port at the servers: the checksum
//! of a packet covers its ports, and both ends check it.

use std::collections::BTreeSet;
use std::net::SocketAddrV4;

use vsnat_lab::sctp::{Association, SctpCounts, SctpServer, exchange};
use vsnat_lab::{CLIENTS, server_address};

use crate::peers::{client, connection_of, connections, numbers, plan, server_port, until, vip};
use crate::scenario::Scene;

const SERVICE_PORT: u16 = 99;
const SERVER_PORT: u16 = 2_905;
const MESSAGES: u32 = 1_000;

fn service(scene: &Scene) -> Vec<SctpServer> {
    let service = format!("--sctp-service {}", vip(SERVICE_PORT));
    scene.ipvsadm(&format!("-A {service} -s rr"));
    let start = |number: u8| {
        let address = SocketAddrV4::new(server_address(number), SERVER_PORT);
        scene.ipvsadm(&format!("-a {service} -r {address} -m"));
        SctpServer::start(&scene.server(number), &number.to_string(), address).unwrap()
    };
    numbers(scene).map(start).collect()
}

#[test]
fn a_thousand_messages_arrive_as_they_were_sent() {
    let scene = Scene::new("svcsctp", &plan(3));
    let servers = service(&scene);
    let reached: BTreeSet<String> = CLIENTS[..3]
        .iter()
        .map(|address| {
            let local = SocketAddrV4::new(*address, 0);
            let talk = scene.in_client(|| exchange(local, vip(SERVICE_PORT), MESSAGES));
            let talk = talk.unwrap();
            assert_eq!(talk.messages, MESSAGES);
            assert_eq!(talk.seen.ip(), address);
            talk.server
        })
        .collect();
    assert_eq!(reached.len(), 3, "each association has a server of its own");
    for server in &servers {
        let counts = SctpCounts {
            associations: 1,
            // The first tells the names.
            messages: u64::from(MESSAGES) + 1,
            shutdowns: 1,
            aborts: 0,
            bad_checksums: 0,
            refused: 0,
        };
        // Its last packet may still be on its way.
        until("the association is over", || server.counts().shutdowns == 1);
        assert_eq!(server.counts(), counts);
    }
}

#[test]
fn the_states_of_an_association_are_listed() {
    let scene = Scene::new("svcsctpstate", &plan(2));
    let servers = service(&scene);
    let mut association = scene
        .in_client(|| Association::open(client(0), vip(SERVICE_PORT)))
        .unwrap();
    association.send(b"hello").unwrap();
    let line = connection_of(&scene, association.local());
    assert_eq!(line.protocol, "SCTP");
    assert_eq!(line.state, "ESTABLISHED");
    assert_eq!(line.target, "192.168.28.167:99");
    assert_eq!(line.destination, server_port(2, SERVER_PORT));
    let local = association.local();
    association.shutdown().unwrap();
    let is_closed = || connection_of(&scene, local).state == "CLOSED";
    until("closed", is_closed);

    let other = scene
        .in_client(|| Association::open(client(0), vip(SERVICE_PORT)))
        .unwrap();
    let local = other.local();
    other.abort().unwrap();
    let is_closed = || connection_of(&scene, local).state == "CLOSED";
    until("closed", is_closed);
    assert_eq!(connections(&scene).len(), 2);
    let bad: u64 = servers.iter().map(|s| s.counts().bad_checksums).sum();
    assert_eq!(bad, 0);
}

//! The masquerade with real traffic.

use std::io::Write;
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc;
use std::thread;

use vsnat_api::NatSource;

use crate::bench::{Bench, within};
use vsnat_director::host::address::{self, InterfaceAddress};
use vsnat_director::host::forwarding;
use vsnat_director::host::masquerade::{self, PortRange, Rules};

fn rules(bench: &Bench, ports: PortRange) -> Rules {
    Rules {
        table: format!("vsnat_{}", bench.host()),
        outer: "eth0".to_owned(),
        networks: vec![("10.0.100.0/24".parse().unwrap(), NatSource::Auto)],
        forwards: Vec::new(),
        ports,
    }
}

/// Opens connections from the real server to the neighbour outside, and gives
/// the clients' addresses that the neighbour saw.
fn seen_outside(bench: &Bench, connections: usize) -> Vec<SocketAddr> {
    let outside = bench.outside();
    let (ready, is_ready) = mpsc::channel();
    let neighbour = thread::spawn(move || {
        within(&outside, || {
            let listener = TcpListener::bind("192.168.28.1:7000").unwrap();
            ready.send(()).unwrap();
            let accepted = (0..connections).map(|_| listener.accept().unwrap().1);
            accepted.collect()
        })
    });
    is_ready.recv().unwrap();
    within(&bench.inside(), || {
        for _ in 0..connections {
            let mut stream = TcpStream::connect("192.168.28.1:7000").unwrap();
            stream.write_all(b"hello").unwrap();
        }
    });
    neighbour.join().unwrap()
}

#[test]
fn servers_hide_behind_the_director_outside_of_the_service_ports() {
    let bench = Bench::new();
    bench.on_host(|| {
        let vip = InterfaceAddress {
            interface: "eth0".to_owned(),
            address: "192.168.28.167/24".parse().unwrap(),
        };
        address::add(&vip).unwrap();
        forwarding::enable(&["eth0", "eth1"]).unwrap();
    });
    for ports in [
        PortRange {
            low: 2_000,
            high: 2_015,
        },
        PortRange {
            low: 50_000,
            high: 50_015,
        },
    ] {
        let rules = rules(&bench, ports);
        bench.on_host(|| masquerade::apply(&rules).unwrap());
        for client in seen_outside(&bench, 8) {
            assert_eq!(client.ip(), "192.168.28.167".parse::<IpAddr>().unwrap());
            assert!(
                (ports.low..=ports.high).contains(&client.port()),
                "{client}"
            );
        }
    }
}

#[test]
fn rules_of_others_are_untouched() {
    let bench = Bench::new();
    bench.nft(
        "table ip nat { chain post { type nat hook postrouting priority 100; policy accept;\n}\n}",
    );
    let before = bench.snapshot();
    let rules = rules(&bench, PortRange::UNPRIVILEGED.without([]));
    let exists = || masquerade::exists(&rules.table).unwrap();
    bench.on_host(|| {
        masquerade::check(&rules).unwrap();
        assert!(!exists(), "a check changes nothing");
        masquerade::apply(&rules).unwrap();
        masquerade::apply(&rules).unwrap();
        assert!(exists());
        masquerade::remove(&rules.table).unwrap();
        masquerade::remove(&rules.table).unwrap();
    });
    assert_eq!(bench.snapshot(), before);
}

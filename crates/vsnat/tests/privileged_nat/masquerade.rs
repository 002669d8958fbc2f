//! Whose traffic leaves by which address.

use nix::sys::signal::Signal;
use vsnat_api::{NatDirection, NatSource};

use crate::bench::{Bench, CLIENT, HOSTS, ip};

const OUTSIDE: &str = "192.168.28.1:7000";

/// The addresses under which the host's connections arrive outside.
fn addresses(bench: &Bench, host: usize) -> Vec<String> {
    let seen = bench.seen((&bench.outside(), OUTSIDE), &bench.host(host), OUTSIDE);
    assert!(seen.iter().all(|client| client.port() != 8080));
    let mut addresses: Vec<String> = seen.iter().map(|c| c.ip().to_string()).collect();
    addresses.dedup();
    addresses
}

#[test]
fn each_network_leaves_by_its_own_address() {
    let bench = Bench::new();
    bench.write(
        "[[masquerade]]\nnetwork = \"10.0.101.0/24\"\nsource = \"192.168.28.168\"\n\
         [[service]]\nprotocol = \"tcp\"\naddress = \"192.168.28.167:8080\"\n",
    );
    let _director = bench.start();
    assert_eq!(addresses(&bench, 0), ["192.168.28.167"]);
    assert_eq!(addresses(&bench, 1), ["192.168.28.168"]);

    let nat = bench.nat();
    let ports = nat.ports.unwrap();
    assert_eq!(
        (ports.first(), ports.last()),
        (8_081, 65_535),
        "the service's is left out"
    );
    let [chosen, usual] = &nat.networks[..] else {
        panic!("{nat:#?}");
    };
    assert_eq!(
        chosen.source,
        NatSource::Address("192.168.28.168".parse().unwrap())
    );
    assert_eq!(usual.source, NatSource::Auto);
    for network in [chosen, usual] {
        let counters = network.counters;
        assert_eq!(counters.connections, 4, "{nat:#?}");
        assert!(
            counters.out_packets >= 8 && counters.in_packets >= 4,
            "{nat:#?}"
        );
        assert!(counters.out_bytes >= 40 * counters.out_packets, "{nat:#?}");
    }
    let flow = nat
        .flows
        .listed
        .iter()
        .find(|f| f.source.address.to_string() == HOSTS[1]);
    let flow = flow.unwrap_or_else(|| panic!("{nat:#?}"));
    assert_eq!(nat.flows.total, 8);
    assert_eq!(flow.direction, NatDirection::Out);
    assert_eq!(flow.destination.address.to_string(), CLIENT);
    assert_eq!(flow.translated.address.to_string(), "192.168.28.168");
    let text = String::from_utf8(bench.vsnat(&["nat"]).stdout).unwrap();
    assert!(text.contains("8 open flows"), "{text}");

    // Hosts inside see each other as they are.
    let inside = format!("{}:7000", HOSTS[1]);
    let seen = bench.seen((&bench.host(1), &inside), &bench.host(0), &inside);
    assert!(
        seen.iter()
            .all(|client| client.ip().to_string() == HOSTS[0]),
        "{seen:?}"
    );
}

#[test]
fn counters_outlive_a_restart_and_choices_follow_the_file() {
    let bench = Bench::new();
    bench.write("");
    let director = bench.start();
    assert_eq!(addresses(&bench, 0), ["192.168.28.167"]);
    director.end(Signal::SIGTERM);
    bench.write("[[masquerade]]\nnetwork = \"10.0.101.0/24\"\nsource = \"keep\"\n");
    let director = bench.start();
    let of_first = |bench: &Bench| {
        let networks = bench.nat().networks;
        let first = networks
            .iter()
            .find(|n| n.network.to_string() == "10.0.100.0/24");
        first.unwrap().counters.connections
    };
    assert_eq!(of_first(&bench), 4, "counted before the restart");
    ip(&format!(
        "-n {} route add 10.0.101.0/24 via 192.168.28.167",
        bench.outside()
    ));
    assert_eq!(addresses(&bench, 1), [HOSTS[1]], "as it is");
    assert_eq!(addresses(&bench, 0), ["192.168.28.167"]);
    director.end(Signal::SIGINT);
    assert!(!bench.ruleset().contains("vsnat"), "{}", bench.ruleset());
}

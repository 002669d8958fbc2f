//! Outer ports that lead to one host inside.

use nix::sys::signal::Signal;
use vsnat_api::NatDirection;

use crate::bench::{Bench, CLIENT, HOSTS};

const FORWARD: &str = "[[forward]]\nprotocol = \"tcp\"\naddress = \"192.168.28.167:2201\"\n\
                       to = \"10.0.100.11:22\"\n";
const OUTER: &str = "192.168.28.167:2201";
const INNER: &str = "10.0.100.11:22";

#[test]
fn a_port_leads_to_its_host_also_without_a_daemon() {
    let bench = Bench::new();
    bench.write(FORWARD);
    let director = bench.start();
    let host = bench.host(0);
    let arrives = || {
        let seen = bench.seen((&host, INNER), &bench.outside(), OUTER);
        seen.iter().all(|client| client.ip().to_string() == CLIENT)
    };
    assert!(arrives(), "the host sees who its client is");
    let nat = bench.nat();
    let [port] = &nat.forwards[..] else {
        panic!("{nat:#?}");
    };
    assert_eq!(port.forward.to, INNER.parse().unwrap());
    assert_eq!(port.counters.connections, 4, "{nat:#?}");
    assert!(
        port.counters.in_packets >= 8 && port.counters.out_packets >= 4,
        "{nat:#?}"
    );
    let of_networks = nat.networks.iter().map(|n| n.counters.out_packets);
    assert_eq!(of_networks.sum::<u64>(), 0, "counted once: {nat:#?}");
    let flow = &nat.flows.listed[0];
    assert_eq!(flow.direction, NatDirection::In);
    assert_eq!(flow.translated.address.to_string(), HOSTS[0]);
    assert!(!bench.connects(&bench.outside(), "192.168.28.167:2202"));

    director.end(Signal::SIGKILL);
    assert!(arrives(), "without a daemon");
    bench.vsnat(&["down"]);
    assert!(!bench.ruleset().contains("vsnat"), "{}", bench.ruleset());
}

#[test]
fn a_service_and_a_forwarded_port_are_kept_apart() {
    let bench = Bench::new();
    bench.write(FORWARD);
    let director = bench.start();
    let said = bench.ipvsadm("-A -t 192.168.28.167:2201 -s rr");
    assert!(
        said.contains("which the file forwards to 10.0.100.11:22"),
        "{said}"
    );
    let said = bench.ipvsadm("-A -t 192.168.28.167:0 -s rr -p");
    assert!(
        said.contains("which the file forwards to 10.0.100.11:22"),
        "{said}"
    );
    assert_eq!(bench.ipvsadm("-A -f 7 -s rr"), "");
    let marked = bench.vsnat(&[
        "mark",
        "add",
        "--mark",
        "7",
        "--destination",
        "192.168.28.167",
    ]);
    assert!(!marked.status.success());
    assert_eq!(bench.ipvsadm("-D -f 7"), "");
    director.end(Signal::SIGTERM);

    // One that was there before the file wanted the port stays, and is named.
    bench.write("");
    let director = bench.start();
    assert_eq!(bench.ipvsadm("-A -t 192.168.28.167:2201 -s rr"), "");
    director.end(Signal::SIGTERM);
    bench.write(FORWARD);
    let director = bench.start();
    let log = director.log();
    assert!(
        log.contains("TCP 192.168.28.167:2201 is not forwarded"),
        "{log}"
    );
    assert_eq!(bench.nat().forwards, []);
    assert_eq!(bench.ipvsadm("-D -t 192.168.28.167:2201"), "");
    assert_eq!(bench.nat().forwards.len(), 1, "as soon as it is free");
    let seen = bench.seen((&bench.host(0), INNER), &bench.outside(), OUTER);
    assert_eq!(seen.len(), 4);
}

#[test]
fn addresses_that_are_not_here_are_refused() {
    let bench = Bench::new();
    let before = bench.ruleset();
    bench.write(&FORWARD.replace("192.168.28.167", "192.168.28.99"));
    let said = bench.refused();
    assert!(said.contains("[[forward]] names 192.168.28.99"), "{said}");
    bench.write("[[masquerade]]\nnetwork = \"10.0.100.0/24\"\nsource = \"192.168.28.99\"\n");
    let said = bench.refused();
    assert!(
        said.contains("[[masquerade]] names 192.168.28.99"),
        "{said}"
    );
    assert_eq!(bench.ruleset(), before);
}

//! Thousands of clients at once.

use std::collections::BTreeSet;

use crate::bench::{Bench, exec, ip};

/// As many as come in five seconds.
const CLIENTS: u64 = 5_000;
const RATE: &str = "1000";

#[test]
fn a_thousand_exchanges_a_second_without_a_duplicate() {
    let bench = Bench::new(1);
    bench.write(
        "[[dhcp.network]]\nnetwork = \"10.1.0.0/16\"\npools = [\"10.1.16.0-10.1.200.255\"]\n",
    );
    ip(&format!(
        "-n {} address add 10.1.0.1/16 dev eth1",
        bench.director()
    ));
    ip(&format!(
        "-n {} address add 10.1.0.9/16 dev eth0",
        bench.client(0)
    ));
    let _director = bench.start();
    // It may ask once more than it was told to; clients come in turn, and one
    // that comes again gets the address that it has.
    let (asked, clients) = (CLIENTS.to_string(), (2 * CLIENTS).to_string());
    // After the last question it listens for two seconds more.
    let words = [
        "perfdhcp", "-4", "-r", RATE, "-R", &clients, "-n", &asked, "-W", "2000000", "-u", "-l",
        "eth0", "10.1.0.1",
    ];
    let output = exec(&bench.client(0), &words).output().unwrap();
    let report = String::from_utf8(output.stdout).unwrap();
    println!("{report}");
    assert_eq!(
        report.matches("non unique addresses: 0").count(),
        2,
        "{report}"
    );
    assert_eq!(report.matches("rejected leases: 0").count(), 2, "{report}");

    let leases = bench.leases();
    let counters = leases.counters;
    assert!(counters.discovers > 0, "{counters:?}");
    assert_eq!(counters.offers, counters.discovers, "{counters:?}");
    assert_eq!(counters.acks, counters.requests, "{counters:?}");
    let addresses: BTreeSet<_> = leases.leases.iter().map(|l| l.address).collect();
    let macs: BTreeSet<_> = leases.leases.iter().map(|l| l.mac.as_str()).collect();
    assert_eq!(addresses.len(), leases.leases.len());
    assert_eq!(macs.len(), leases.leases.len());
    assert_eq!(leases.networks[0].active, counters.acks);
}

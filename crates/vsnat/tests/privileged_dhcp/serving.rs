//! Clients that come, stay, go and come back.

use std::fs;

use nix::sys::signal::Signal;
use vsnat_api::DhcpLeaseState;

use crate::bench::{Bench, DIRECTOR, USUAL, exec, ip, until};
use crate::clients::Program;

/// Waits until the client has what it needs, and gives its address.
#[track_caller]
fn settled(bench: &Bench, client: usize) -> String {
    until("the client is told its address", || {
        bench.told(client).is_some()
    });
    let told = bench.told(client).unwrap();
    assert_eq!(
        (told.router.as_str(), told.dns.as_str()),
        (DIRECTOR, "10.0.100.2")
    );
    assert_eq!(bench.leased_to(client).as_ref(), Some(&told.address));
    told.address
}

#[test]
fn real_clients_are_served_and_keep_their_addresses() {
    let bench = Bench::new(3);
    bench.write(USUAL);
    let director = bench.start();
    let start_all = || {
        let programs = Program::ALL.into_iter().enumerate();
        let clients = programs.map(|(number, program)| bench.client_on(number, program));
        clients.collect::<Vec<_>>()
    };
    let clients = start_all();
    let before: Vec<String> = (0..3).map(|client| settled(&bench, client)).collect();
    assert!(before[0] != before[1] && before[1] != before[2] && before[0] != before[2]);
    let pinged = bench.inside(
        &bench.client(0),
        &format!("busybox ping -c 1 -w 5 {}", before[1]),
    );
    assert!(pinged.contains("1 packets received"), "{pinged}");

    // The director dies, and comes back with its leases; the clients start
    // again and find theirs.
    director.end(Signal::SIGKILL);
    for client in clients {
        client.end(Signal::SIGKILL);
    }
    let director = bench.start();
    assert_eq!(bench.leases().networks[0].active, 3);
    (0..3).for_each(|client| bench.forget_told(client));
    let clients = start_all();
    let after: Vec<String> = (0..3).map(|client| settled(&bench, client)).collect();
    assert_eq!(after, before);
    assert!(director.log().contains("DHCP") || director.log().contains("giving out"));

    let text = String::from_utf8(bench.vsnat(&["dhcp", "leases"]).stdout).unwrap();
    assert!(
        text.starts_with("10.0.100.0/24: 3 active, 100 addresses"),
        "{text}"
    );
    drop(clients);
}

#[test]
fn leases_are_renewed_given_back_and_run_out() {
    let bench = Bench::new(3);
    bench.write(&USUAL.replace("[dhcp]", "[dhcp]\nlease_time = \"20s\""));
    let _director = bench.start();
    let programs = Program::ALL.into_iter().enumerate();
    let mut clients: Vec<_> = programs
        .map(|(number, program)| bench.client_on(number, program))
        .collect();
    let addresses: Vec<String> = (0..3).map(|client| settled(&bench, client)).collect();
    // Longer than one lease lasts: each has renewed it.
    until("every lease was renewed", || {
        let held = (0..3).filter_map(|client| bench.lease_of(client));
        let held = held.filter(|l| l.state == DhcpLeaseState::Active && l.held_s > 22);
        held.count() == 3
    });
    let now: Vec<_> = (0..3)
        .map(|client| bench.leased_to(client).unwrap())
        .collect();
    assert_eq!(now, addresses);

    // udhcpc gives its lease back, dhclient is unplugged.
    let state = |client| bench.lease_of(client).unwrap().state;
    clients.remove(1).end(Signal::SIGTERM);
    until("the lease is given back", || {
        state(1) == DhcpLeaseState::Over
    });
    assert!(bench.leases().counters.releases >= 1);
    ip(&format!("-n {} link set port0 down", bench.lan()));
    until("the lease has run out", || state(0) == DhcpLeaseState::Over);
    assert_eq!(state(2), DhcpLeaseState::Active);
}

#[test]
fn reservations_conflicts_and_dhcping() {
    let bench = Bench::new(3);
    let mac = bench.mac_of(0);
    bench.write(&format!(
        "{USUAL}[[dhcp.reservation]]\nmac = \"{mac}\"\naddress = \"10.0.100.11\"\n"
    ));
    // A host with an address of the pool that nobody gave it.
    ip(&format!(
        "-n {} address add 10.0.100.100/24 dev eth0",
        bench.client(2)
    ));
    let director = bench.start();
    let _reserved = bench.client_on(0, Program::Udhcpc);
    assert_eq!(settled(&bench, 0), "10.0.100.11");
    let _other = bench.client_on(1, Program::Dhclient);
    assert_eq!(settled(&bench, 1), "10.0.100.101");
    let leases = bench.leases();
    assert_eq!(leases.counters.conflicts, 1);
    let withdrawn = leases
        .leases
        .iter()
        .find(|l| l.state == DhcpLeaseState::Withdrawn);
    assert_eq!(withdrawn.unwrap().address.to_string(), "10.0.100.100");
    assert!(
        director.log().contains("10.0.100.100 is in use"),
        "{}",
        director.log()
    );

    let words = [
        "dhcping",
        "-v",
        "-s",
        DIRECTOR,
        "-c",
        "10.0.100.11",
        "-h",
        &mac,
    ];
    let asked = exec(&bench.client(0), &words).output().unwrap();
    let said = String::from_utf8_lossy(&asked.stdout);
    assert!(
        asked.status.success() && said.contains(DIRECTOR),
        "{asked:?}"
    );
}

#[test]
fn an_inner_interface_that_is_made_anew_serves_again() {
    let bench = Bench::new(1);
    bench.write(USUAL);
    let director = bench.start();
    ip(&format!("-n {} link del eth1", bench.director()));
    bench.plug(&bench.director(), "eth1", "again");
    ip(&format!(
        "-n {} address add {DIRECTOR}/24 dev eth1",
        bench.director()
    ));
    until("DHCP is back", || {
        director.log().contains("DHCP serves on it")
    });
    let _client = bench.client_on(0, Program::Udhcpc);
    settled(&bench, 0);
}

#[test]
fn nothing_is_answered_on_the_outer_side() {
    let bench = Bench::new(1);
    bench.write(USUAL);
    let _director = bench.start();
    let outer = bench.outer();
    let words = [
        "busybox", "udhcpc", "-n", "-q", "-f", "-t", "3", "-T", "1", "-i", "eth0", "-s",
    ];
    let asked = exec(&outer, &words).arg("/bin/true").output().unwrap();
    assert!(!asked.status.success(), "{asked:?}");
    // Straight to the director's inner address, from an address of the pool.
    ip(&format!("-n {outer} address add 10.0.100.150/24 dev eth0"));
    for kind in ["", "-i"] {
        let words = [
            "dhcping",
            "-v",
            "-t",
            "2",
            "-s",
            DIRECTOR,
            "-c",
            "10.0.100.150",
        ];
        let mac = bench.mac_of(0);
        let mut command = exec(&outer, &words);
        command.args(["-h", &mac]);
        command.args(kind.split_whitespace());
        let asked = command.output().unwrap();
        assert!(!asked.status.success(), "{asked:?}");
    }
    let leases = bench.leases();
    assert_eq!(leases.leases, []);
    assert_eq!(leases.counters, vsnat_api::DhcpCounters::default());
    assert!(!fs::exists(bench.file_of_leases()).unwrap());
}

//! Where the director does not give out addresses, and says why.

use std::fs;

use crate::bench::{Bench, Running, USUAL, exec, ip, until};

#[test]
fn another_server_is_noticed_unless_it_is_tolerated() {
    let bench = Bench::new(0);
    let lan = bench.lan();
    ip(&format!("-n {lan} address add 10.0.100.2/24 dev br0"));
    let words = [
        "dnsmasq",
        "--no-daemon",
        "--conf-file=/dev/null",
        "--port=0",
        "--interface=br0",
        "--bind-interfaces",
        "--dhcp-authoritative",
        "--dhcp-range=10.0.100.50,10.0.100.60,1h",
        "--user=root",
        "--pid-file",
        "--log-dhcp",
    ];
    let mut command = exec(&lan, &words);
    let leases = bench.folder.join("dnsmasq.leases");
    command.arg(format!("--dhcp-leasefile={}", leases.display()));
    let other = Running::start(&mut command, bench.folder.join("dnsmasq.log"));
    until("dnsmasq serves", || other.log().contains("IP range"));

    bench.write(USUAL);
    let before = state(&bench);
    let said = bench.refused();
    for part in [
        "another DHCP server answers on eth1: 10.0.100.2",
        "force = true",
    ] {
        assert!(said.contains(part), "{said}\n{}", other.log());
    }
    assert_eq!(state(&bench), before);

    bench.write(&USUAL.replace("[dhcp]", "[dhcp]\nforce = true"));
    let _director = bench.start();
    assert_eq!(bench.leases().leases, []);
}

#[test]
fn a_port_that_is_taken_and_a_network_that_is_not_there() {
    let bench = Bench::new(0);
    bench.write(USUAL);
    let words = [
        "dnsmasq",
        "--no-daemon",
        "--conf-file=/dev/null",
        "--port=0",
        "--dhcp-range=10.0.100.50,10.0.100.60,1h",
        "--user=root",
        "--pid-file",
    ];
    let mut command = exec(&bench.director(), &words);
    let leases = bench.folder.join("dnsmasq.leases");
    command.arg(format!("--dhcp-leasefile={}", leases.display()));
    let taken = Running::start(&mut command, bench.folder.join("dnsmasq.log"));
    until("the port is taken", || {
        let listing = bench.inside(&bench.director(), "cat /proc/net/udp");
        listing.contains(":0043 ")
    });
    let said = bench.refused();
    assert!(said.contains("port 67 of eth1 is in use"), "{said}");
    drop(taken);
    bench.write(&USUAL.replace("10.0.100.", "10.0.101."));
    let said = bench.refused();
    assert!(
        said.contains("no inner interface has an address in 10.0.101.0/24"),
        "{said}"
    );
}

#[test]
fn without_dhcp_there_are_no_leases() {
    let bench = Bench::new(0);
    bench.write("");
    let _director = bench.start();
    let output = bench.vsnat(&["dhcp", "leases"]);
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("add [dhcp] to its file"), "{said}");
}

/// What a start that is refused may not change.
fn state(bench: &Bench) -> String {
    let inside = |command: &str| bench.inside(&bench.director(), command);
    let mut text = inside("ip -4 -oneline address show");
    text += &inside("sysctl net.ipv4.ip_forward");
    text += &inside("nft list ruleset");
    for left in [
        format!("/sys/fs/bpf/vsnat/{}", bench.name),
        format!("/run/vsnat/{}.state.json", bench.name),
        bench.file_of_leases().display().to_string(),
    ] {
        text += &format!("{left}: {}\n", fs::exists(&left).unwrap());
    }
    text
}

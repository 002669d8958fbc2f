//! Each thing that is wrong with a host has one message, and nothing changes.

use vsnat_config::{Config, DirectorName};

use crate::bench::{Bench, OUTER, VIP, config};
use vsnat_director::preflight;

#[track_caller]
fn refused(bench: &Bench, config: &Config, parts: &[&str]) {
    let before = bench.snapshot();
    let name: DirectorName = bench.host().parse().unwrap();
    let checked = bench.on_host(|| preflight::check(config, &name, None));
    let message = checked.map(drop).unwrap_err().to_string();
    for part in parts {
        assert!(message.contains(part), "no \"{part}\" in: {message}");
    }
    assert!(!message.contains('\n'), "one message: {message}");
    assert_eq!(bench.snapshot(), before);
}

#[test]
fn unknown_interface() {
    let bench = Bench::new();
    let mut config = config("", "");
    config.inner = vec!["eth7".to_owned()];
    refused(&bench, &config, &["no interface eth7", "lo, eth0, eth1"]);
}

#[test]
fn no_ethernet() {
    let bench = Bench::new();
    let mut config = config("", "");
    config.inner = vec!["lo".to_owned()];
    refused(&bench, &config, &["lo is no Ethernet interface"]);
}

#[test]
fn port_of_a_bridge_or_bond() {
    let bench = Bench::new();
    bench.ip("link add br7 type bridge");
    bench.ip("link set eth1 master br7");
    refused(
        &bench,
        &config("", ""),
        &["eth1 is a port of br7", "give br7"],
    );
}

#[test]
fn vip_on_another_interface() {
    let bench = Bench::new();
    bench.ip(&format!("address add {VIP}/32 dev eth1"));
    let parts = ["192.168.28.167 is already on eth1", "ip address del"];
    refused(&bench, &config("", ""), &parts);
}

#[test]
fn vip_with_another_prefix() {
    let bench = Bench::new();
    bench.ip(&format!("address add {VIP}/16 dev {OUTER}"));
    refused(&bench, &config("", ""), &["with the prefix /16"]);
}

#[test]
fn vip_of_a_neighbour() {
    let bench = Bench::new();
    let mut config = config("", "");
    config.vips = vec!["192.168.28.1/24".parse().unwrap()];
    let parts = ["VIP 192.168.28.1 is in use by the neighbour", "on eth0"];
    refused(&bench, &config, &parts);
}

#[test]
fn foreign_table() {
    let bench = Bench::new();
    bench.nft(&format!("table ip vsnat_{} {{ }}", bench.host()));
    refused(
        &bench,
        &config("", ""),
        &["nft delete table ip vsnat_vsnat-dt-"],
    );
}

#[test]
fn a_fitting_host_is_left_alone_too() {
    let bench = Bench::new();
    let before = bench.snapshot();
    let name: DirectorName = bench.host().parse().unwrap();
    let host = bench.on_host(|| preflight::check(&config("", ""), &name, None).unwrap());
    assert_eq!(host.absent.len(), 1);
    assert_eq!(host.outer.name, OUTER);
    assert_eq!(bench.snapshot(), before);
}

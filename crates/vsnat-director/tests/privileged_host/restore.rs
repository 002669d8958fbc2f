//! After any part of the changes, the record alone gives back what was found.

use vsnat_config::{Config, DirectorName};

use crate::bench::{Bench, OUTER, VIP, config};
use vsnat_director::Paths;
use vsnat_director::netns::{self, Namespace};
use vsnat_director::record::Record;
use vsnat_director::start::{Setup, host_changes, record};
use vsnat_director::{preflight, restore};

/// A setup whose files nobody else uses.
fn setup(bench: &Bench, config: &Config) -> Setup {
    let name: DirectorName = bench.host().parse().unwrap();
    Setup {
        config: config.clone(),
        paths: Paths::of(&name),
        name,
        namespace: bench.on_host(|| netns::enter(None).unwrap()),
        object: None,
    }
}

/// Makes the first `count` changes (all there are, when there are fewer) as a
/// start would, and gives the record and how many there are.
fn make(setup: &Setup, found: Option<Record>, count: usize) -> (Record, usize) {
    let config = &setup.config;
    let host = preflight::check(config, &setup.name, found.as_ref()).unwrap();
    let record = record(setup, found, &host);
    record.save(&setup.paths.record).unwrap();
    let keys = config.services.iter().map(|service| service.spec.key);
    let rules =
        preflight::masquerade_rules(config, &setup.name, &host.addresses, keys, &config.marks);
    let changes = host_changes(config, &host, rules.as_ref(), &record);
    for change in changes.iter().take(count) {
        change.make().unwrap();
    }
    let count = changes.len();
    drop(changes);
    (record, count)
}

fn take_back(setup: &Setup) {
    let record = Record::load(&setup.paths.record).unwrap().unwrap();
    restore::restore(&setup.name, &setup.paths, &record).unwrap();
    assert_eq!(Record::load(&setup.paths.record).unwrap(), None);
}

/// Whatever the host looks like, every prefix of the changes is taken back.
fn every_prefix(bench: &Bench, config: &Config) {
    let setup = setup(bench, config);
    let before = bench.snapshot();
    let all = bench.on_host(|| make(&setup, None, 0).1);
    bench.on_host(|| take_back(&setup));
    for count in 0..=all {
        bench.on_host(|| make(&setup, None, count));
        if count == all {
            assert_ne!(bench.snapshot(), before);
        }
        bench.on_host(|| take_back(&setup));
        assert_eq!(bench.snapshot(), before, "after {count} of {all} changes");
    }
}

#[test]
fn a_bare_host_is_restored_after_every_step() {
    let bench = Bench::new();
    let config = config("", "");
    every_prefix(&bench, &config);
}

#[test]
fn a_host_in_use_is_restored_after_every_step() {
    let bench = Bench::new();
    bench.ip(&format!("address add 192.168.28.5/24 dev {OUTER}"));
    bench.set("conf/eth1/forwarding", "1");
    bench.nft("table ip filter { chain forward { type filter hook forward priority 0; policy accept;\n}\n}");
    let two = "\n[[service]]\nprotocol = \"tcp\"\naddress = \"192.168.28.167:8080\"\n";
    every_prefix(&bench, &config("", two));
}

#[test]
fn what_was_there_before_stays() {
    let bench = Bench::new();
    bench.ip(&format!("address add {VIP}/24 dev {OUTER}"));
    bench.set("ip_forward", "1");
    bench.set("neigh/eth1/base_reachable_time_ms", "1000");
    bench.set("neigh/eth1/delay_first_probe_time", "1");
    bench.set("neigh/eth1/ucast_solicit", "1");
    let setup = setup(&bench, &config("masquerade = false", ""));
    let before = bench.snapshot();
    bench.on_host(|| make(&setup, None, usize::MAX));
    assert_eq!(bench.snapshot(), before, "nothing was left to do");
    bench.on_host(|| take_back(&setup));
    assert_eq!(bench.snapshot(), before);
}

#[test]
fn a_second_start_keeps_what_the_first_one_found() {
    let bench = Bench::new();
    let setup = setup(&bench, &config("", ""));
    let before = bench.snapshot();
    let first = bench.on_host(|| make(&setup, None, 3).0);
    let second = bench.on_host(|| make(&setup, Some(first.clone()), usize::MAX).0);
    assert_eq!(first.forwarding, second.forwarding);
    assert_eq!(first.neighbours, second.neighbours);
    bench.on_host(|| take_back(&setup));
    assert_eq!(bench.snapshot(), before);
}

#[test]
fn restoring_again_does_nothing() {
    let bench = Bench::new();
    let setup = setup(&bench, &config("", ""));
    let before = bench.snapshot();
    let (record, _) = bench.on_host(|| make(&setup, None, usize::MAX));
    for _ in 0..2 {
        bench.on_host(|| restore::restore(&setup.name, &setup.paths, &record).unwrap());
        assert_eq!(bench.snapshot(), before);
    }
}

#[test]
fn addresses_of_others_that_came_later_survive() {
    let bench = Bench::new();
    let setup = setup(&bench, &config("", ""));
    bench.on_host(|| make(&setup, None, usize::MAX));
    // Secondary to the VIP: the kernel would delete it with its primary.
    bench.ip(&format!("address add 192.168.28.9/24 dev {OUTER}"));
    bench.on_host(|| take_back(&setup));
    let after = bench.snapshot();
    assert!(after.contains("192.168.28.9/24"), "{after}");
    assert!(!after.contains(VIP), "{after}");
}

#[test]
fn a_vip_that_left_the_file_leaves_the_interface() {
    let bench = Bench::new();
    let setup_one = setup(&bench, &config("", ""));
    let before = bench.snapshot();
    let (record, _) = bench.on_host(|| make(&setup_one, None, usize::MAX));
    let mut other = setup_one.clone();
    other.config.vips = vec!["192.168.28.168/24".parse().unwrap()];
    bench.on_host(|| make(&other, Some(record), usize::MAX));
    let after = bench.snapshot();
    assert!(!after.contains("192.168.28.167/24"), "{after}");
    assert!(after.contains("192.168.28.168/24"), "{after}");
    bench.on_host(|| take_back(&other));
    assert_eq!(bench.snapshot(), before);
}

#[test]
fn a_namespace_is_known_again_and_missed_when_gone() {
    let bench = Bench::new();
    let Namespace { cookie, .. } = bench.on_host(|| netns::enter(None).unwrap());
    let found = netns::find(cookie).unwrap();
    assert!(found.ends_with(bench.host()), "{}", found.display());
    drop(bench);
    assert_eq!(netns::find(cookie), None);
}

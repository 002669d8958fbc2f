//! A file with every key: what it says is what is understood.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use vsnat_api::{Helper, Persistence, SettingName};
use vsnat_config::{Config, parse};

fn config() -> Config {
    parse("web.toml", include_str!("web.toml")).unwrap_or_else(|mistakes| panic!("{mistakes}"))
}

#[test]
fn the_whole_format() {
    let config = config();
    assert_eq!(config.name.as_str(), "web");
    assert_eq!(config.inner, ["eth1"]);
    assert_eq!(config.vips, ["192.168.28.167/24".parse().unwrap()]);
    assert_eq!(config.limits.connections, 1_000);
    assert_eq!(config.timeouts.len(), 2);
    let desired = config.desired();
    assert_eq!(desired.timeouts.tcp_s, 600);
    assert_eq!(desired.timeouts.tcp_fin_s, 120, "default");
    assert_eq!(desired.setting(SettingName::DropEntry), 1);
    assert_eq!(desired.settings.len(), 1, "one is as by default");
    let rules: Vec<String> = config.marks.iter().map(ToString::to_string).collect();
    let expected = [
        "mark 5 protocol tcp source 198.51.100.0/24 destination 192.168.28.167/32 ports \
         80,443,8000-8099 interface eth0",
        "mark 5",
    ];
    assert_eq!(rules, expected);
}

#[test]
fn every_kind_of_service() {
    let config = config();
    let [web, dns, any, marked, signals, files] = &config.services[..] else {
        panic!("{:#?}", config.services);
    };
    assert_eq!(web.spec.scheduler.name(), "rr");
    assert_eq!(
        web.servers[1].address,
        "10.0.100.12:80".parse().unwrap(),
        "the service's port"
    );
    assert_eq!(web.servers[1].weight.get(), 3);
    assert_eq!(web.servers[1].upper_threshold, 100);
    assert_eq!(web.servers[1].lower_threshold, 80);
    assert_eq!(dns.spec.scheduler.name(), "wlc", "default");
    assert!(dns.spec.one_packet);
    let persistent = |timeout_s, netmask: [u8; 4]| {
        let netmask = netmask.into();
        Some(Persistence { timeout_s, netmask })
    };
    assert_eq!(any.spec.key.to_string(), "TCP 192.168.28.167:0");
    assert_eq!(any.spec.persistence, persistent(300, [255; 4]));
    assert_eq!(any.servers[0].address.port(), 0);
    assert_eq!(marked.spec.key.to_string(), "FWM 5");
    assert_eq!(marked.spec.persistence, persistent(600, [255, 255, 255, 0]));
    assert_eq!(signals.spec.key.to_string(), "SCTP 192.168.28.167:2905");
    assert_eq!(signals.spec.scheduler.name(), "lblcr");
    assert_eq!(files.spec.helper, Some(Helper::Ftp));
    assert_eq!(web.spec.helper, None, "default");
}

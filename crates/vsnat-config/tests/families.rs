//! Addresses of both families in one file.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use vsnat_api::Persistence;
use vsnat_config::parse;

const FILE: &str = r#"
[director]
outer = "eth0"
inner = ["eth1"]
vips = ["192.0.2.1/24", "2001:db8::1/64", "2001:db8::2"]
deny = ["203.0.113.0/24", "2001:db8:bad::/48"]
masquerade = ["10.0.100.0/24"]

[[service]]
protocol = "tcp"
address = "[2001:db8::1]:80"
persistence = { timeout = "5m", netmask = "64" }
  [[service.server]]
  address = "10.0.100.11"
  [[service.server]]
  address = "fd00:2::11"
  [[service.server]]
  address = "[fd00:2::12]"
  [[service.server]]
  address = "[fd00:2::13]:8080"

[[service]]
protocol = "udp"
address = "192.0.2.1:53"
  [[service.server]]
  address = "[fd00:2::11]:53"
"#;

#[test]
fn services_and_servers_are_of_either_family() {
    let config = parse("a.toml", FILE).unwrap();
    let vips: Vec<String> = config.vips.iter().map(ToString::to_string).collect();
    assert_eq!(vips, ["192.0.2.1/24", "2001:db8::1/64", "2001:db8::2/128"]);
    assert_eq!(config.deny.len(), 2);
    let service = &config.services[0];
    assert_eq!(service.spec.key.to_string(), "TCP [2001:db8::1]:80");
    let persistence = service.spec.persistence.unwrap();
    assert_eq!(persistence.prefix6(), Some(64));
    let servers = service.servers.iter();
    let servers: Vec<String> = servers.map(|s| s.address.to_string()).collect();
    assert_eq!(
        servers,
        [
            "10.0.100.11:80",
            "[fd00:2::11]:80",
            "[fd00:2::12]:80",
            "[fd00:2::13]:8080"
        ]
    );
    assert!(config.has_ipv6());
}

#[test]
fn a_prefix_of_all_bits_is_every_client() {
    let text = FILE.replace("\"64\"", "\"/128\"");
    let config = parse("a.toml", &text).unwrap();
    let persistence = config.services[0].spec.persistence.unwrap();
    assert_eq!(persistence.netmask, Persistence::EVERY_CLIENT);
}

#[test]
fn mistakes_say_what_is_meant() {
    let cases = [
        ("10.0.100.0/24", "fd00::/8", "of IPv4 only"),
        (
            "[2001:db8::1]:80",
            "2001:db8::1",
            "write it as [2001:db8::1]:80",
        ),
        ("[2001:db8::1]:80", "[2001:db8::1]", "has no port"),
        ("[2001:db8::1]:80", "[2001:db8::1:80", "no closing bracket"),
        (
            "[2001:db8::1]:80",
            "[2001:db8::9]:80",
            "no VIP of this director",
        ),
        ("[fd00:2::12]", "ff02::1", "multicast"),
        ("[fd00:2::12]", "2001:db8::1", "is a VIP"),
        ("[fd00:2::12]", "fd00:2::11", "is there already"),
        ("\"64\"", "\"255.255.255.0\"", "the length of a prefix"),
        ("\"64\"", "\"129\"", "no netmask"),
        (
            "203.0.113.0/24",
            "2001:db8:bad::1/48",
            "bits behind its prefix",
        ),
        ("203.0.113.0/24", "2001:db8:bad:1::/64", "overlap"),
        ("192.0.2.1:53", "192.0.2.1:53\"\nhelper = \"ftp", "helper"),
    ];
    for (from, to, part) in cases {
        let text = FILE.replacen(from, to, 1);
        let mistakes = parse("a.toml", &text).expect_err(to).to_string();
        assert!(mistakes.contains(part), "{to}: {mistakes}");
    }
}

//! `[dhcp]`: what it says is what is understood, and each mistake has its line.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use vsnat_config::{Config, Mistakes, OtherServers, parse};
use vsnat_dhcp::Owner;

const DIRECTOR: &str = "[director]\nouter = \"eth0\"\ninner = [\"eth1\"]\nvips = [\"192.0.2.1\"]\n";
const NETWORK: &str = "[[dhcp.network]]\nnetwork = \"10.0.100.0/24\"\n";

fn read(lines: &str) -> Result<Config, Mistakes> {
    parse("web.toml", &format!("{DIRECTOR}{lines}\n"))
}

/// The only mistake; lines count from behind `[director]`.
#[track_caller]
fn mistake(lines: &str, line: usize, parts: &[&str]) {
    let Mistakes { mistakes, .. } = read(lines).expect_err("no mistake was found");
    assert_eq!(mistakes.len(), 1, "{mistakes:#?}");
    assert_eq!(
        mistakes[0].line,
        DIRECTOR.lines().count() + line,
        "{mistakes:#?}"
    );
    for part in parts {
        assert!(
            mistakes[0].message.contains(part),
            "{}",
            mistakes[0].message
        );
    }
}

#[track_caller]
fn in_network(line: &str, parts: &[&str]) {
    mistake(&format!("{NETWORK}{line}"), 3, parts);
}

#[track_caller]
fn in_reservation(lines: &str, line: usize, parts: &[&str]) {
    mistake(
        &format!("{NETWORK}[[dhcp.reservation]]\n{lines}"),
        3 + line,
        parts,
    );
}

#[test]
fn the_whole_section() {
    let config = read(
        "[dhcp]\nlease_time = \"2h\"\ndns = [\"10.0.100.2\"]\ndomain = \"example.org\"\n\
         mtu = 1400\nntp = [\"10.0.100.3\"]\nforce = true\n\
         [[dhcp.network]]\nnetwork = \"10.0.100.0/24\"\n\
         pools = [\"10.0.100.100-10.0.100.199\", \"10.0.100.20\"]\n\
         routes = [{ to = \"10.9.0.0/16\", via = \"10.0.100.254\" }]\n\
         [[dhcp.network]]\nnetwork = \"10.7.0.0/16\"\nrouter = \"10.7.0.1\"\n\
         lease_time = \"10m\"\ndns = []\ndomain = \"far.example.org\"\nmtu = 9000\n\
         [[dhcp.reservation]]\nmac = \"52:54:00:12:34:56\"\naddress = \"10.0.100.11\"\n\
         host_name = \"web1\"\n\
         [[dhcp.reservation]]\nclient_id = \"ff:00:01\"\naddress = \"10.0.100.100\"\n",
    );
    let dhcp = config
        .unwrap_or_else(|mistakes| panic!("{mistakes}"))
        .dhcp
        .unwrap();
    assert_eq!(dhcp.others, OtherServers::Tolerate);
    let [near, far] = &dhcp.networks[..] else {
        panic!("{dhcp:#?}");
    };
    assert_eq!(near.lease_time_s, 7_200);
    assert_eq!(near.pools.iter().map(|pool| pool.size()).sum::<u64>(), 101);
    assert_eq!(near.routes.len(), 1);
    assert_eq!((near.mtu, near.router), (Some(1_400), None));
    assert_eq!(near.ntp, far.ntp);
    assert_eq!((far.lease_time_s, far.mtu), (600, Some(9_000)));
    assert!(far.dns.is_empty());
    assert_eq!(far.domain.as_deref(), Some("far.example.org"));
    let [mac, id] = &dhcp.reservations[..] else {
        panic!("{dhcp:#?}");
    };
    assert_eq!(
        mac.owner,
        Owner::Hardware("52:54:00:12:34:56".parse().unwrap())
    );
    assert_eq!(mac.host_name.as_ref().unwrap().as_str(), "web1");
    assert_eq!(id.owner, Owner::Id("ff:00:01".parse().unwrap()));
    let without = read("").unwrap();
    assert_eq!(without.dhcp, None);
    let with = read(NETWORK).unwrap();
    assert_eq!(with.settings_unlike(&without), ["[dhcp]"]);
    let usual = with.dhcp.unwrap();
    assert_eq!(usual.networks[0].lease_time_s, 3_600);
    assert_eq!(usual.others, OtherServers::Refuse);
}

#[test]
fn networks() {
    mistake("[dhcp]", 1, &["no [[dhcp.network]]"]);
    mistake("[[dhcp.network]]", 1, &["no network", "10.0.100.0/24"]);
    mistake(
        "[dhcp.network]\nnetwork = \"10.0.0.0/8\"",
        1,
        &["two brackets"],
    );
    let one = |net: &str| format!("[[dhcp.network]]\nnetwork = \"{net}\"\n");
    mistake(&one("10.0.100.1/24"), 2, &["10.0.100.0/24"]);
    mistake(&one("10.0.100.0/31"), 2, &["/8 to /30"]);
    mistake(
        &(one("10.0.0.0/16") + &one("10.0.1.0/24")),
        3,
        &["overlap", "line 5"],
    );
    mistake(
        &(one("10.0.0.0/8") + "pools = [\"10.0.0.0-10.255.255.255\"]"),
        1,
        &["65536 addresses"],
    );
}

#[test]
fn keys_of_a_network() {
    in_network("pool = []", &["did you mean pools?"]);
    in_network(
        "pools = [\"10.0.100.9-10.0.100.1\"]",
        &["the smaller address first"],
    );
    in_network(
        "pools = [\"10.0.100.9-10.0.101.1\"]",
        &["not within 10.0.100.0/24"],
    );
    in_network(
        "pools = [\"10.0.100.9\", \"10.0.100.1-10.0.100.20\"]",
        &["overlap"],
    );
    in_network("lease_time = \"5s\"", &["at least 10s"]);
    in_network("lease_time = 60", &["text in quotes"]);
    in_network("dns = \"10.0.0.1\"", &["must be a list"]);
    in_network("dns = [\"10.0.0.1:53\"]", &["no port"]);
    in_network("ntp = [\"pool.ntp.org\"]", &["is a name"]);
    in_network(&format!("ntp = {:?}", ["10.0.0.1"; 9]), &["at most 8"]);
    in_network("domain = \"a b\"", &["no domain"]);
    in_network("mtu = 100", &["from 576 to"]);
    in_network("router = \"10.0.0.1\"", &["not in 10.0.100.0/24"]);
    in_network("routes = [\"10.9.0.0/16\"]", &["a route is a table"]);
    in_network("routes = [{ to = \"10.9.0.0/16\" }]", &["no via"]);
    in_network(
        "routes = [{ to = \"10.9.0.1/16\", via = \"10.0.100.1\" }]",
        &["10.9.0.0/16"],
    );
    in_network(
        "routes = [{ to = \"10.9.0.0/16\", via = \"10.1.0.1\" }]",
        &["not in"],
    );
    mistake(
        &format!("[dhcp]\nforce = \"yes\"\n{NETWORK}"),
        2,
        &["true or false"],
    );
    mistake(
        &format!("[dhcp]\nforse = true\n{NETWORK}"),
        2,
        &["did you mean force?"],
    );
}

#[test]
fn reservations() {
    in_reservation("address = \"10.0.100.11\"", 0, &["no mac", "client_id"]);
    let mac = "mac = \"52:54:00:00:00:01\"\n";
    in_reservation(mac, 0, &["no address"]);
    in_reservation(
        "mac = \"52:54\"\naddress = \"10.0.100.11\"",
        1,
        &["six bytes"],
    );
    in_reservation(
        "client_id = \"x\"\naddress = \"10.0.100.11\"",
        1,
        &["bytes"],
    );
    let both = format!("{mac}client_id = \"01\"\naddress = \"10.0.100.11\"");
    in_reservation(&both, 2, &["either mac or client_id"]);
    in_reservation(
        &format!("{mac}address = \"10.0.9.1\""),
        2,
        &["no [[dhcp.network]]"],
    );
    in_reservation(
        &format!("{mac}address = \"10.0.100.255\""),
        2,
        &["broadcast"],
    );
    let name = format!("{mac}address = \"10.0.100.11\"\nhost_name = \"a b\"");
    in_reservation(&name, 3, &["no host name"]);
    let twice = format!(
        "{mac}address = \"10.0.100.11\"\n[[dhcp.reservation]]\n{mac}address = \"10.0.100.12\""
    );
    in_reservation(&twice, 3, &["line 7", "remove one"]);
}

const WEB: &str = "[[service]]\nname = \"web\"\nprotocol = \"tcp\"\naddress = \"192.0.2.1:80\"\n";

#[test]
fn machines_become_servers() {
    let config = read(&format!(
        "{WEB}{NETWORK}[[dhcp.reservation]]\nmac = \"52:54:00:00:00:01\"\n\
         address = \"10.0.100.11\"\nenrol = \"web\"\nport = 8080\nweight = 3\n\
         [[dhcp.enrol]]\nservice = \"web\"\nhost_name = \"web-*\"\n\
         [[dhcp.enrol]]\nservice = \"web\"\nvendor_class = \"blade*\"\nport = 81\n"
    ));
    let config = config.unwrap_or_else(|mistakes| panic!("{mistakes}"));
    let rules = config.dhcp.unwrap().enrolments;
    let told: Vec<_> = rules.iter().map(|r| (r.port, r.weight.get())).collect();
    assert_eq!(told, [(8_080, 3), (80, 1), (81, 1)]);
    assert!(
        rules
            .iter()
            .all(|rule| rule.service == config.services[0].spec.key)
    );
}

#[test]
fn a_weight_that_grows() {
    let rule = |lines: &str| {
        format!(
            "{WEB}{NETWORK}[[dhcp.enrol]]\nservice = \"web\"\nhost_name = \"*\"\n\
             slow_start = \"30s\"\n{lines}"
        )
    };
    let config = read(&rule("weight = 100")).unwrap();
    assert_eq!(config.dhcp.unwrap().enrolments[0].slow_start_s, 30);
    for weight in ["", "weight = 1"] {
        mistake(&rule(weight), 10, &["slow_start needs a weight to grow to"]);
    }
    let soon = rule("weight = 100").replace("30s", "soon");
    mistake(&soon, 10, &["no duration"]);
    in_reservation(
        "mac = \"52:54:00:00:00:01\"\naddress = \"10.0.100.11\"\nslow_start = \"9s\"",
        3,
        &["without enrol"],
    );
}

#[test]
fn machines_that_cannot_become_servers() {
    let rule = |lines: &str| format!("{WEB}{NETWORK}[[dhcp.enrol]]\n{lines}");
    mistake(
        &rule("service = \"wbe\"\nhost_name = \"*\""),
        8,
        &["did you mean web?"],
    );
    mistake(
        &rule("service = \"db\"\nhost_name = \"*\""),
        8,
        &["give a [[service]]"],
    );
    mistake(
        &rule("service = \"web\""),
        7,
        &["no host_name", "vendor_class"],
    );
    mistake(&rule("host_name = \"*\""), 7, &["no service"]);
    let udp = rule("service = \"web\"\nhost_name = \"*\"").replace("tcp", "udp");
    mistake(&udp, 8, &["not of TCP on one port"]);
    mistake(
        &format!("{WEB}{}", WEB.replace(":80", ":81")),
        6,
        &["this name already"],
    );
    in_reservation(
        "mac = \"52:54:00:00:00:01\"\naddress = \"10.0.100.11\"\nweight = 2",
        3,
        &["without enrol"],
    );
}

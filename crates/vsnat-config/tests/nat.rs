//! `[[masquerade]]` and `[[forward]]`: what they say is what is understood, and
//! each mistake has its line.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use vsnat_api::{NatSource, Protocol};
use vsnat_config::{Config, Mistakes, VipsInUse, parse};

const DIRECTOR: &str = "[director]\nouter = \"eth0\"\ninner = [\"eth1\"]\nvips = [\"192.0.2.1\"]\n";
const FORWARD: &str =
    "[[forward]]\nprotocol = \"tcp\"\naddress = \"192.0.2.1:2201\"\nto = \"10.0.100.11:22\"\n";

fn read(lines: &str) -> Result<Config, Mistakes> {
    parse("web.toml", &format!("{DIRECTOR}{lines}\n"))
}

/// The only mistake; lines count from behind `[director]`.
#[track_caller]
fn mistake(lines: &str, line: usize, part: &str) {
    let Mistakes { mistakes, .. } = read(lines).expect_err("no mistake was found");
    assert_eq!(mistakes.len(), 1, "{mistakes:#?}");
    let expected = DIRECTOR.lines().count() + line;
    assert_eq!(mistakes[0].line, expected, "{mistakes:#?}");
    assert!(mistakes[0].message.contains(part), "{mistakes:#?}");
}

#[test]
fn what_is_chosen() {
    let network = |net: &str, source: &str| {
        format!("[[masquerade]]\nnetwork = \"{net}\"\nsource = \"{source}\"\n")
    };
    let config = read(&format!(
        "{}{}{}{FORWARD}",
        network("10.0.100.0/24", "auto"),
        network("10.0.101.0/24", "keep"),
        network("10.0.102.0/24", "192.0.2.7"),
    ))
    .unwrap();
    let sources: Vec<NatSource> = config
        .network_masquerades
        .iter()
        .map(|n| n.source)
        .collect();
    let address = NatSource::Address("192.0.2.7".parse().unwrap());
    assert_eq!(sources, [NatSource::Auto, NatSource::Keep, address]);
    assert_eq!(config.forwards[0].protocol, Protocol::Tcp);
    assert_eq!(
        config.forwards[0].address,
        "192.0.2.1:2201".parse().unwrap()
    );
    assert_eq!(config.forwards[0].to, "10.0.100.11:22".parse().unwrap());
    let other = read("").unwrap();
    assert_eq!(
        config.settings_unlike(&other),
        ["[[masquerade]]", "[[forward]]"]
    );
}

#[test]
fn networks_that_cannot_be() {
    let auto = "[[masquerade]]\nsource = \"auto\"\n";
    mistake(auto, 1, "[[masquerade]] has no network");
    mistake(
        &format!("{auto}network = \"0.0.0.0/0\""),
        3,
        "every address",
    );
    let net = "[[masquerade]]\nnetwork = \"10.0.0.0/8\"\n";
    mistake(net, 1, "[[masquerade]] has no source");
    mistake(
        &format!("{net}source = \"off\""),
        3,
        "neither \"auto\", \"keep\"",
    );
    mistake(&format!("{net}source = \"192.0.2.7:80\""), 3, "neither");
    let twice = format!("{net}source = \"auto\"\n{auto}network = \"10.1.0.0/16\"\n");
    mistake(&twice, 4, "overlaps with the network on line 5");
}

#[test]
fn ports_that_cannot_be_forwarded() {
    mistake(
        "[[forward]]\nprotocol = \"tcp\"\naddress = \"192.0.2.1:22\"",
        1,
        "has no to",
    );
    mistake(&FORWARD.replace(":22\"", "\""), 4, "no port");
    mistake(&FORWARD.replace(":2201", ":0"), 3, "has no port");
    mistake(
        &FORWARD.replace("10.0.100.11", "192.0.2.1"),
        1,
        "forwarded to itself",
    );
    mistake(&format!("{FORWARD}{FORWARD}"), 5, "is forwarded on line 5");
    let other = FORWARD.replace("tcp", "udp");
    assert!(read(&format!("{FORWARD}{other}")).is_ok());
}

#[test]
fn a_port_that_a_service_takes() {
    let service = |lines: &str| format!("{FORWARD}[[service]]\n{lines}\n");
    let tcp = "protocol = \"tcp\"\naddress = \"192.0.2.1:2201\"";
    mistake(
        &service(tcp),
        1,
        "service TCP 192.0.2.1:2201 takes its packets",
    );
    assert!(read(&service(&tcp.replace("tcp", "udp"))).is_ok());
    assert!(read(&service(&tcp.replace("2201", "2202"))).is_ok());
    let whole = tcp.replace(":2201\"", ":0\"\npersistence = \"5m\"");
    mistake(&service(&whole), 1, "service TCP 192.0.2.1:0 takes");
    let marked = "mark = 3\n[[mark]]\nmark = 3\nports = [\"2000-2999\"]";
    mistake(&service(marked), 1, "service FWM 3 takes");
    assert!(read(&service(&marked.replace("2999", "2100"))).is_ok());
    let unused = "[[mark]]\nmark = 3\n";
    assert!(
        read(&format!("{FORWARD}{unused}")).is_ok(),
        "no service has the mark"
    );
}

#[test]
fn vips_that_are_taken_all_the_same() {
    let forced = |value: &str| {
        let director = DIRECTOR.replace("vips", &format!("force_vips = {value}\nvips"));
        parse("web.toml", &director)
    };
    assert_eq!(forced("true").unwrap().vips_in_use, VipsInUse::Take);
    assert_eq!(forced("false").unwrap().vips_in_use, VipsInUse::Refuse);
    assert_eq!(read("").unwrap().vips_in_use, VipsInUse::Refuse);
    let said = forced("1").unwrap_err().to_string();
    assert!(
        said.contains("force_vips must be true or false, not a number"),
        "{said}"
    );
}

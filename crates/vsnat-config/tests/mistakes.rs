//! Every mistake a file can hold: one case each, with the line it is on.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use vsnat_config::{Config, Mistakes, parse};

const DIRECTOR: &str = r#"[director]
outer = "eth0"
inner = ["eth1"]
vips = ["192.168.28.167/24"]
"#;

const SERVICE: &str = r#"[[service]]
protocol = "tcp"
address = "192.168.28.167:80"
"#;

#[test]
fn more_servers_than_a_service_can_have() {
    let server = |n: u32| {
        let (high, low) = (n / 250, n % 250 + 1);
        format!("[[service.server]]\naddress = \"10.0.{high}.{low}\"\n")
    };
    let servers: String = (0..4_097).map(server).collect();
    let text = format!("{DIRECTOR}{SERVICE}{servers}");
    let last = text.lines().count();
    one_mistake(&text, last, &["at most 4096 servers"]);
}

fn mistakes(text: &str) -> Vec<(usize, String)> {
    let Mistakes { mistakes, .. } = parse("web.toml", text).expect_err("no mistake was found");
    mistakes.into_iter().map(|m| (m.line, m.message)).collect()
}

#[track_caller]
fn one_mistake(text: &str, line: usize, parts: &[&str]) {
    let found = mistakes(text);
    assert_eq!(found.len(), 1, "{found:#?}\n{text}");
    assert_eq!(found[0].0, line, "{found:#?}\n{text}");
    for part in parts {
        assert!(
            found[0].1.contains(part),
            "no \"{part}\" in: {}",
            found[0].1
        );
    }
}

/// `[director]` with one line more or replaced, then the mistake of that line.
#[track_caller]
fn in_director(line: &str, at: usize, parts: &[&str]) {
    let key = line.split_whitespace().next().unwrap();
    let mut kept: Vec<&str> = DIRECTOR.lines().collect();
    match kept
        .iter()
        .position(|l| l.split_whitespace().next() == Some(key))
    {
        Some(index) => kept[index] = line,
        None => kept.push(line),
    }
    one_mistake(&kept.join("\n"), at, parts);
}

/// A service with more lines; the mistake is counted from `[[service]]` = 1.
#[track_caller]
fn in_service(lines: &str, at: usize, parts: &[&str]) {
    let text = format!("{DIRECTOR}{SERVICE}{lines}\n");
    one_mistake(&text, DIRECTOR.lines().count() + at, parts);
}

#[track_caller]
fn in_server(address: &str, parts: &[&str]) {
    let lines = format!("[[service.server]]\naddress = \"{address}\"");
    in_service(&lines, 5, parts);
}

#[track_caller]
fn valid(text: &str) -> Config {
    parse("web.toml", text).unwrap_or_else(|mistakes| panic!("{mistakes}"))
}

#[test]
fn director_missing() {
    one_mistake("", 1, &["no [director]"]);
}

#[test]
fn director_no_table() {
    let found = mistakes("director = 1");
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].1.contains("begin a table with [director]"));
}

#[test]
fn required_keys_missing() {
    let found = mistakes("\n[director]\n");
    let lines: Vec<usize> = found.iter().map(|(line, _)| *line).collect();
    assert_eq!(lines, [2, 2, 2], "{found:?}");
    for key in ["outer", "inner", "vips"] {
        assert!(
            found
                .iter()
                .any(|(_, m)| m.contains(&format!("has no {key}"))),
            "{found:?}"
        );
    }
}

#[test]
fn director_name() {
    in_director("name = \"Web Farm\"", 5, &["\"Web Farm\"", "small letters"]);
    let long = format!("name = \"{}\"", "x".repeat(33));
    in_director(&long, 5, &["1 to 32"]);
}

#[test]
fn interfaces() {
    in_director("outer = 7", 2, &["outer must be a text", "a number"]);
    in_director("outer = \"eth0/1\"", 2, &["cannot be an interface's name"]);
    in_director("outer = \"a-very-long-name\"", 2, &["ip link"]);
    in_director("inner = \"eth1\"", 3, &["inner must be a list"]);
    in_director("inner = []", 3, &["inner is empty"]);
    in_director("inner = [\"eth0\"]", 3, &["outer interface too"]);
    in_director("inner = [\"eth1\", \"eth1\"]", 3, &["named twice"]);
    in_director("inner = [\"eth1\", 3]", 3, &["must be a text"]);
}

#[test]
fn vips() {
    in_director("vips = []", 4, &["vips is empty"]);
    in_director(
        "vips = [\"192.168.28.0/24\"]",
        4,
        &["address of the network"],
    );
    in_director("vips = [\"192.168.28.255/24\"]", 4, &["broadcast"]);
    in_director("vips = [\"192.168.28.1/33\"]", 4, &["/33", "/32"]);
    in_director("vips = [\"224.0.0.1\"]", 4, &["multicast"]);
    in_director("vips = [\"127.0.0.1\"]", 4, &["loopback"]);
    in_director("vips = [\"0.0.0.0\"]", 4, &["no host's address"]);
    in_director("vips = [\"2001:db8::x\"]", 4, &["no IPv6 address"]);
    in_director("vips = [\"2001:db8::1/129\"]", 4, &["/129", "/128"]);
    in_director("vips = [\"fe80::1/64\"]", 4, &["link-local"]);
    in_director("vips = [\"ff02::1\"]", 4, &["multicast"]);
    in_director("vips = [\"::1\"]", 4, &["loopback"]);
    in_director("vips = [\"::ffff:192.0.2.1\"]", 4, &["IPv6's words"]);
    in_director("vips = [\"www.example.org\"]", 4, &["is a name"]);
    in_director("vips = [\"192.168.28\"]", 4, &["no IPv4 address"]);
    in_director(
        "vips = [\"192.168.28.1\", \"192.168.28.1/24\"]",
        4,
        &["given twice"],
    );
}

#[test]
fn masquerade_and_deny() {
    in_director(
        "masquerade = \"yes\"",
        5,
        &["true, false or a list", "a text"],
    );
    in_director(
        "masquerade = [\"10.0.100.1/24\"]",
        5,
        &["10.0.100.0/24", "behind"],
    );
    in_director("deny = \"203.0.113.0/24\"", 5, &["deny must be a list"]);
    in_director("deny = [\"203.0.113.9/24\"]", 5, &["203.0.113.0/24"]);
    in_director(
        "deny = [\"0.0.0.0/0\"]",
        5,
        &["every address", "name the networks meant"],
    );
    in_director(
        "deny = [\"203.0.113.0/24\", \"203.0.113.7\"]",
        5,
        &["overlap", "line 5"],
    );
}

#[test]
fn unknown_keys() {
    in_director("vip = [\"1.2.3.4\"]", 5, &["vip", "did you mean vips?"]);
    in_director("gateway = \"10.0.0.1\"", 5, &["known are name, outer"]);
    in_service("schedular = \"rr\"", 4, &["did you mean scheduler?"]);
    let top = format!("{DIRECTOR}[timeout]\nudp = \"1s\"\n");
    one_mistake(&top, 5, &["did you mean timeouts?"]);
    in_service(
        "[[service.server]]\naddress = \"10.0.0.1\"\nwieght = 1",
        6,
        &["did you mean weight?"],
    );
}

#[test]
fn limits() {
    let with = |line: &str| format!("{DIRECTOR}[limits]\n{line}\n");
    one_mistake(&with("connections = 10"), 6, &["from 64 to"]);
    one_mistake(&with("connections = -5"), 6, &["from 64 to"]);
    one_mistake(
        &with("connections = 99999999999999999999"),
        6,
        &["too large"],
    );
    one_mistake(&with("services = \"9\""), 6, &["whole number"]);
    one_mistake(&with("servers = 0"), 6, &["from 1 to"]);
    let two = format!(
        "{DIRECTOR}[limits]\nservices = 1\n{SERVICE}{}",
        SERVICE.replace(":80", ":81")
    );
    one_mistake(&two, 10, &["passes 1 services", "[limits]"]);
    let many = format!(
        "{DIRECTOR}[limits]\nservers = 1\n{SERVICE}{}",
        "[[service.server]]\naddress = \"10.0.0.1\"\n[[service.server]]\naddress = \"10.0.0.2\"\n"
    );
    one_mistake(&many, 7, &["passes 1 servers"]);
}

#[test]
fn timeouts() {
    let with = |line: &str| format!("{DIRECTOR}[timeouts]\n{line}\n");
    one_mistake(
        &with("tcp_established = \"long\""),
        6,
        &["no duration", "15m"],
    );
    one_mistake(&with("udp = 300"), 6, &["text in quotes"]);
    one_mistake(&with("udp = \"10ms\""), 6, &["from 1s"]);
    one_mistake(&with("udp = \"1500ms\""), 6, &["whole seconds"]);
    one_mistake(&with("udp = \"365days\""), 6, &["31days"]);
    one_mistake(
        &with("tcp_establised = \"1s\""),
        6,
        &["did you mean tcp_established?"],
    );
}

#[test]
fn services() {
    let with = |service: &str| format!("{DIRECTOR}{service}");
    one_mistake(
        &with("[service]\nprotocol = \"tcp\""),
        5,
        &["[[service]]", "two brackets"],
    );
    one_mistake(
        &with(&SERVICE.replace("tcp", "icmp")),
        6,
        &["unknown protocol", "\"sctp\""],
    );
    one_mistake(
        &with("[[service]]\naddress = \"192.168.28.167:80\""),
        5,
        &["no protocol"],
    );
    one_mistake(&with("[[service]]\nprotocol = \"udp\""), 5, &["no address"]);
    one_mistake(&with(&SERVICE.replace(":80", "")), 7, &["has no port"]);
    one_mistake(
        &with(&SERVICE.replace(":80", ":0")),
        7,
        &["port 0", "persistence = \"5m\""],
    );
    one_mistake(&with(&SERVICE.replace(":80", ":70000")), 7, &["is no port"]);
    one_mistake(&with(&SERVICE.replace(":80", ":http")), 7, &["is no port"]);
    one_mistake(
        &with(&SERVICE.replace(".167", ".168")),
        7,
        &["no VIP", "add \"192.168.28.168\" to vips"],
    );
    in_service(
        "scheduler = \"sh\"\nscheduler_flags = [\"fallbak\"]",
        5,
        &["unknown scheduler flag", "fallback and port"],
    );
    in_service(
        "scheduler = \"rr\"\nscheduler_flags = [\"port\"]",
        5,
        &["rr has no flags", "sh and mh"],
    );
    in_service(
        "scheduler = \"wrrr\"",
        4,
        &["rr, wrr, lc, wlc, sed", "did you mean"],
    );
    one_mistake(
        &format!("{DIRECTOR}{SERVICE}{SERVICE}"),
        10,
        &["already", "line 7"],
    );
}

#[test]
fn persistence() {
    in_service("persistence = 300", 4, &["\"5m\"", "a number"]);
    in_service("persistence = \"long\"", 4, &["no duration"]);
    in_service("persistence = \"0s\"", 4, &["from 1s to 31days"]);
    in_service(
        "persistence = { span = \"5m\" }",
        4,
        &["known are timeout, netmask"],
    );
    in_service(
        "persistence = { netmask = \"255.0.255.0\" }",
        4,
        &["no netmask", "255.255.255.0"],
    );
    in_service("persistence = { netmask = 24 }", 4, &["must be a text"]);
    in_service("persistence = { timeout = \"40days\" }", 4, &["31days"]);
}

#[test]
fn one_packet() {
    in_service("one_packet = 1", 4, &["true or false", "a number"]);
    in_service("one_packet = true", 4, &["\"udp\" or a mark"]);
    valid(&format!("{DIRECTOR}{SERVICE}one_packet = false\n"));
}

#[test]
fn helpers() {
    in_service("helper = \"irc\"", 4, &["no helper \"irc\"", "\"ftp\""]);
    in_service("helper = true", 4, &["must be a text"]);
    in_service("source = \"server\"", 4, &["\"client\" or \"director\""]);
    valid(&format!("{DIRECTOR}{SERVICE}helper = \"ftp\"\n"));
    valid(&format!("{DIRECTOR}{SERVICE}source = \"director\"\n"));
    let marked = format!("{DIRECTOR}[[service]]\nmark = 5\nhelper = \"ftp\"\n");
    one_mistake(
        &marked,
        7,
        &["protocol = \"tcp\" and an address with a port"],
    );
}

#[test]
fn services_by_mark() {
    let with = |lines: &str| format!("{DIRECTOR}[[service]]\n{lines}\n");
    one_mistake(&with("mark = 0"), 6, &["from 1 to 4294967295"]);
    one_mistake(&with("mark = 4294967296"), 6, &["from 1 to 4294967295"]);
    one_mistake(&with("mark = \"5\""), 6, &["whole number"]);
    one_mistake(
        &with("mark = 5\naddress = \"192.168.28.167:80\""),
        7,
        &["by mark has no address", "[[mark]]"],
    );
    one_mistake(&with("mark = 5\nprotocol = \"tcp\""), 7, &["no protocol"]);
    one_mistake(
        &with("mark = 5\n[[service]]\nmark = 5"),
        8,
        &["FWM 5 is there already, on line 6"],
    );
    let config = valid(&with(
        "mark = 5\n[[service.server]]\naddress = \"10.0.0.1\"",
    ));
    assert_eq!(config.services[0].servers[0].address.port(), 0);
}

#[test]
fn thresholds() {
    let with = |lines: &str| format!("[[service.server]]\naddress = \"10.0.0.1\"\n{lines}");
    in_service(&with("upper_threshold = -1"), 6, &["from 0 to 2147483647"]);
    in_service(
        &with("lower_threshold = 5"),
        6,
        &["needs an upper_threshold"],
    );
    in_service(
        &with("lower_threshold = 5\nupper_threshold = 4"),
        6,
        &["not be above upper_threshold", "4"],
    );
}

#[test]
fn settings() {
    let with = |line: &str| format!("{DIRECTOR}[settings]\n{line}\n");
    one_mistake(
        &with("drop_entry = 4"),
        6,
        &["drop_entry must be from 0 to 3"],
    );
    one_mistake(&with("am_droprate = 0"), 6, &["from 1 to"]);
    one_mistake(&with("drop_entry = true"), 6, &["whole number"]);
    one_mistake(&with("schedule_icmp = 1"), 6, &["can only be 0"]);
    one_mistake(&with("drop_entri = 1"), 6, &["did you mean drop_entry?"]);
    one_mistake(&with("gateway = 1"), 6, &["known are expire_nodest_conn"]);
}

#[test]
fn marks() {
    let with = |lines: &str| format!("{DIRECTOR}[[mark]]\n{lines}\n");
    one_mistake(&with("protocol = \"tcp\""), 5, &["[[mark]] has no mark"]);
    one_mistake(&with("mark = 0"), 6, &["from 1 to"]);
    one_mistake(
        &with("mark = 1\nprotocol = \"icmp\""),
        7,
        &["unknown protocol"],
    );
    one_mistake(
        &with("mark = 1\nsource = \"10.0.0.1/8\""),
        7,
        &["10.0.0.0/8"],
    );
    one_mistake(&with("mark = 1\ndestination = \"web\""), 7, &["is a name"]);
    one_mistake(
        &with("mark = 1\nports = 80"),
        7,
        &["a list like [80, \"8000-8099\"]"],
    );
    one_mistake(&with("mark = 1\nports = []"), 7, &["ports is empty"]);
    one_mistake(
        &with("mark = 1\nports = [80, 70000]"),
        7,
        &["70000", "8000-8099"],
    );
    one_mistake(
        &with("mark = 1\nports = [\"99-80\"]"),
        7,
        &["the smaller one first"],
    );
    one_mistake(
        &with("mark = 1\ninterface = \"eth9\""),
        7,
        &["come by eth0"],
    );
    let many: String = (1..=1_025)
        .map(|n| format!("[[mark]]\nmark = 1\nports = [{n}]\n"))
        .collect();
    one_mistake(&format!("{DIRECTOR}{many}"), 3_077, &["passes 1024 rules"]);
    let every = "mark = 1\nsource = \"0.0.0.0/0\"\nports = [\"0-65535\"]";
    one_mistake(
        &with(&format!("{every}\n[[mark]]\nmark = 1")),
        9,
        &["line 5"],
    );
    one_mistake(&with("mark = 1\nsport = 1"), 7, &["did you mean ports?"]);
    one_mistake(
        &with("mark = 1\nports = [80, 443]\n[[mark]]\nmark = 2\nports = [\"443\", 80]"),
        8,
        &["line 5", "mark 1", "the first one counts"],
    );
}

#[test]
fn servers() {
    in_server("224.0.0.5:80", &["multicast"]);
    in_server("255.255.255.255:80", &["broadcast"]);
    in_server("0.0.0.0:80", &["no host's address"]);
    in_server("127.0.0.1:80", &["loopback"]);
    in_server("241.0.0.1:80", &["reserved"]);
    in_server("192.168.28.167:8080", &["is a VIP"]);
    in_server("10.0.100.11:0", &["port 0"]);
    in_server("10.0.100.256", &["no IPv4 address"]);
    in_service("[[service.server]]\nweight = 1", 4, &["has no address"]);
    let weight = |w: &str| format!("[[service.server]]\naddress = \"10.0.0.1\"\nweight = {w}");
    in_service(&weight("-1"), 6, &["weight must be from 0"]);
    in_service(&weight("2147483648"), 6, &["2147483647"]);
    in_service(&weight("1.5"), 6, &["whole number", "a fraction"]);
    in_service(
        "[[service.server]]\naddress = \"10.0.0.1\"\n[[service.server]]\naddress = \"10.0.0.1:80\"",
        7,
        &["already", "line 9"],
    );
    in_service("server = [1]", 4, &["a number where a table"]);
}

#[test]
fn not_toml() {
    one_mistake(&format!("{DIRECTOR}name = \n"), 5, &["not TOML"]);
    one_mistake(
        &format!("{DIRECTOR}outer = \"eth2\"\n"),
        5,
        &["not TOML", "duplicate"],
    );
}

#[test]
fn all_at_once_in_the_order_of_lines() {
    let text = format!(
        "{DIRECTOR}deny = [\"203.0.113.9/24\"]\nnmae = \"x\"\n[limits]\nservers = 0\n{}",
        SERVICE.replace("tcp", "icmp").replace(":80", "")
    );
    let lines: Vec<usize> = mistakes(&text).iter().map(|(line, _)| *line).collect();
    assert_eq!(lines, [5, 6, 8, 10, 11]);
}

#[test]
fn mistakes_beside_an_unreadable_line_are_told_too() {
    let text = format!("{DIRECTOR}name = \n[limits]\nservers = 0\n");
    let lines: Vec<usize> = mistakes(&text).iter().map(|(line, _)| *line).collect();
    assert_eq!(lines, [5, 7]);
}

#[test]
fn reads_as_file_line_column() {
    let mistakes = parse("web.toml", &format!("{DIRECTOR}nmae = \"x\"\n")).unwrap_err();
    assert_eq!(
        mistakes.to_string(),
        "web.toml:5:1: unknown key nmae in [director]; did you mean name?"
    );
}

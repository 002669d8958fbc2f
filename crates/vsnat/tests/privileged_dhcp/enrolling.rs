//! Servers that are plugged in, serve, and are unplugged.

use std::fs;
use std::time::Instant;

use nix::sys::signal::Signal;
use vsnat_api::{Nat, ServerStanding, ServerStandings, Standing};

use crate::bench::{Bench, Running, USUAL, exec, ip, until};
use crate::clients::Program;

const RULES: &str = "\
[[service]]
name = \"web\"
protocol = \"tcp\"
address = \"192.168.28.167:80\"
scheduler = \"rr\"

[[dhcp.enrol]]
service = \"web\"
host_name = \"web-*\"

[[dhcp.enrol]]
service = \"web\"
vendor_class = \"udhcp *\"
weight = 2
";

fn servers(bench: &Bench) -> Vec<ServerStanding> {
    let output = bench.vsnat(&["servers", "--json"]);
    assert!(output.status.success(), "{output:?}");
    let standings: ServerStandings = serde_json::from_slice(&output.stdout).unwrap();
    standings.servers
}

/// The addresses of those that are in.
fn inside(bench: &Bench) -> Vec<String> {
    let servers = servers(bench).into_iter();
    let inside = servers.filter(|server| server.standing == Standing::In);
    let mut inside: Vec<String> = inside.map(|s| s.address.ip().to_string()).collect();
    inside.sort();
    inside
}

/// A web server that tells which client it is on.
fn web(bench: &Bench, client: usize) -> Running {
    let folder = bench.folder.join(format!("web{client}"));
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("index.html"), format!("client {client}\n")).unwrap();
    let words = ["busybox", "httpd", "-f", "-p", "80", "-h"];
    let mut command = exec(&bench.client(client), &words);
    command.arg(folder);
    Running::start(&mut command, bench.folder.join(format!("web{client}.log")))
}

/// Which clients answer behind the VIP, over some requests.
fn answering(bench: &Bench) -> Vec<String> {
    let fetched = (0..12).map(|_| {
        let command = "curl --silent --max-time 5 http://192.168.28.167/";
        bench.inside(&bench.outer(), command).trim().to_owned()
    });
    let mut clients: Vec<String> = fetched.collect();
    clients.sort();
    clients.dedup();
    clients
}

/// Each client reaches the outside, by the director's address.
fn reach_the_outside(bench: &Bench) {
    for client in 0..3 {
        let ping = "busybox ping -c 1 -w 10 192.168.28.1";
        let said = bench.inside(&bench.client(client), ping);
        assert!(
            said.contains("1 packets received"),
            "client {client}: {said}"
        );
    }
    let nat = bench.vsnat(&["nat", "--json"]);
    let nat: Nat = serde_json::from_slice(&nat.stdout).unwrap();
    assert!(nat.networks[0].counters.connections >= 3, "{nat:#?}");
    let flows = nat.flows.listed.iter();
    let mut masqueraded: Vec<String> = flows
        .filter(|flow| flow.translated.address.to_string() == "192.168.28.167")
        .map(|flow| flow.source.address.to_string())
        .collect();
    masqueraded.sort();
    masqueraded.dedup();
    assert_eq!(masqueraded, inside(bench), "{nat:#?}");
}

#[test]
fn a_server_that_joins_grows_and_the_next_daemon_lets_it_grow_on() {
    let bench = Bench::new(1);
    let rules = RULES.replace(
        "host_name = \"web-*\"",
        "host_name = \"web-*\"\nweight = 1000\nslow_start = \"40s\"",
    );
    bench.write(&format!("{USUAL}{rules}"));
    let director = bench.start();
    let _client = bench.client_on(0, Program::Dhclient);
    let _web = web(&bench, 0);
    let weight = || {
        servers(&bench)
            .first()
            .map_or(0, |server| server.weight.get())
    };
    until("it is in", || inside(&bench).len() == 1);
    let server = servers(&bench).remove(0);
    assert!(server.weight.get() < 500, "{server:?}");
    assert_eq!(server.growing.unwrap().to.get(), 1_000);
    until("it grows", || weight() > 100);
    director.end(Signal::SIGKILL);

    let _director = bench.start();
    let found = weight();
    assert!((100..1_000).contains(&found), "{found}");
    until("it is grown up", || weight() == 1_000);
    until("it grows no more", || servers(&bench)[0].growing.is_none());
}

#[test]
fn a_server_that_is_plugged_in_serves() {
    let bench = Bench::new(3);
    let mac = bench.mac_of(2);
    let usual = USUAL.replace("[dhcp]", "[dhcp]\nlease_time = \"20s\"");
    bench.write(&format!(
        "{usual}[[dhcp.reservation]]\nmac = \"{mac}\"\naddress = \"10.0.100.11\"\n\
         enrol = \"web\"\n{RULES}"
    ));
    let outer = bench.outer();
    ip(&format!("-n {outer} address add 192.168.28.1/24 dev eth0"));
    let director = bench.start();
    assert_eq!(servers(&bench), []);

    let mut clients: Vec<Running> = Program::ALL
        .into_iter()
        .enumerate()
        .map(|(number, program)| bench.client_on(number, program))
        .collect();
    // A lease alone makes nobody a server.
    until("all are known, and out", || {
        let servers = servers(&bench);
        let refused = servers.iter().filter(|s| s.why.contains("cannot connect"));
        refused.count() == 3
    });
    assert_eq!(inside(&bench), [] as [String; 0]);
    let ready = Instant::now();
    let mut webs: Vec<Running> = (0..3).map(|client| web(&bench, client)).collect();
    until("all are in", || inside(&bench).len() == 3);
    println!(
        "all serve {} ms after they were ready",
        ready.elapsed().as_millis()
    );
    assert_eq!(answering(&bench), ["client 0", "client 1", "client 2"]);
    let came: Vec<String> = servers(&bench).into_iter().map(|s| s.came_by).collect();
    for rule in [
        "reservation 10.0.100.11",
        "host name web-*",
        "vendor class udhcp *",
    ] {
        assert!(came.iter().any(|came_by| came_by == rule), "{came:?}");
    }
    let ipvsadm = bench.vsnat(&["servers"]);
    let text = String::from_utf8(ipvsadm.stdout).unwrap();
    assert!(text.contains("weight 2     in "), "{text}");

    reach_the_outside(&bench);

    // The server program ends; the client gives its lease back; the cable is
    // pulled.
    webs.remove(2).end(Signal::SIGKILL);
    until("the one that fails is out", || {
        inside(&bench).len() == 2 && !inside(&bench).contains(&"10.0.100.11".to_owned())
    });
    clients.remove(1).end(Signal::SIGTERM);
    until("the one that left is out", || inside(&bench).len() == 1);
    assert_eq!(answering(&bench), ["client 0"]);

    // The next daemon knows who is in by enrolment, and takes him out.
    director.end(Signal::SIGKILL);
    let _director = bench.start();
    until("it is found in the tables", || inside(&bench).len() == 1);
    ip(&format!("-n {} link set port0 down", bench.lan()));
    until("the one that was unplugged is out", || {
        inside(&bench).is_empty()
    });
}

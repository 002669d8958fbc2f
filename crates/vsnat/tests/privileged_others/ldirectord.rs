//! Debian's ldirectord: it checks real servers and tells ipvsadm what it finds.

use std::fs;
use std::net::Ipv4Addr;

use nix::sys::signal::Signal;
use vsnat_lab::{CLIENTS, Plan};

use crate::host::Host;
use crate::process::Running;
use crate::programs;
use crate::scenario::Scene;
use crate::site::{self, Site, WEB_PORT, answering, ask_udp, table};

/// Ports of the VIP that belong to the service by mark.
const MARKED_PORTS: [u16; 2] = [8081, 8085];
/// The port of the service that keeps its clients.
const PERSISTENT_PORT: u16 = 8443;
const MARKS: &str = "\
[[mark]]
mark = 7
protocol = \"tcp\"
destination = \"192.168.28.167\"
ports = [8081, \"8084-8086\"]
";

/// Checks every second; what is down refuses at once, so the patience is for a
/// busy machine. In the foreground it keeps no file of its own.
const GLOBAL: &str = "\
checktimeout = 10
negotiatetimeout = 10
checkinterval = 1
supervised = yes
";

/// Two servers of each service, and a third for when both are down.
const SERVICES: &str = "\
virtual = 192.168.28.167:80
\treal = 10.0.100.11:80 masq 1
\treal = 10.0.100.12:80 masq 1
\tfallback = 10.0.100.13:80 masq
\tservice = http
\trequest = \"index.html\"
\treceive = \"It works\"
\tscheduler = rr
\tprotocol = tcp
\tchecktype = negotiate
virtual = 192.168.28.167:53
\treal = 10.0.100.11:5353 masq 2
\treal = 10.0.100.12:5353 masq 2
\tfallback = 10.0.100.13:5353 masq
\tservice = simpletcp
\trequest = \"/hello\\n\"
\treceive = \"hello\"
\tscheduler = wrr
\tprotocol = udp
\tchecktype = negotiate
virtual = 7
\treal = 10.0.100.11:80 masq 1
\treal = 10.0.100.12:80 masq 1 l:500 u:1000
\tfallback = 10.0.100.13:80 masq
\tservice = http
\trequest = \"index.html\"
\treceive = \"It works\"
\tscheduler = rr
\tprotocol = fwm
\tchecktype = negotiate
virtual = 192.168.28.167:8443
\treal = 10.0.100.11:80 masq 1
\treal = 10.0.100.12:80 masq 1
\tfallback = 10.0.100.13:80 masq
\tservice = http
\trequest = \"index.html\"
\treceive = \"It works\"
\tscheduler = rr
\tpersistent = 600
\tprotocol = tcp
\tchecktype = connect
";

/// A site behind a director that ldirectord drives.
struct Watched {
    ldirectord: Running,
    site: Site,
    host: Host,
    scene: Scene,
}

impl Watched {
    fn start(lab: &str, text: &str) -> Self {
        let plan = Plan {
            servers: 3,
            ..Plan::default()
        };
        let mut scene = Scene::without_director(lab, &plan);
        scene.start_director(&format!("{}{MARKS}", vsnat_lab::director::config()));
        let site = Site::start(&scene);
        let host = Host::new(&scene);
        fs::write(host.file("watched.cf"), text).unwrap();
        let program = programs::find("usr/sbin/ldirectord", "ldirectord");
        let mut command = host.command(&program);
        command.arg(host.file("watched.cf")).arg("start");
        let log = host.file("ldirectord.log");
        let ldirectord = Running::start(host.namespace(), &mut command, &log);
        Watched {
            ldirectord,
            site,
            host,
            scene,
        }
    }

    fn up(&mut self, number: u8) {
        self.site.up(&self.scene, number);
    }

    fn down(&mut self, number: u8) {
        self.site.down(number);
    }

    /// Waits until all services have these servers, given as `(number,
    /// weight)`; the weight is doubled in the service by UDP.
    #[track_caller]
    fn until_servers(&mut self, servers: &[(u8, u32)]) {
        let expected = services_with(servers);
        self.ldirectord.until(&expected, || table(&self.scene));
    }

    fn ask_web(&self, port: u16) -> String {
        self.ask_web_from(CLIENTS[0], port)
    }

    fn ask_web_from(&self, client: Ipv4Addr, port: u16) -> String {
        site::ask_web_from(&self.scene, client, port)
    }

    /// Who answers new clients on the services that keep none of them.
    #[track_caller]
    fn assert_answering(&self, names: &[&str]) {
        assert_eq!(answering(6, || self.ask_web(WEB_PORT)), names, "by TCP");
        assert_eq!(answering(6, || ask_udp(&self.scene, 53)), names, "by UDP");
        for port in MARKED_PORTS {
            assert_eq!(answering(6, || self.ask_web(port)), names, "by mark");
        }
    }
}

/// ipvsadm's listing, see [`table`].
fn services_with(servers: &[(u8, u32)]) -> Vec<String> {
    let mut lines = Vec::new();
    for (title, port, times) in [
        ("TCP 192.168.28.167:80 rr", 80, 1),
        ("TCP 192.168.28.167:8443 rr persistent 600", 80, 1),
        ("UDP 192.168.28.167:53 wrr", 5353, 2),
        ("FWM 7 rr", 80, 1),
    ] {
        lines.push(title.to_owned());
        for (number, weight) in servers {
            let address = vsnat_lab::server_address(*number);
            // A fallback server has weight 1 in every service.
            let weight = if *number == 3 { 1 } else { weight * times };
            lines.push(format!("-> {address}:{port} {weight}"));
        }
    }
    lines
}

#[test]
fn servers_go_and_come_back() {
    let mut watched = Watched::start("othersgone", &format!("{GLOBAL}quiescent = no\n{SERVICES}"));
    watched.until_servers(&[(1, 1), (2, 1)]);
    watched.assert_answering(&["server1", "server2"]);
    let thresholds = watched.scene.ipvsadm("-Ln --thresholds");
    assert!(
        thresholds.contains("-> 10.0.100.12:80               1000       500"),
        "{thresholds}"
    );

    watched.down(1);
    watched.until_servers(&[(2, 1)]);
    watched.assert_answering(&["server2"]);

    watched.down(2);
    watched.until_servers(&[(3, 1)]);
    watched.assert_answering(&["server3"]);

    watched.up(2);
    watched.until_servers(&[(2, 1)]);
    watched.assert_answering(&["server2"]);

    watched.up(1);
    watched.until_servers(&[(1, 1), (2, 1)]);
    watched.assert_answering(&["server1", "server2"]);
}

#[test]
fn quiescent_servers_keep_their_place() {
    let text = format!("{GLOBAL}quiescent = yes\n{SERVICES}");
    let mut watched = Watched::start("othersquiet", &text);
    watched.until_servers(&[(1, 1), (2, 1)]);
    watched.assert_answering(&["server1", "server2"]);

    watched.down(1);
    watched.until_servers(&[(1, 0), (2, 1)]);
    watched.assert_answering(&["server2"]);

    watched.down(2);
    watched.until_servers(&[(1, 0), (2, 0), (3, 1)]);
    watched.assert_answering(&["server3"]);

    watched.up(1);
    watched.until_servers(&[(1, 1), (2, 0)]);
    watched.assert_answering(&["server1"]);

    watched.up(2);
    watched.until_servers(&[(1, 1), (2, 1)]);
    watched.assert_answering(&["server1", "server2"]);
}

#[test]
fn persistent_clients_of_a_quiescent_server_move_by_setting() {
    let text = format!("{GLOBAL}quiescent = yes\n{SERVICES}");
    let mut watched = Watched::start("otherskept", &text);
    watched.until_servers(&[(1, 1), (2, 1)]);
    let kept = watched.ask_web(PERSISTENT_PORT);
    assert_eq!(
        answering(4, || watched.ask_web(PERSISTENT_PORT)),
        [kept.as_str()]
    );
    let (kept, other) = if kept == "server1" { (1, 2) } else { (2, 1) };
    // rr takes the other one for the next client.
    let next = watched.ask_web_from(CLIENTS[1], PERSISTENT_PORT);
    assert_eq!(next, format!("server{other}"));

    watched.down(kept);
    let weight = |number| u32::from(number == other);
    watched.until_servers(&[(1, weight(1)), (2, weight(2))]);
    let refused = watched.ask_web(PERSISTENT_PORT);
    assert!(refused.contains("curl: (7)"), "as in IPVS: {refused}");
    let set = ["set", "expire_quiescent_template=1"];
    watched.scene.director().ctl(&set).unwrap();
    assert_eq!(watched.ask_web(PERSISTENT_PORT), next);
    // And there it stays.
    watched.up(kept);
    watched.until_servers(&[(1, 1), (2, 1)]);
    assert_eq!(
        answering(4, || watched.ask_web(PERSISTENT_PORT)),
        [next.as_str()]
    );
}

#[test]
fn a_changed_file_is_carried_out_and_the_end_leaves_nothing() {
    let text = format!("{GLOBAL}quiescent = no\n{SERVICES}");
    let mut watched = Watched::start("othersfile", &text);
    watched.until_servers(&[(1, 1), (2, 1)]);

    let changed = text
        .replace("scheduler = rr", "scheduler = wlc")
        .replace("10.0.100.12:80 masq 1\n", "10.0.100.12:80 masq 5\n")
        .replace(
            "persistent = 600",
            "persistent = 300\n\tnetmask = 255.255.255.0",
        )
        .replace("real = 10.0.100.11:5353 masq 2\n", "");
    fs::write(watched.host.file("watched.cf"), changed).unwrap();
    watched.ldirectord.signal(Signal::SIGHUP);
    let expected = [
        "TCP 192.168.28.167:80 wlc",
        "-> 10.0.100.11:80 1",
        "-> 10.0.100.12:80 5",
        "TCP 192.168.28.167:8443 wlc persistent 300 mask 255.255.255.0",
        "-> 10.0.100.11:80 1",
        "-> 10.0.100.12:80 5",
        "UDP 192.168.28.167:53 wrr",
        "-> 10.0.100.12:5353 2",
        "FWM 7 wlc",
        "-> 10.0.100.11:80 1",
        "-> 10.0.100.12:80 1",
    ]
    .map(str::to_owned)
    .to_vec();
    watched
        .ldirectord
        .until(&expected, || table(&watched.scene));
    assert_eq!(answering(4, || ask_udp(&watched.scene, 53)), ["server2"]);

    let Watched {
        ldirectord, scene, ..
    } = watched;
    assert_eq!(ldirectord.end(Signal::SIGTERM), Some(0));
    assert_eq!(table(&scene), [""; 0]);
}

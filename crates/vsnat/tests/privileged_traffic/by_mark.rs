//! Services that are found by the marks of `vsnat mark`.

use std::io::ErrorKind;
use std::net::SocketAddrV4;

use ipnet::Ipv4Net;
use vsnat_lab::{CLIENTS, OUTER_INTERFACE, Plan, VIP};

use crate::greeting::{greet, greeting_for};
use crate::scenario::Scene;

const PORTS: [u16; 3] = [7_000, 7_001, 8_050];
const UNMARKED_PORT: u16 = 7_002;

#[test]
fn a_client_keeps_its_server_on_all_ports_of_a_mark() {
    let plan = Plan {
        servers: 2,
        ..Plan::default()
    };
    let scene = Scene::new("trmark", &plan);
    let rule = format!(
        "--mark 1 --protocol tcp --source {} --destination {VIP} --ports 7000,7001,8000-8099 \
         --interface {OUTER_INTERFACE}",
        Ipv4Net::new(CLIENTS[0], 29).unwrap().trunc()
    );
    let change_rule = |verb: &str| {
        let words = format!("mark {verb} {rule}");
        let words: Vec<&str> = words.split_whitespace().collect();
        scene.director().ctl(&words).unwrap()
    };
    change_rule("add");
    scene.ipvsadm("-A -f 1 -s rr -p 60");
    for (number, (_, server)) in (1..).zip(scene.cluster.servers()) {
        scene.ipvsadm(&format!("-a -f 1 -r {} -m", server.ip()));
        for port in PORTS.into_iter().chain([UNMARKED_PORT]) {
            let address = SocketAddrV4::new(*server.ip(), port);
            greet(&scene.server(number), address, &format!("server {number}"));
        }
    }

    let client = scene.cluster.client();
    let says = |source, port| greeting_for(source, &client, SocketAddrV4::new(VIP, port));
    let mut servers = Vec::new();
    for source in &CLIENTS[..2] {
        let mut heard: Vec<String> = PORTS.map(|port| says(*source, port).unwrap()).into();
        heard.extend(PORTS.map(|port| says(*source, port).unwrap()));
        heard.dedup();
        assert_eq!(heard.len(), 1, "{source} was sent to {heard:?}");
        servers.extend(heard);
    }
    servers.sort();
    assert_eq!(servers, ["server 1", "server 2"]);

    let listed = scene.ipvsadm("-Lnc");
    let templates = listed.lines().filter(|line| line.starts_with("IP "));
    let of_mark = templates.filter(|line| line.contains(" 0.0.0.1:0 "));
    assert_eq!(of_mark.count(), 2, "{listed}");

    let refused = |port| says(CLIENTS[0], port).unwrap_err().kind();
    assert_eq!(refused(UNMARKED_PORT), ErrorKind::ConnectionRefused);
    change_rule("delete");
    assert_eq!(refused(PORTS[0]), ErrorKind::ConnectionRefused);
}

//! A service on all ports takes what no other service has, and leaves alone
//! what the director itself serves and what answers its servers.

use std::net::SocketAddrV4;

use vsnat_lab::{CLIENTS, Plan, VIP};

use crate::greeting::{greet, greeting};
use crate::scenario::Scene;

/// Anything, and where the director listens itself.
const PORT: u16 = 7_000;
const OWN_PORT: u16 = 2_222;
/// Of a server to the outside: each from another port.
const CONNECTIONS: usize = 20;

#[test]
fn the_director_and_its_masquerade_are_spared() {
    let plan = Plan {
        servers: 1,
        ..Plan::default()
    };
    let scene = Scene::new("trall", &plan);
    let (_, server) = scene.cluster.servers()[0];
    scene.ipvsadm(&format!("-A -t {VIP}:0 -s rr -p 60"));
    scene.ipvsadm(&format!("-a -t {VIP}:0 -r {} -m", server.ip()));
    let host = scene.cluster.director();
    for port in [PORT, OWN_PORT] {
        let address = SocketAddrV4::new(*server.ip(), port);
        greet(&scene.server(1), address, "a server");
    }
    greet(&host, SocketAddrV4::new(VIP, OWN_PORT), "the director");
    let outside = SocketAddrV4::new(CLIENTS[0], PORT);
    greet(&scene.cluster.client(), outside, "a client");

    let client = scene.cluster.client();
    let service = |port| SocketAddrV4::new(VIP, port);
    assert_eq!(greeting(&client, service(PORT)), "a server");
    assert_eq!(greeting(&client, service(OWN_PORT)), "the director");
    let server = scene.server(1);
    for _ in 0..CONNECTIONS {
        assert_eq!(greeting(&server, outside), "a client", "masqueraded");
    }

    // As IPVS, which takes them all.
    scene
        .director()
        .ctl(&["set", "port_zero_spares_local=0"])
        .unwrap();
    assert_eq!(greeting(&client, service(OWN_PORT)), "a server");
    assert_eq!(greeting(&client, service(PORT)), "a server");
}

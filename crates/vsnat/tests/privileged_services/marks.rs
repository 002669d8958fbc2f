//! Services by mark.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::net::SocketAddrV4;

use vsnat_lab::{CLIENTS, OUTER_INTERFACE, server_address};

use crate::peers::{
    add_service, client, connect, mark, persistent, plan, templates, vip, visit, web,
};
use crate::scenario::Scene;

/// As an administrator writes it who has a shop.
const CONFIG: &str = "\n[[mark]]\nmark = 1\nprotocol = \"tcp\"\ndestination = \"192.168.28.167\"\n\
                      ports = [80, 443]\n";

/// Both ports of all clients; each client must meet one server.
fn shop(scene: &Scene) -> [u8; 4] {
    let visit_both = |client| {
        let source = SocketAddrV4::new(client, 0);
        let (http, https) = (visit(source, vip(80)).0, visit(source, vip(443)).0);
        assert_eq!(http, https, "{client}");
        http
    };
    scene.in_client(|| CLIENTS.map(visit_both))
}

#[test]
fn two_ports_lead_a_client_to_one_server_whatever_becomes_of_the_daemon() {
    let mut scene = Scene::without_director("svcmark", &plan(4));
    let config = vsnat_lab::director::config() + CONFIG;
    scene.start_director(&config);
    let _servers = web(&scene, &[80, 443]);
    add_service(&scene, "-f 1", "-s rr -p 300", "");
    let servers = shop(&scene);
    assert_eq!(BTreeSet::from(servers).len(), 4);
    assert_eq!(persistent(&scene), 4);
    let templates = templates(&scene);
    assert_eq!(templates.len(), 4);
    assert!(
        templates
            .iter()
            .all(|t| t.protocol == "IP" && t.target == "0.0.0.1:0")
    );
    let rules = scene.director().ctl(&["mark", "list"]).unwrap();

    scene.kill_director();
    assert_eq!(shop(&scene), servers, "without a daemon");
    scene.start_director(&config);
    assert_eq!(shop(&scene), servers, "with a new one");
    scene.leave_forwarding();
    assert_eq!(shop(&scene), servers, "after it ended in order");
    scene.start_director(&config);
    assert_eq!(shop(&scene), servers, "and began again");
    assert_eq!(scene.director().ctl(&["mark", "list"]).unwrap(), rules);
    assert_eq!(persistent(&scene), 4);
}

#[test]
fn rules_look_at_source_and_interface() {
    let scene = Scene::new("svcmarkrules", &plan(3));
    let _servers = web(&scene, &[80, 8_080, 8_081]);
    mark(
        &scene,
        "--mark 2 --protocol tcp --ports 80 --source 192.168.28.12/31",
    );
    mark(
        &scene,
        &format!("--mark 3 --ports 8080 --interface {OUTER_INTERFACE}"),
    );
    for (mark, server) in [(2, 2), (3, 3)] {
        scene.ipvsadm(&format!("-A -f {mark} -s rr"));
        let address = server_address(server);
        scene.ipvsadm(&format!("-a -f {mark} -r {address} -m"));
    }
    scene.ipvsadm("-A -t 192.168.28.167:80 -s rr");
    let address = server_address(1);
    scene.ipvsadm(&format!("-a -t 192.168.28.167:80 -r {address} -m"));

    let from = |client: usize| SocketAddrV4::new(CLIENTS[client], 0);
    let servers = scene.in_client(|| [0, 1, 2, 3].map(|client| visit(from(client), vip(80)).0));
    assert_eq!(servers, [1, 1, 2, 2]);
    assert_eq!(scene.in_client(|| visit(client(0), vip(8_080)).0), 3);
    let error = scene
        .in_client(|| connect(client(0), vip(8_081)))
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
    assert_eq!(
        scene.count("no_server"),
        0,
        "the host's own stack refused it"
    );
}

//! Clients that stay with their servers.

use std::collections::BTreeSet;
use std::net::SocketAddrV4;

use vsnat_lab::CLIENTS;

use crate::peers::{
    add_service, ask, connections, echo, persistent, plan, server_port, set, templates, udp, vip,
    visit, web,
};
use crate::scenario::Scene;

fn sources() -> [SocketAddrV4; 4] {
    CLIENTS.map(|client| SocketAddrV4::new(client, 0))
}

#[test]
fn clients_stay_with_their_servers() {
    let scene = Scene::new("svcpersist", &plan(4));
    let _servers = (web(&scene, &[80]), echo(&scene, 53));
    add_service(&scene, "-t 192.168.28.167:80", "-s rr -p 300", "");
    add_service(&scene, "-u 192.168.28.167:53", "-s rr -p 300", "");
    let streams = || sources().map(|source| visit(source, vip(80)).0);
    let datagrams = || sources().map(|source| ask(&udp(source, vip(53))).unwrap());
    let (first, first_datagrams) = scene.in_client(|| (streams(), datagrams()));
    // One server each: round robin is asked once for every client.
    assert_eq!(BTreeSet::from(first).len(), 4);
    assert_eq!(BTreeSet::from(first_datagrams).len(), 4);
    for _ in 0..3 {
        let again = scene.in_client(|| (streams(), datagrams()));
        assert_eq!(again, (first, first_datagrams));
    }

    let templates = templates(&scene);
    assert_eq!(templates.len(), 8);
    assert_eq!(persistent(&scene), 8);
    for (client, server) in CLIENTS.into_iter().zip(first) {
        let source = format!("{client}:0");
        let mut of_client = templates.iter().filter(|t| t.source == source);
        let template = of_client.find(|t| t.protocol == "TCP").unwrap();
        assert_eq!(template.target, "192.168.28.167:80");
        assert_eq!(template.destination, server_port(server, 80));
        assert_eq!(template.state, "ASSURED");
    }
    assert_eq!(connections(&scene).len(), 8 + 2 * 16);
}

#[test]
fn a_network_of_clients_stays_together() {
    let scene = Scene::new("svcnetmask", &plan(4));
    let _servers = web(&scene, &[80]);
    let options = "-s rr -p 300 -M 255.255.255.254";
    add_service(&scene, "-t 192.168.28.167:80", options, "");
    let [a, b, c, d] = scene.in_client(|| sources().map(|source| visit(source, vip(80)).0));
    assert_eq!((a, c), (b, d));
    assert_ne!(a, c);
    let networks: BTreeSet<String> = templates(&scene).into_iter().map(|t| t.source).collect();
    let expected = ["192.168.28.10:0", "192.168.28.12:0"].map(str::to_owned);
    assert_eq!(networks, expected.into());
}

#[test]
fn a_resting_server_keeps_its_clients_unless_told_otherwise() {
    let scene = Scene::new("svcquiescent", &plan(2));
    let _servers = web(&scene, &[80]);
    add_service(&scene, "-t 192.168.28.167:80", "-s rr -p 300", "");
    let go = |client: usize| scene.in_client(|| visit(sources()[client], vip(80)).0);
    let (mine, other) = (go(0), go(1));
    assert_ne!(mine, other);
    let server = server_port(mine, 80);
    scene.ipvsadm(&format!("-e -t 192.168.28.167:80 -r {server} -m -w 0"));
    assert_eq!(go(0), mine, "a client that is kept comes again");
    assert_eq!([go(2), go(3)], [other; 2], "nobody else is sent there");

    set(&scene, "expire_quiescent_template=1");
    assert_eq!(go(0), other);
    scene.ipvsadm(&format!("-e -t 192.168.28.167:80 -r {server} -m -w 1"));
    assert_eq!(go(0), other, "and stays with the new one");
}

#[test]
fn a_client_that_is_kept_is_never_one_too_many() {
    let scene = Scene::new("svckeptfull", &plan(2));
    let _servers = web(&scene, &[80]);
    add_service(&scene, "-t 192.168.28.167:80", "-s rr -p 300", "-x 2");
    let go = |client: usize| scene.in_client(|| visit(sources()[client], vip(80)));
    let mut held = vec![go(0), go(1)];
    for _ in 0..3 {
        held.extend([go(0), go(1)]);
    }
    assert!(held.chunks(2).all(|pair| (pair[0].0, pair[1].0) == (2, 1)));
    let refused = scene.in_client(|| crate::peers::connect(sources()[2], vip(80)));
    let refused = refused.unwrap_err().kind();
    assert_eq!(refused, std::io::ErrorKind::ConnectionRefused);
}

#[test]
fn clients_of_a_deleted_server_go_to_another() {
    let scene = Scene::new("svckeptgone", &plan(2));
    let _servers = web(&scene, &[80]);
    add_service(&scene, "-t 192.168.28.167:80", "-s rr -p 300", "");
    let go = || scene.in_client(|| visit(sources()[0], vip(80)).0);
    assert_eq!([go(), go()], [2, 2]);
    let server = server_port(2, 80);
    scene.ipvsadm(&format!("-d -t 192.168.28.167:80 -r {server}"));
    assert_eq!(go(), 1);
    scene.ipvsadm(&format!("-a -t 192.168.28.167:80 -r {server} -m"));
    assert_eq!([go(), go()], [1, 1], "and stay there when it is back");
}

/// What FTP does: a control connection to port 21, and passive data
/// connections to ports that nobody announced to the director.
#[test]
fn ftp_and_its_passive_connections_meet_one_server() {
    const PASSIVE: u16 = 30_000;
    let scene = Scene::new("svcftp", &plan(4));
    let _servers = web(&scene, &[21, PASSIVE]);
    add_service(&scene, "-t 192.168.28.167:21", "-s rr -p 300", "");
    scene.in_client(|| {
        let mut held = Vec::new();
        for source in sources() {
            let (control, stream) = visit(source, vip(21));
            held.push(stream);
            for _ in 0..3 {
                let (data, stream) = visit(source, vip(PASSIVE));
                held.push(stream);
                assert_eq!(data, control);
            }
        }
        // A privileged port is no data connection.
        let error = crate::peers::connect(sources()[0], vip(80)).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionRefused);
    });
    assert_eq!(persistent(&scene), 4);
    let targets = templates(&scene).into_iter().map(|t| t.target);
    assert!(
        targets
            .into_iter()
            .all(|target| target == "192.168.28.167:0")
    );
}

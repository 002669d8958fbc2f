//! A service on all ports, on the only address that the director has outside:
//! what is the director's own, and the servers' own ways out, go on.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpListener, UdpSocket};
use std::sync::mpsc;

use vsnat_lab::{DIRECTOR_OUTER, OUTER_INTERFACE, VIP, server_address};

use crate::peers::{
    PATIENCE, add_service, ask, client, connect, echo, persistent, plan, set, templates, udp, vip,
    visit, web,
};
use crate::scenario::{Scene, run_in};

const OUTSIDE: SocketAddrV4 = client(7_777);

/// The VIP is the director's only address on the clients' side, so that the
/// masquerade has no other either.
fn all_ports(name: &str) -> Scene {
    let mut scene = Scene::without_director(name, &plan(3));
    run_in(
        &scene.cluster.director(),
        &format!("ip address del {DIRECTOR_OUTER}/24 dev {OUTER_INTERFACE}"),
    );
    scene.start_director(&vsnat_lab::director::config());
    for protocol in ["-t", "-u"] {
        let service = format!("{protocol} 192.168.28.167:0");
        add_service(&scene, &service, "-s rr -p 300", "");
    }
    scene
}

#[test]
fn every_port_leads_to_one_server() {
    let scene = all_ports("svcallports");
    let _servers = (web(&scene, &[80, 8_080]), echo(&scene, 53));
    let streams = scene.in_client(|| [80, 8_080, 80].map(|port| visit(client(0), vip(port)).0));
    assert_eq!(streams, [streams[0]; 3]);
    let datagrams = scene.in_client(|| [0; 3].map(|_| ask(&udp(client(0), vip(53))).unwrap()));
    assert_eq!(datagrams, [datagrams[0]; 3]);
    let templates = templates(&scene);
    assert_eq!((templates.len(), persistent(&scene)), (2, 2));
    assert!(templates.iter().all(|t| t.target == "192.168.28.167:0"));
    assert!(templates.iter().all(|t| t.destination.ends_with(":0")));
}

#[test]
fn a_port_that_the_director_listens_on_is_its_own() {
    let scene = all_ports("svcsocket");
    let _servers = web(&scene, &[22, 2_222]);
    let listen = || TcpListener::bind((Ipv4Addr::UNSPECIFIED, 22)).unwrap();
    let listener = scene.cluster.director().run(listen).unwrap();
    let accept = scene.cluster.director().thread("listener", move || {
        let (mut stream, from) = listener.accept().unwrap();
        stream.write_all(b"the director").unwrap();
        from
    });
    let greeting = scene.in_client(|| {
        let mut greeting = String::new();
        let mut stream = connect(client(0), vip(22)).unwrap();
        stream.read_to_string(&mut greeting).unwrap();
        greeting
    });
    assert_eq!(greeting, "the director");
    let from = accept.unwrap().join().unwrap().unwrap();
    assert_eq!(from.ip(), *client(0).ip());
    assert!(scene.count("spared_port") > 0);
    // The listener is gone: the port is the service's, as any other.
    assert!((1..=3).contains(&scene.in_client(|| visit(client(0), vip(22)).0)));
    set(&scene, "port_zero_spares_local=0");
    let listen = || TcpListener::bind((Ipv4Addr::UNSPECIFIED, 2_222)).unwrap();
    let _listener = scene.cluster.director().run(listen).unwrap();
    assert!((1..=3).contains(&scene.in_client(|| visit(client(0), vip(2_222)).0)));
}

#[test]
fn a_servers_own_connections_leave_and_return() {
    let scene = all_ports("svcmasqtcp");
    let _servers = web(&scene, &[443]);
    let (peers, peer) = mpsc::channel();
    let (listening, ready) = mpsc::channel();
    let ports = [80, 1_024, 33_000, 65_535];
    let listen = move || {
        let listener = TcpListener::bind(OUTSIDE).unwrap();
        listening.send(()).unwrap();
        for _ in ports {
            let (mut stream, from) = listener.accept().unwrap();
            peers.send(from).unwrap();
            stream.write_all(b"welcome").unwrap();
        }
    };
    let listener = scene.cluster.client().thread("outside", listen).unwrap();
    ready.recv().unwrap();
    for port in ports {
        let call = || {
            let mut answer = String::new();
            let source = SocketAddrV4::new(server_address(1), port);
            let mut stream = connect(source, OUTSIDE).unwrap();
            stream.read_to_string(&mut answer).unwrap();
            answer
        };
        assert_eq!(scene.server(1).run(call).unwrap(), "welcome");
        assert_eq!(peer.recv_timeout(PATIENCE).unwrap().ip(), VIP);
        // The service goes on beside it.
        assert!((1..=3).contains(&scene.in_client(|| visit(client(0), vip(443)).0)));
    }
    listener.join().unwrap().unwrap();
}

#[test]
fn a_servers_own_datagrams_leave_and_return() {
    let scene = all_ports("svcmasqudp");
    let _servers = echo(&scene, 5_353);
    let host = scene.in_client(|| UdpSocket::bind(OUTSIDE).unwrap());
    host.set_read_timeout(Some(PATIENCE)).unwrap();
    for port in [53, 1_024, 33_000, 65_535] {
        let source = SocketAddrV4::new(server_address(1), port);
        let server = scene.server(1).run(|| udp(source, OUTSIDE)).unwrap();
        server.send(b"question").unwrap();
        let mut text = [0; 100];
        let (length, from) = host.recv_from(&mut text).unwrap();
        assert_eq!(&text[..length], b"question");
        assert_eq!(from.ip(), VIP);
        host.send_to(b"answer", from).unwrap();
        let (length, from) = server.recv_from(&mut text).unwrap();
        assert_eq!(&text[..length], b"answer");
        assert_eq!(from, SocketAddr::from(OUTSIDE));
        let answered = scene.in_client(|| ask(&udp(client(0), vip(5_353))));
        assert!((1..=3).contains(&answered.unwrap()));
    }
}

//! Settings that change what becomes of packets.

use std::io::ErrorKind;
use std::net::{SocketAddrV4, UdpSocket};

use socket2::{Domain, Socket, Type};
use vsnat_lab::server_address;

use crate::peers::{
    PATIENCE, SILENCE, add_service, ask, client, connect, connection_of, connections, echo, name,
    plan, server_port, set, udp, until, vip, visit, web, whose,
};
use crate::scenario::Scene;

#[test]
fn a_connection_to_a_deleted_server_is_silent_or_ends() {
    let scene = Scene::new("svcnodest", &plan(1));
    let _servers = web(&scene, &[80]);
    add_service(&scene, "-t 192.168.28.167:80", "-s rr", "");
    let (_, mut stream) = scene.in_client(|| visit(client(5_000), vip(80)));
    stream.set_read_timeout(Some(SILENCE)).unwrap();
    let server = server_port(1, 80);
    scene.ipvsadm(&format!("-d -t 192.168.28.167:80 -r {server}"));
    assert_eq!(
        whose(&mut stream).unwrap_err().kind(),
        ErrorKind::WouldBlock
    );
    assert!(scene.count("server_gone") > 0);
    assert_eq!(connection_of(&scene, client(5_000)).state, "ESTABLISHED");

    // Back again, it goes on.
    scene.ipvsadm(&format!("-a -t 192.168.28.167:80 -r {server} -m"));
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    assert_eq!(name(&mut stream).unwrap(), 1, "asked while it was away");

    set(&scene, "expire_nodest_conn=1");
    scene.ipvsadm(&format!("-d -t 192.168.28.167:80 -r {server}"));
    // The host's stack knows nothing of it and says so.
    let error = whose(&mut stream).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    assert_eq!(connections(&scene), []);
}

#[test]
fn a_server_is_told_that_nobody_knows_its_connection() {
    let scene = Scene::new("svcstranger", &plan(1));
    add_service(&scene, "-u 192.168.28.167:53", "-s rr", "");
    let outside = client(7_777);
    let host = scene.in_client(|| UdpSocket::bind(outside).unwrap());
    host.set_read_timeout(Some(SILENCE)).unwrap();
    let from = |port| {
        let source = SocketAddrV4::new(server_address(1), port);
        let socket = scene.server(1).run(|| udp(source, outside)).unwrap();
        socket.set_read_timeout(Some(SILENCE)).unwrap();
        socket
    };
    let (service_port, other_port) = (from(53), from(54));
    for server in [&service_port, &other_port] {
        server.send(b"hello").unwrap();
        assert_eq!(host.recv(&mut [0; 10]).unwrap(), 5, "off by default");
    }

    set(&scene, "nat_icmp_send=1");
    service_port.send(b"hello").unwrap();
    let refused = service_port.recv(&mut [0; 10]).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    assert_eq!(
        host.recv(&mut [0; 10]).unwrap_err().kind(),
        ErrorKind::WouldBlock
    );
    assert_eq!(scene.count("unknown_to_server"), 1);
    other_port.send(b"hello").unwrap();
    assert_eq!(
        host.recv(&mut [0; 10]).unwrap(),
        5,
        "no server of a service"
    );
}

#[test]
fn one_of_so_many_new_connections_is_dropped() {
    let scene = Scene::new("svcdrop", &plan(1));
    let _servers = echo(&scene, 53);
    add_service(&scene, "-u 192.168.28.167:53", "-s rr", "");
    let established = scene.in_client(|| udp(client(5_000), vip(53)));
    assert_eq!(ask(&established).unwrap(), 1);
    for setting in ["drop_packet=3", "am_droprate=5"] {
        set(&scene, setting);
    }
    let answered = scene.in_client(|| {
        let sockets: Vec<UdpSocket> = (0..100).map(|_| udp(client(0), vip(53))).collect();
        for socket in &sockets {
            socket.send(b"who").unwrap();
        }
        let is_answered = |socket: &&UdpSocket| {
            socket.set_read_timeout(Some(SILENCE / 4)).unwrap();
            socket.recv(&mut [0; 100]).is_ok()
        };
        sockets.iter().filter(is_answered).count()
    });
    assert_eq!((answered, scene.count("drop_packet")), (80, 20));
    for _ in 0..20 {
        assert_eq!(ask(&established).unwrap(), 1, "what is open is not touched");
    }
    assert_eq!(scene.count("drop_packet"), 20);
}

#[test]
fn a_guarded_connection_is_established_when_the_server_has_answered() {
    let scene = Scene::new("svcsecure", &plan(1));
    let _servers = web(&scene, &[80]);
    add_service(&scene, "-t 192.168.28.167:80", "-s rr", "");
    let state_after_handshake = |port| {
        let stream = scene.in_client(|| connect(client(port), vip(80)).unwrap());
        // The last ACK of the handshake may still be on its way.
        std::thread::sleep(SILENCE);
        (stream, connection_of(&scene, client(port)).state)
    };
    let (_plain, state) = state_after_handshake(5_000);
    assert_eq!(state, "ESTABLISHED");

    set(&scene, "secure_tcp=3");
    let (mut guarded, state) = state_after_handshake(5_001);
    assert_eq!(state, "SYNACK");
    assert_eq!(whose(&mut guarded).unwrap(), 1);
    until("established", || {
        connection_of(&scene, client(5_001)).state == "ESTABLISHED"
    });
}

/// The director forgot a connection that its ends still have.
#[test]
fn a_forgotten_connection_ends_or_goes_on() {
    let mut scene = Scene::without_director("svcsloppy", &plan(1));
    let timeouts = "[timeouts]\ntcp_established = \"1s\"\n";
    scene.start_director(&(vsnat_lab::director::config() + timeouts));
    let _servers = web(&scene, &[80]);
    add_service(&scene, "-t 192.168.28.167:80", "-s rr", "");
    let forgotten = || {
        let (_, stream) = scene.in_client(|| visit(client(0), vip(80)));
        until("forgotten", || connections(&scene).is_empty());
        stream
    };
    let error = whose(&mut forgotten()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);

    set(&scene, "sloppy_tcp=1");
    assert_eq!(whose(&mut forgotten()).unwrap(), 1);
}

/// Nobody has the server's address: its connections have no answer.
#[test]
fn connections_without_an_answer_make_room() {
    const CONNECTIONS: u32 = 400;
    let scene = Scene::new("svcdropentry", &plan(1));
    let _servers = web(&scene, &[81]);
    scene.ipvsadm("-A -t 192.168.28.167:80 -s rr");
    scene.ipvsadm("-a -t 192.168.28.167:80 -r 10.0.100.250 -m");
    add_service(&scene, "-t 192.168.28.167:81", "-s rr", "");
    let (_, mut answered) = scene.in_client(|| visit(client(0), vip(81)));
    let _asking: Vec<Socket> = scene.in_client(|| {
        let ask = |_| {
            let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
            socket.set_nonblocking(true).unwrap();
            let _ = socket.connect(&vip(80).into());
            socket
        };
        (0..CONNECTIONS).map(ask).collect()
    });
    let live = || scene.director().status().unwrap().table.live;
    assert_eq!(live(), CONNECTIONS + 1);
    assert_eq!(scene.count("drop_entry"), 0);
    set(&scene, "drop_entry=3");
    until("some are gone", || scene.count("drop_entry") > 20);
    assert_eq!(whose(&mut answered).unwrap(), 1);
}

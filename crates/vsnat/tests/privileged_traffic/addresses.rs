//! Whose address each side sees.

use std::io::{Read, Write};
use std::net::{SocketAddr, SocketAddrV4, TcpListener, TcpStream, UdpSocket};
use std::sync::mpsc;
use std::time::Duration;

use socket2::{Domain, Socket, Type};
use vsnat_lab::servers::echo::EchoServer;
use vsnat_lab::servers::http::HttpServer;
use vsnat_lab::servers::{CLIENT_HEADER, Capacity, ServerOptions};
use vsnat_lab::{CLIENTS, DIRECTOR_OUTER, Plan, VIP, server_address};

use crate::scenario::{Scene, run_in};

const PATIENCE: Duration = Duration::from_secs(5);
/// Inside the range that clients and masquerade take their ports from.
const SERVICE_PORT: u16 = 40_000;
const OUTSIDE_PORT: u16 = 7_777;

fn one_server() -> Plan {
    Plan {
        servers: 1,
        ..Plan::default()
    }
}

fn connect(source: SocketAddrV4, target: SocketAddrV4) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.set_reuse_address(true).unwrap();
    socket.bind(&source.into()).unwrap();
    socket.connect_timeout(&target.into(), PATIENCE).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket.into()
}

#[test]
fn a_tcp_server_sees_the_clients_address_and_port() {
    let scene = Scene::new("scatcp", &one_server());
    let (node, address) = scene.cluster.servers()[0];
    let options = ServerOptions {
        name: node.to_string(),
        address,
        capacity: Capacity::Unlimited,
    };
    let _server = HttpServer::start(&scene.cluster.namespace(node), &options).unwrap();
    for command in scene.cluster.service_commands() {
        scene.ipvsadm(&command);
    }
    let service = SocketAddrV4::new(VIP, 80);
    scene.in_client(|| {
        for client in CLIENTS {
            let mut stream = connect(SocketAddrV4::new(client, 0), service);
            let here = stream.local_addr().unwrap();
            assert_eq!(stream.peer_addr().unwrap(), SocketAddr::from(service));
            stream.write_all(b"HEAD / HTTP/1.0\r\n\r\n").unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).unwrap();
            let seen = format!("{CLIENT_HEADER}: {here}\r\n");
            assert!(answer.to_lowercase().contains(&seen), "{seen} in {answer}");
        }
    });
}

#[test]
fn a_udp_server_sees_the_clients_address_and_port() {
    let scene = Scene::new("scaudp", &one_server());
    let address = SocketAddrV4::new(server_address(1), 53);
    let _server = EchoServer::start(&scene.server(1), "server1", address).unwrap();
    scene.ipvsadm("-A -u 192.168.28.167:5353 -s rr");
    scene.ipvsadm("-a -u 192.168.28.167:5353 -r 10.0.100.11:53 -m");
    let service = SocketAddrV4::new(VIP, 5353);
    scene.in_client(|| {
        for client in CLIENTS {
            let socket = UdpSocket::bind(SocketAddrV4::new(client, 0)).unwrap();
            let here = socket.local_addr().unwrap();
            socket.set_read_timeout(Some(PATIENCE)).unwrap();
            socket.send_to(b"hello", service).unwrap();
            let mut reply = [0; 100];
            let (length, from) = socket.recv_from(&mut reply).unwrap();
            assert_eq!(from, SocketAddr::from(service));
            let reply = std::str::from_utf8(&reply[..length]).unwrap();
            assert_eq!(reply, format!("server1 {here} hello"));
        }
    });
}

/// The largest gap between service ports, as the director announced it to
/// netfilter.
fn announced_ports(scene: &Scene) -> std::ops::RangeInclusive<u16> {
    let table = scene.cluster.name().director_name();
    let list = format!("nft list table ip vsnat_{table}");
    let rules = run_in(&scene.cluster.director(), &list);
    let (_, rest) = rules.split_once("masquerade to :").expect(&rules);
    let (low, rest) = rest.split_once('-').unwrap();
    let high = rest.split_whitespace().next().unwrap();
    low.parse().unwrap()..=high.parse().unwrap()
}

/// Each port a real server connects from, the service's own among them, with
/// the address that the host outside sees.
#[test]
fn a_real_servers_own_connections_leave_by_the_directors_address() {
    let scene = Scene::new("scamasq", &one_server());
    scene.ipvsadm(&format!("-A -t {VIP}:{SERVICE_PORT} -s rr"));
    scene.ipvsadm(&format!("-a -t {VIP}:{SERVICE_PORT} -r 10.0.100.11:80 -m"));
    let announced = announced_ports(&scene);
    assert!(!announced.contains(&SERVICE_PORT), "{announced:?}");

    let outside = SocketAddrV4::new(CLIENTS[0], OUTSIDE_PORT);
    let (peers, peer) = mpsc::channel();
    let (listening, ready) = mpsc::channel();
    let ports = [80, 1023, 1024, SERVICE_PORT, 50_000, 65_535];
    let listen = move || {
        let listener = TcpListener::bind(outside).unwrap();
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
            let source = SocketAddrV4::new(server_address(1), port);
            let mut answer = String::new();
            let mut stream = connect(source, outside);
            stream.read_to_string(&mut answer).unwrap();
            answer
        };
        assert_eq!(scene.server(1).run(call).unwrap(), "welcome");
        check(peer.recv_timeout(PATIENCE).unwrap(), &announced);
    }
    listener.join().unwrap().unwrap();
}

#[test]
fn a_real_servers_own_datagrams_leave_by_the_directors_address() {
    let scene = Scene::new("scamasqudp", &one_server());
    scene.ipvsadm(&format!("-A -u {VIP}:{SERVICE_PORT} -s rr"));
    scene.ipvsadm(&format!("-a -u {VIP}:{SERVICE_PORT} -r 10.0.100.11:53 -m"));
    let announced = announced_ports(&scene);
    let outside = SocketAddrV4::new(CLIENTS[0], OUTSIDE_PORT);
    let host = scene.in_client(|| UdpSocket::bind(outside).unwrap());
    host.set_read_timeout(Some(PATIENCE)).unwrap();
    for port in [53, 1024, SERVICE_PORT, 65_535] {
        let source = SocketAddrV4::new(server_address(1), port);
        let server = scene.server(1).run(|| UdpSocket::bind(source).unwrap());
        let server = server.unwrap();
        server.set_read_timeout(Some(PATIENCE)).unwrap();
        server.send_to(b"question", outside).unwrap();
        let mut text = [0; 100];
        let (length, from) = host.recv_from(&mut text).unwrap();
        assert_eq!(&text[..length], b"question");
        check(from, &announced);
        host.send_to(b"answer", from).unwrap();
        let (length, from) = server.recv_from(&mut text).unwrap();
        assert_eq!(&text[..length], b"answer");
        assert_eq!(from, SocketAddr::from(outside));
    }
}

#[track_caller]
fn check(seen: SocketAddr, announced: &std::ops::RangeInclusive<u16>) {
    assert_eq!(seen.ip(), DIRECTOR_OUTER);
    assert!(
        announced.contains(&seen.port()),
        "{seen}, not {announced:?}"
    );
    assert_ne!(seen.port(), SERVICE_PORT);
}

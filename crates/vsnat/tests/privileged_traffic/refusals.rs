//! What the director does not carry: denied clients, and connections that no
//! server can take. What is not a service's goes on all the while.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddrV4, TcpStream, UdpSocket};
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};
use vsnat_lab::servers::echo::EchoServer;
use vsnat_lab::{CLIENTS, Plan, VIP, server_address};

use crate::frame::icmp_echo;
use crate::scenario::{Scene, run_in};

const SERVICE: SocketAddrV4 = SocketAddrV4::new(VIP, 7);
const PATIENCE: Duration = Duration::from_secs(5);
/// Longer than any answer in a lab takes.
const SILENCE: Duration = Duration::from_millis(700);

/// An echo service over TCP and UDP, with a real server.
fn echo_service(name: &str) -> (Scene, EchoServer) {
    let scene = service_without_servers(name);
    let address = SocketAddrV4::new(server_address(1), 7);
    let server = EchoServer::start(&scene.server(1), "server1", address).unwrap();
    for protocol in ["-t", "-u"] {
        scene.ipvsadm(&format!("-a {protocol} {SERVICE} -r {address} -m"));
    }
    (scene, server)
}

fn service_without_servers(name: &str) -> Scene {
    let plan = Plan {
        servers: 1,
        ..Plan::default()
    };
    let scene = Scene::new(name, &plan);
    for protocol in ["-t", "-u"] {
        scene.ipvsadm(&format!("-A {protocol} {SERVICE} -s rr"));
    }
    scene
}

fn connect(client: Ipv4Addr, patience: Duration) -> std::io::Result<TcpStream> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.bind(&SocketAddrV4::new(client, 0).into())?;
    socket.connect_timeout(&SERVICE.into(), patience)?;
    socket.set_read_timeout(Some(patience))?;
    Ok(socket.into())
}

fn echo(stream: &mut TcpStream) -> std::io::Result<()> {
    stream.write_all(b"hello")?;
    stream.read_exact(&mut [0; 5])
}

fn udp(client: Ipv4Addr, patience: Duration) -> UdpSocket {
    let socket = UdpSocket::bind(SocketAddrV4::new(client, 0)).unwrap();
    socket.set_read_timeout(Some(patience)).unwrap();
    socket.connect(SERVICE).unwrap();
    socket
}

/// Waits for a datagram; the kind of the error where there is none.
fn answer(socket: &UdpSocket) -> Result<usize, ErrorKind> {
    socket.recv(&mut [0; 9000]).map_err(|error| error.kind())
}

fn ping(client: Ipv4Addr) -> std::io::Result<()> {
    let socket = Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::ICMPV4))?;
    socket.bind(&SocketAddrV4::new(client, 0).into())?;
    socket.connect(&SocketAddrV4::new(VIP, 0).into())?;
    socket.set_read_timeout(Some(PATIENCE))?;
    socket.send(&icmp_echo(b"are you there"))?;
    let mut reply = [0; 100];
    let length = (&socket).read(&mut reply)?;
    assert_eq!(reply[20], 0, "no echo reply: {:?}", &reply[..length]);
    Ok(())
}

#[test]
fn a_denied_client_gets_nothing_from_a_service() {
    let (scene, _server) = echo_service("scadeny");
    let (good, bad) = (CLIENTS[0], CLIENTS[1]);
    let mut open_before = scene.in_client(|| connect(bad, PATIENCE)).unwrap();
    echo(&mut open_before).unwrap();
    scene
        .director()
        .ctl(&["deny", "add", &bad.to_string()])
        .unwrap();

    let refused = scene.in_client(|| connect(bad, SILENCE)).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::TimedOut);
    let datagram = scene.in_client(|| udp(bad, SILENCE));
    datagram.send(b"hello").unwrap();
    assert_eq!(answer(&datagram), Err(ErrorKind::WouldBlock));
    open_before.set_read_timeout(Some(SILENCE)).unwrap();
    assert_eq!(
        echo(&mut open_before).unwrap_err().kind(),
        ErrorKind::WouldBlock,
        "an open connection is denied too"
    );
    assert!(scene.count("denied") >= 3);

    // The address itself is the host's: its stack answers.
    scene.in_client(|| ping(bad)).unwrap();
    let mut stream = scene.in_client(|| connect(good, PATIENCE)).unwrap();
    echo(&mut stream).unwrap();

    scene
        .director()
        .ctl(&["deny", "del", &bad.to_string()])
        .unwrap();
    let mut again = scene.in_client(|| connect(bad, PATIENCE)).unwrap();
    echo(&mut again).unwrap();
}

#[test]
fn the_hosts_own_rules_do_not_see_the_traffic_of_services() {
    let (scene, _server) = echo_service("scarules");
    let director = scene.cluster.director();
    for line in [
        "nft add table inet strict",
        "nft add chain inet strict prerouting { type filter hook prerouting priority raw; policy drop; }",
        "nft add chain inet strict input { type filter hook input priority 0; policy drop; }",
        "nft add chain inet strict forward { type filter hook forward priority 0; policy drop; }",
        "nft add chain inet strict output { type filter hook output priority 0; policy drop; }",
    ] {
        run_in(&director, line);
    }
    let refused = scene.in_client(|| ping(CLIENTS[0])).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::WouldBlock, "the rules hold");
    let mut stream = scene.in_client(|| connect(CLIENTS[0], PATIENCE)).unwrap();
    echo(&mut stream).unwrap();
    let socket = scene.in_client(|| udp(CLIENTS[0], PATIENCE));
    socket.send(b"hello").unwrap();
    assert!(answer(&socket).is_ok());
}

#[test]
fn a_service_without_servers_refuses_by_port_unreachable() {
    let scene = service_without_servers("scanoserver");
    let icmp = scene.in_client(|| {
        let socket = Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::ICMPV4)).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket
    });
    let refused = scene
        .in_client(|| connect(CLIENTS[0], PATIENCE))
        .unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    let socket = scene.in_client(|| udp(CLIENTS[0], PATIENCE));
    socket.send(b"hello").unwrap();
    assert_eq!(answer(&socket), Err(ErrorKind::ConnectionRefused));

    for protocol in [6, 17] {
        let mut message = [0; 576];
        let length = (&icmp).read(&mut message).unwrap();
        let (from, icmp, quoted) = (&message[12..16], &message[20..22], &message[28..length]);
        assert_eq!(from, VIP.octets());
        assert_eq!(icmp, [3, 3], "type and code");
        assert_eq!(quoted[9], protocol);
        assert_eq!(&quoted[16..20], VIP.octets());
        assert_eq!(&quoted[22..24], SERVICE.port().to_be_bytes());
    }
    assert_eq!(scene.count("no_server"), 2);
    assert_eq!(scene.count("icmp_sent"), 2);
    assert_eq!(scene.count("opened"), 0);
}

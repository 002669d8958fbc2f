//! A real server behind a router of its own, whose link is narrower than all
//! others: what the router and the server say about packets reaches the client.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddrV4, TcpStream, UdpSocket};
use std::os::fd::AsRawFd;
use std::time::Duration;

use vsnat_lab::servers::echo::EchoServer;
use vsnat_lab::{CLIENTS, Plan, VIP};

use crate::scenario::{Scene, run_in};

const SERVICE: SocketAddrV4 = SocketAddrV4::new(VIP, 7);
const SERVER: Ipv4Addr = Ipv4Addr::new(10, 1, 0, 2);
const PATIENCE: Duration = Duration::from_secs(10);
/// Bytes sent to a server that is asked for them all back.
const BULK: usize = 1 << 20;

/// The first server is a router now, and behind it is the second one. It tells
/// clients of the full size of a segment, so that only the router knows better.
fn behind_a_router(name: &str) -> (Scene, EchoServer) {
    let plan = Plan {
        servers: 2,
        ..Plan::default()
    };
    let scene = Scene::new(name, &plan);
    let (router, server) = (scene.server(1), scene.server(2));
    for line in [
        &format!(
            "ip link add beyond type veth peer name near netns {}",
            server.name()
        ),
        "ip addr add 10.1.0.1/24 dev beyond",
        "ip link set beyond mtu 1400 up",
        "sysctl -qw net.ipv4.ip_forward=1",
    ] {
        run_in(&router, line);
    }
    for line in [
        "ip addr add 10.1.0.2/24 dev near",
        "ip link set near up",
        "ip route replace default via 10.1.0.1 mtu lock 1400 advmss 1460",
    ] {
        run_in(&server, line);
    }
    run_in(
        &scene.cluster.director(),
        "ip route add 10.1.0.0/24 via 10.0.100.11",
    );
    let address = SocketAddrV4::new(SERVER, 7);
    let echo = EchoServer::start(&server, "server2", address).unwrap();
    for protocol in ["-t", "-u"] {
        scene.ipvsadm(&format!("-A {protocol} {SERVICE} -s rr"));
        scene.ipvsadm(&format!("-a {protocol} {SERVICE} -r {address} -m"));
    }
    (scene, echo)
}

/// The route's MTU, as the client has learnt it.
fn learnt_mtu(scene: &Scene) -> Option<u32> {
    let line = format!("ip route get {VIP} from {}", CLIENTS[0]);
    let text = run_in(&scene.cluster.client(), &line);
    let mut words = text.split_whitespace().skip_while(|word| *word != "mtu");
    words.nth(1)?.parse().ok()
}

#[test]
fn a_router_tells_the_client_how_large_packets_may_be() {
    let (scene, _server) = behind_a_router("scbeyond");
    assert_eq!(learnt_mtu(&scene), None);
    scene.in_client(|| {
        let mut stream = TcpStream::connect(SERVICE).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut reader = stream.try_clone().unwrap();
        let sender = std::thread::spawn(move || stream.write_all(&vec![7; BULK]).unwrap());
        reader.read_exact(&mut vec![0; BULK]).unwrap();
        sender.join().unwrap();
    });
    assert_eq!(learnt_mtu(&scene), Some(1_400));
    assert!(scene.count("error_translated") > 0);
}

#[test]
fn datagrams_that_may_be_fragmented_pass_a_narrow_link_both_ways() {
    let (scene, _server) = behind_a_router("scbeyondu");
    let socket = scene.in_client(|| UdpSocket::bind((CLIENTS[0], 0)).unwrap());
    let never = libc::IP_PMTUDISC_DONT;
    // SAFETY: an option of an open socket, given as an integer.
    let set = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::IPPROTO_IP,
            libc::IP_MTU_DISCOVER,
            (&raw const never).cast(),
            size_of_val(&never) as u32,
        )
    };
    assert_eq!(set, 0);
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket.connect(SERVICE).unwrap();
    let mut answer = [0; 9_000];
    // In one piece up to the router, and in several.
    for length in [1_450, 4_000] {
        let question = vec![9; length];
        socket.send(&question).unwrap();
        let received = socket.recv(&mut answer).unwrap();
        // In front the server says who has asked.
        assert!(answer[..received].ends_with(&question), "{length} bytes");
    }
    assert_eq!(scene.count("error_translated"), 0);
}

#[test]
fn traceroute_sees_every_router_as_the_vip() {
    let (scene, _server) = behind_a_router("sctrace");
    let client = scene.cluster.client();
    let service = format!("{VIP}:33434");
    scene.ipvsadm(&format!("-A -u {service} -s rr"));
    scene.ipvsadm(&format!("-a -u {service} -r {SERVER}:33434 -m"));
    // Director, router, server; and to a port that nobody listens on.
    for how in ["-T -p 7", "-U -p 33434"] {
        let text = run_in(&client, &format!("traceroute -n -q 1 -w 2 {how} {VIP}"));
        let hops: Vec<&str> = text.lines().skip(1).collect();
        assert_eq!(hops.len(), 3, "{text}");
        let says = |hop: &&str| hop.split_whitespace().nth(1) == Some("192.168.28.167");
        assert!(hops.iter().all(says), "{text}");
    }
}

#[test]
fn tracepath_finds_the_narrow_link() {
    let (scene, _server) = behind_a_router("sctracepath");
    let rule = format!("mark add --mark 1 --protocol udp --destination {VIP} --ports 44444-44500");
    let rule: Vec<&str> = rule.split_whitespace().collect();
    scene.director().ctl(&rule).unwrap();
    scene.ipvsadm("-A -f 1 -s rr");
    scene.ipvsadm(&format!("-a -f 1 -r {SERVER} -m"));
    let text = run_in(&scene.cluster.client(), &format!("tracepath -n {VIP}"));
    assert!(text.contains("reached"), "{text}");
    assert!(text.contains("Resume: pmtu 1400 hops 3"), "{text}");
}

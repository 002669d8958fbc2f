//! Clients that are no strangers: real servers and the director itself; and
//! servers that see no client.

use std::net::{SocketAddrV4, UdpSocket};
use std::time::Duration;

use vsnat_lab::servers::bulk::{self, BulkServer, Pattern};
use vsnat_lab::servers::echo::EchoServer;
use vsnat_lab::servers::{Capacity, RealServer, ServerKind, ServerOptions};
use vsnat_lab::{GATEWAY, Namespace, Plan, VIP, server_address};

use crate::scenario::{Scene, run_in};

const WEB: SocketAddrV4 = SocketAddrV4::new(VIP, 80);
const BULK: SocketAddrV4 = SocketAddrV4::new(VIP, 9_000);
const ECHO: SocketAddrV4 = SocketAddrV4::new(VIP, 7);
const REQUESTS: usize = 100;
const BYTES: u64 = 20_000_000;
const PATIENCE: Duration = Duration::from_secs(10);
const ACCEPT_LOCAL: &str = "net/ipv4/conf/lo/accept_local";

/// Web servers behind the service on port 80, one after the other.
fn shop(scene: &Scene) -> Vec<RealServer> {
    scene.ipvsadm(&format!("-A -t {WEB} -s rr"));
    let servers = scene.cluster.servers();
    let start = |number: usize| {
        let options = ServerOptions {
            name: format!("server{number}"),
            address: SocketAddrV4::new(server_address(number as u8), 80),
            capacity: Capacity::Unlimited,
        };
        let namespace = scene.server(number as u8);
        scene.ipvsadm(&format!("-a -t {WEB} -r {} -m", options.address));
        let folder = scene.cluster.state_dir();
        RealServer::start(ServerKind::Embedded, &namespace, &options, &folder).unwrap()
    };
    (1..=servers.len()).map(start).collect()
}

/// One connection for each request.
fn ask(namespace: &Namespace, requests: usize) {
    let url = format!("http://{VIP}/[1-{requests}]");
    let codes = run_in(
        namespace,
        &format!("curl -s -o /dev/null -w %{{http_code}}. -H Connection:close --max-time 30 {url}"),
    );
    assert_eq!(codes.matches("200.").count(), requests, "{codes}");
}

#[track_caller]
fn assert_shared(servers: &[RealServer], requests: usize) {
    let share = (requests / servers.len()) as u64;
    for server in servers {
        assert_eq!(server.counts().unwrap().requests, share);
    }
}

#[track_caller]
fn each_way(namespace: &Namespace) {
    let transfer = || (bulk::download(BULK, BYTES), bulk::upload(BULK, BYTES));
    let (down, up) = namespace.run(transfer).unwrap();
    assert_eq!(down.unwrap(), Pattern::digest(BYTES));
    assert_eq!(up.unwrap(), Pattern::digest(BYTES));
}

/// A datagram there and back.
#[track_caller]
fn echo(namespace: &Namespace, length: usize) {
    let socket = namespace.run(|| UdpSocket::bind("0.0.0.0:0")).unwrap();
    let socket = socket.unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket.connect(ECHO).unwrap();
    let question = vec![5; length];
    socket.send(&question).unwrap();
    let mut answer = [0; 4_000];
    let received = socket.recv(&mut answer).unwrap();
    assert!(answer[..received].ends_with(&question));
}

/// The first server behind the services for bulk and echo.
fn talkers(scene: &Scene) -> (BulkServer, EchoServer) {
    let bulk = SocketAddrV4::new(server_address(1), 9_000);
    let echo = SocketAddrV4::new(server_address(1), 7);
    for (option, service, server) in [("-t", BULK, bulk), ("-u", ECHO, echo)] {
        scene.ipvsadm(&format!("-A {option} {service} -s rr"));
        scene.ipvsadm(&format!("-a {option} {service} -r {server} -m"));
    }
    let namespace = scene.server(1);
    (
        BulkServer::start(&namespace, "bulk", bulk).unwrap(),
        EchoServer::start(&namespace, "echo", echo).unwrap(),
    )
}

#[test]
fn a_server_calls_its_own_vip() {
    let scene = Scene::new("scwithina", &Plan::default());
    let servers = shop(&scene);
    let caller = scene.server(1);
    ask(&caller, REQUESTS);
    assert_shared(&servers, REQUESTS);
    let _talkers = talkers(&scene);
    // The only server of these services is the caller itself.
    each_way(&caller);
    echo(&caller, 1_000);
    each_way(&scene.server(2));
    echo(&scene.server(2), 1_000);
    assert_eq!(scene.count("martian"), 0);
}

#[test]
fn the_director_calls_its_own_vip() {
    let mut scene = Scene::without_director("scwithind", &Plan::default());
    let director = scene.cluster.director();
    let before = director.sysctl(ACCEPT_LOCAL).unwrap();
    scene.start_director(&vsnat_lab::director::config());
    let servers = shop(&scene);
    ask(&director, REQUESTS);
    assert_shared(&servers, REQUESTS);
    let _talkers = talkers(&scene);
    each_way(&director);
    echo(&director, 1_000);
    // As the address on the servers' side, which is no VIP.
    let curl = format!("curl -s -o /dev/null --interface {GATEWAY} --max-time 10 http://{VIP}/");
    run_in(&director, &curl);
    // A port without a service refuses at once, as on any host.
    let refused = format!("curl -s -o /dev/null -w %{{exitcode}} --max-time 10 http://{VIP}:81/");
    let code = director.run(|| {
        let words: Vec<&str> = refused.split_whitespace().collect();
        let output = std::process::Command::new(words[0])
            .args(&words[1..])
            .output();
        output.unwrap().status.code()
    });
    assert_eq!(code.unwrap(), Some(7), "curl could not connect");
    assert_eq!(scene.count("martian"), 0);
    // The data plane goes on without its daemon, and goes wholly with `down`.
    scene.kill_director();
    ask(&director, 8);
    scene.remove_data_plane();
    assert_eq!(director.sysctl(ACCEPT_LOCAL).unwrap(), before);
    assert!(!run_in(&director, "bpftool net show dev lo").contains("vsnat"));
}

#[test]
fn nobody_left_is_told_at_once_within_too() {
    let scene = Scene::new("scwithinn", &Plan::default());
    scene.ipvsadm(&format!("-A -t {WEB} -s rr"));
    for namespace in [scene.server(1), scene.cluster.director()] {
        let code = namespace.run(|| {
            let url = format!("http://{VIP}/");
            let arguments = ["-s", "-o", "/dev/null", "--max-time", "10", &url];
            let output = std::process::Command::new("curl").args(arguments).output();
            output.unwrap().status.code()
        });
        assert_eq!(code.unwrap(), Some(7), "curl could not connect");
    }
    assert_eq!(scene.count("no_server"), 2);
}

#[test]
fn servers_without_a_way_to_their_clients() {
    let mut scene = Scene::without_director("scwithins", &Plan::default());
    let lines: String = (1..=4)
        .map(|number| {
            let address = server_address(number);
            run_in(&scene.server(number), "ip route del default");
            format!("[[service.server]]\naddress = \"{address}\"\n")
        })
        .collect();
    let config = vsnat_lab::director::config();
    scene.start_director(&format!(
        "{config}\n[[service]]\nprotocol = \"tcp\"\naddress = \"{WEB}\"\nscheduler = \"rr\"\n\
         source = \"director\"\n{lines}"
    ));
    let listed = scene.director().ctl(&["servers"]).unwrap();
    assert!(listed.contains("source director"), "{listed}");
    let servers: Vec<RealServer> = (1..=4)
        .map(|number| {
            let options = ServerOptions {
                name: format!("server{number}"),
                address: SocketAddrV4::new(server_address(number), 80),
                capacity: Capacity::Unlimited,
            };
            let folder = scene.cluster.state_dir();
            let namespace = scene.server(number);
            RealServer::start(ServerKind::Embedded, &namespace, &options, &folder).unwrap()
        })
        .collect();
    ask(&scene.cluster.client(), REQUESTS);
    assert_shared(&servers, REQUESTS);
    let seen = run_in(
        &scene.cluster.client(),
        &format!("curl -s -D - -o /dev/null http://{VIP}/"),
    );
    let wanted = format!("x-client-address: {GATEWAY}:");
    assert!(seen.to_lowercase().contains(&wanted), "{seen}");
}

//! A lab without a director: plain routing, real servers, load, teardown.
//! Needs root, because it makes network namespaces.
#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

use std::io::{Read, Write};
use std::net::{SocketAddrV4, TcpStream, UdpSocket};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use vsnat_lab::load::{self, Connections, LoadPlan, LoadResult, SourcePool};
use vsnat_lab::progress::Unseen;
use vsnat_lab::servers::bulk::{self, BulkServer, Pattern};
use vsnat_lab::servers::echo::EchoServer;
use vsnat_lab::servers::http::HttpServer;
use vsnat_lab::servers::{Capacity, DOCUMENT_BYTES, RealServer, ServerKind, ServerOptions};
use vsnat_lab::{CLIENTS, Cancel, Cluster, LabError, LabName, Node, Offload, Plan, remove};

fn build(name: &str, plan: &Plan) -> Cluster {
    Cluster::build(&LabName::new(name).unwrap(), plan).expect("these tests need root and iproute2")
}

fn options(cluster: &Cluster, number: usize, capacity: Capacity) -> ServerOptions {
    let (node, address) = cluster.servers()[number - 1];
    ServerOptions {
        name: node.to_string(),
        address,
        capacity,
    }
}

fn load(cluster: &Cluster, targets: Vec<SocketAddrV4>, connections: Connections) -> LoadResult {
    let plan = LoadPlan {
        targets,
        requests: 2000,
        concurrency: 32,
        connections,
        timeout: Duration::from_secs(10),
        document_bytes: DOCUMENT_BYTES,
    };
    let sources = SourcePool::new(&CLIENTS);
    load::run(
        &cluster.client(),
        &plan,
        &sources,
        Arc::new(Unseen),
        &Cancel::default(),
    )
    .unwrap()
}

fn traces(name: &str) -> Vec<String> {
    let listed = std::fs::read_dir("/run/netns").unwrap();
    let mut traces: Vec<String> = listed
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|file| file.starts_with(&format!("vsnat-lab-{name}-")))
        .collect();
    if Path::new("/run/vsnat/lab").join(name).exists() {
        traces.push("state folder".to_owned());
    }
    traces
}

#[test]
fn unheld_and_held_servers_answer_every_request() {
    let cluster = build("routed", &Plan::default());
    let _routing = cluster.route_plainly().unwrap();
    let (node, address) = cluster.servers()[0];
    let start = |capacity| {
        let options = options(&cluster, 1, capacity);
        HttpServer::start(&cluster.namespace(node), &options).unwrap()
    };

    for connections in [Connections::OnePerRequest, Connections::KeptAlive] {
        let server = start(Capacity::Unlimited);
        let result = load(&cluster, vec![address], connections);
        assert_eq!(result.failures.total(), 0, "{:?}", result.failures);
        assert_eq!(result.per_server["server1"], 2000);
        assert_eq!(result.document_bytes, 4100);
        assert_eq!(server.counts().requests, 2000);
        let expected = match connections {
            Connections::OnePerRequest => 2000,
            Connections::KeptAlive => 32,
        };
        assert_eq!(server.counts().connections, expected);
    }

    let per_request = Duration::from_millis(1);
    let _server = start(Capacity::OneAtATime { per_request });
    let result = load(&cluster, vec![address], Connections::OnePerRequest);
    assert_eq!(result.failures.total(), 0, "{:?}", result.failures);
    assert!(result.elapsed >= per_request * 2000, "{:?}", result.elapsed);
}

#[test]
fn targets_are_taken_in_turn() {
    let cluster = build("turn", &Plan::default());
    let _routing = cluster.route_plainly().unwrap();
    let mut servers = Vec::new();
    for (number, (node, _)) in (1..).zip(cluster.servers()) {
        let options = options(&cluster, number, Capacity::Unlimited);
        servers.push(HttpServer::start(&cluster.namespace(node), &options).unwrap());
    }
    let targets = cluster
        .servers()
        .iter()
        .map(|(_, address)| *address)
        .collect();
    let result = load(&cluster, targets, Connections::OnePerRequest);
    assert_eq!(result.failures.total(), 0, "{:?}", result.failures);
    assert_eq!(result.per_server.len(), 4);
    assert!(result.per_server.values().all(|count| *count == 500));
}

#[test]
fn the_server_says_who_it_is_and_whom_it_answers() {
    let cluster = build(
        "header",
        &Plan {
            servers: 1,
            ..Plan::default()
        },
    );
    let _routing = cluster.route_plainly().unwrap();
    let (node, address) = cluster.servers()[0];
    let options = options(&cluster, 1, Capacity::Unlimited);
    let _server = HttpServer::start(&cluster.namespace(node), &options).unwrap();
    let answer = cluster.client().run(|| {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.write_all(b"GET / HTTP/1.0\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    });
    let answer = answer.unwrap();
    assert!(answer.contains("X-Real-Server: server1\r\n"), "{answer}");
    assert!(
        answer.contains("X-Client-Address: 192.168.28.10:"),
        "{answer}"
    );
}

#[test]
fn installed_servers_serve_the_same_document() {
    let cluster = build(
        "installed",
        &Plan {
            servers: 2,
            ..Plan::default()
        },
    );
    let _routing = cluster.route_plainly().unwrap();
    for (number, kind) in [(1, ServerKind::Apache), (2, ServerKind::Nginx)] {
        let (node, address) = cluster.servers()[number - 1];
        let options = options(&cluster, number, Capacity::Unlimited);
        let namespace = cluster.namespace(node);
        let server = RealServer::start(kind, &namespace, &options, &cluster.state_dir()).unwrap();
        let result = load(&cluster, vec![address], Connections::OnePerRequest);
        assert_eq!(result.failures.total(), 0, "{kind}: {:?}", result.failures);
        assert_eq!(result.per_server[&node.to_string()], 2000, "{kind}");
        drop(server);
        assert!(
            namespace.processes().unwrap().is_empty(),
            "{kind} left a process"
        );
    }
}

#[test]
fn echo_and_bulk_peers() {
    let plan = Plan {
        servers: 1,
        inner_mtu_bytes: 1400,
        outer_mtu_bytes: 1492,
        segmentation: Offload::Off,
        checksums: Offload::Off,
    };
    let cluster = build("peers", &plan);
    let _routing = cluster.route_plainly().unwrap();
    let server = cluster.namespace(Node::Server(1));
    let at = |port| SocketAddrV4::new(*cluster.servers()[0].1.ip(), port);
    let _echo = EchoServer::start(&server, "server1", at(7)).unwrap();
    let _bulk = BulkServer::start(&server, "server1", at(9)).unwrap();
    let exchange = || {
        let mut stream = TcpStream::connect(at(7)).unwrap();
        stream.write_all(b"hello").unwrap();
        let mut back = [0; 5];
        stream.read_exact(&mut back).unwrap();
        let socket = UdpSocket::bind("0.0.0.0:4000").unwrap();
        socket.send_to(b"who", at(7)).unwrap();
        let mut reply = [0; 100];
        let (length, _) = socket.recv_from(&mut reply).unwrap();
        let reply = String::from_utf8(reply[..length].to_vec()).unwrap();
        (back, reply)
    };
    let (back, reply) = cluster.client().run(exchange).unwrap();
    assert_eq!(&back, b"hello");
    assert_eq!(reply, "server1 192.168.28.10:4000 who");

    let bytes = 5_000_001;
    let transfer = || (bulk::download(at(9), bytes), bulk::upload(at(9), bytes));
    let (down, up) = cluster.client().run(transfer).unwrap();
    assert_eq!(down.unwrap(), Pattern::digest(bytes));
    assert_eq!(up.unwrap(), Pattern::digest(bytes));
}

#[test]
fn removal_leaves_no_trace() {
    let name = LabName::new("traces").unwrap();
    let cluster = build("traces", &Plan::default());
    let in_use = Cluster::build(&name, &Plan::default()).unwrap_err();
    assert!(matches!(in_use, LabError::InUse { .. }), "{in_use}");
    let mut sleeper = cluster
        .client()
        .spawn(std::process::Command::new("sleep").arg("600"))
        .unwrap();
    // Interfaces live in the namespaces only, never in the machine's own.
    assert!(!Path::new("/sys/class/net/srv1").exists());
    cluster.stay().unwrap();
    assert_eq!(traces("traces").len(), 7);
    let standing = Cluster::build(&name, &Plan::default()).unwrap_err();
    assert!(matches!(standing, LabError::Exists { .. }), "{standing}");

    let removal = remove(&name, None).unwrap();
    assert_eq!((removal.namespaces.len(), removal.processes), (6, 1));
    assert_eq!(traces("traces"), Vec::<String>::new());
    let _ = sleeper.wait();
    assert!(remove(&name, None).unwrap().is_empty());
}

#[test]
fn what_a_dead_owner_left_is_cleared() {
    let name = LabName::new("crashed").unwrap();
    let plan = Plan::default();
    std::mem::forget(build("crashed", &plan));
    // No process of this number was ever started at this time.
    std::fs::write(name.state_dir().join("owner.pid"), "1 1\n").unwrap();
    let cluster = build("crashed", &plan);
    assert_eq!(traces("crashed").len(), 7);
    cluster.remove().unwrap();
    assert_eq!(traces("crashed"), Vec::<String>::new());
}

#[test]
fn forwarding_that_is_not_the_labs_is_refused() {
    let cluster = build(
        "forward",
        &Plan {
            servers: 1,
            ..Plan::default()
        },
    );
    let key = "net/ipv4/ip_forward";
    let routing = cluster.route_plainly().unwrap();
    assert_eq!(cluster.director().sysctl(key).unwrap(), "1");
    let refused = cluster.route_plainly().unwrap_err();
    assert!(
        matches!(refused, LabError::ForwardingIsOn { .. }),
        "{refused}"
    );
    drop(routing);
    assert_eq!(cluster.director().sysctl(key).unwrap(), "0");
}

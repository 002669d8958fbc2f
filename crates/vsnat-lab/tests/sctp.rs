//! The SCTP peers over plain routing, without a director.
//! Needs root, because it makes network namespaces and opens raw sockets.
#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

use std::net::{Ipv4Addr, SocketAddrV4};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use vsnat_lab::sctp::{self, Association, SctpCounts, SctpServer};
use vsnat_lab::{Cluster, LabError, LabName, Node, PlainRouting, Plan};

const PORT: u16 = 2_905;
/// For counters of packets that are on their way.
const PATIENCE: Duration = Duration::from_secs(5);

struct Bench {
    cluster: Cluster,
    server: SctpServer,
    address: SocketAddrV4,
    _routing: PlainRouting,
}

impl Bench {
    fn new(name: &str) -> Bench {
        let plan = Plan {
            servers: 1,
            ..Plan::default()
        };
        let cluster = Cluster::build(&LabName::new(name).unwrap(), &plan)
            .expect("these tests need root and iproute2");
        let routing = cluster.route_plainly().unwrap();
        let address = SocketAddrV4::new(*cluster.servers()[0].1.ip(), PORT);
        let namespace = cluster.namespace(Node::Server(1));
        let server = SctpServer::start(&namespace, "server1", address).unwrap();
        Bench {
            cluster,
            server,
            address,
            _routing: routing,
        }
    }

    fn in_client<T: Send>(&self, work: impl FnOnce(SocketAddrV4) -> T + Send) -> T {
        let address = self.address;
        self.cluster.client().run(|| work(address)).unwrap()
    }

    /// Lets the router put another verification tag into packets from or to
    /// the server, as one that forgets the checksum.
    fn spoil(&self, side: &str) {
        let rules = format!(
            "add table ip spoil; \
             add chain ip spoil forward {{ type filter hook forward priority 0; }}; \
             add rule ip spoil forward ip protocol 132 ip {side} {} @th,32,32 set 0x01020304",
            self.address.ip()
        );
        let mut nft = Command::new("nft");
        nft.arg(rules);
        self.cluster.director().output(&mut nft).unwrap();
    }

    fn wait(&self, reached: impl Fn(SctpCounts) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !reached(self.server.counts()) {
            assert!(Instant::now() < deadline, "{:?}", self.server.counts());
            thread::sleep(Duration::from_millis(10));
        }
    }
}

fn anywhere() -> SocketAddrV4 {
    SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 0)
}

#[test]
fn a_thousand_messages_come_back() {
    let bench = Bench::new("sctpecho");
    let local = SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 50_001);
    let exchange = bench.in_client(|server| sctp::exchange(local, server, 1_000));
    let exchange = exchange.unwrap();
    assert_eq!(exchange.server, "server1");
    assert_eq!(exchange.seen.port(), 50_001);
    assert_eq!(exchange.messages, 1_000);
    // INIT ACK, COOKIE ACK, the introduction, the messages, SHUTDOWN ACK.
    assert!(exchange.packets >= 1_004, "{exchange:?}");
    bench.wait(|counts| counts.shutdowns == 1);
    let counts = bench.server.counts();
    let expected = SctpCounts {
        associations: 1,
        messages: 1_001,
        shutdowns: 1,
        ..SctpCounts::default()
    };
    assert_eq!(counts, expected);
}

#[test]
fn associations_are_held_and_aborted_one_by_one() {
    let bench = Bench::new("sctpabort");
    let (first, second) = bench
        .in_client(|server| {
            let first = Association::open(anywhere(), server)?;
            let second = Association::open(anywhere(), server)?;
            Ok::<_, LabError>((first, second))
        })
        .unwrap();
    bench.wait(|counts| counts.associations == 2);
    bench.in_client(|_| first.abort()).unwrap();
    bench.wait(|counts| counts.aborts == 1);
    let mut second = second;
    bench.in_client(|_| second.send(b"still here")).unwrap();
    assert_eq!(bench.server.counts().messages, 1);
}

#[test]
fn a_router_that_forgets_the_checksum_is_noticed_by_the_server() {
    let bench = Bench::new("sctpbadin");
    bench.spoil("daddr");
    let opened = bench.in_client(|server| Association::open(anywhere(), server));
    assert!(opened.unwrap_err().to_string().contains("no answer"));
    let counts = bench.server.counts();
    assert!(counts.bad_checksums > 0, "{counts:?}");
    assert_eq!(counts.associations, 0);
}

#[test]
fn a_router_that_forgets_the_checksum_is_noticed_by_the_client() {
    let bench = Bench::new("sctpbadout");
    bench.spoil("saddr");
    let opened = bench.in_client(|server| Association::open(anywhere(), server));
    let error = opened.unwrap_err().to_string();
    assert!(error.contains("carries the checksum"), "{error}");
}

#[test]
fn a_machine_without_sctp_is_told_from_a_silent_one() {
    let bench = Bench::new("sctpnobody");
    let address = bench.address;
    drop(bench.server);
    let namespace = bench.cluster.client();
    let opened = namespace.run(|| Association::open(anywhere(), address));
    let error = opened.unwrap().unwrap_err().to_string();
    assert!(!error.contains("no answer"), "{error}");
}

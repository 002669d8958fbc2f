//! Links and hardware addresses that change while no daemon lives to be told.

use std::io::{Read, Write};
use std::net::{SocketAddrV4, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use vsnat_lab::servers::echo::EchoServer;
use vsnat_lab::{GATEWAY, INNER_INTERFACE, OUTER_INTERFACE, Plan, VIP, server_address};

use crate::scenario::{Scene, run_in};

const SERVICE: SocketAddrV4 = SocketAddrV4::new(VIP, 7);
/// What traffic may take to be back.
const BACK_WITHIN: Duration = Duration::from_secs(10);
/// A client that tries anew rather than wait for its own second attempt.
const ATTEMPT: Duration = Duration::from_millis(300);
/// So that a failure tells how long it took.
const GIVE_UP: Duration = Duration::from_secs(60);

/// A neighbour that has just been used for the first time is asked again soon
/// in any case; after this the kernel's ordinary timers would leave it alone.
const LONG_ENOUGH_TO_BE_KNOWN: Duration = Duration::from_millis(7_500);

struct Carried {
    scene: Scene,
    _server: EchoServer,
    established: TcpStream,
}

impl Carried {
    /// A connection that has been answered, and a daemon that is dead.
    fn with_daemon_dead(name: &str) -> Self {
        let plan = Plan {
            servers: 1,
            ..Plan::default()
        };
        let mut scene = Scene::new(name, &plan);
        let address = SocketAddrV4::new(server_address(1), 7);
        let server = EchoServer::start(&scene.server(1), "server1", address).unwrap();
        scene.ipvsadm(&format!("-A -t {SERVICE} -s rr"));
        scene.ipvsadm(&format!("-a -t {SERVICE} -r {address} -m"));
        let mut established = scene.in_client(connect).unwrap();
        assert!(answers(&mut established));
        scene.kill_director();
        assert!(answers(&mut established), "the data plane works alone");
        Carried {
            scene,
            _server: server,
            established,
        }
    }

    /// The open connection is in use for a while.
    fn converse(&mut self, duration: Duration) {
        let start = Instant::now();
        while start.elapsed() < duration {
            assert!(answers(&mut self.established));
            thread::sleep(ATTEMPT);
        }
    }

    fn gateway_mac(&self) -> String {
        let director = self.scene.cluster.director();
        let link = run_in(&director, &format!("ip -o link show {INNER_INTERFACE}"));
        let (_, rest) = link.split_once("link/ether ").unwrap();
        rest.split_whitespace().next().unwrap().to_owned()
    }

    /// Both the open connection and new ones must be answered again in time.
    #[track_caller]
    fn assert_back(mut self) {
        let change = Instant::now();
        let established = &mut self.established;
        let client = self.scene.cluster.client();
        let (old, new) = thread::scope(|scope| {
            let new = scope.spawn(|| client.run(|| time_to_new_answer(change)).unwrap());
            (time_to_answer(established, change), new.join().unwrap())
        });
        assert!(
            old <= BACK_WITHIN && new <= BACK_WITHIN,
            "the open connection took {old:?}, a new one {new:?}"
        );
    }
}

fn connect() -> std::io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&SERVICE.into(), ATTEMPT)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(ATTEMPT))?;
    Ok(stream)
}

fn answers(stream: &mut TcpStream) -> bool {
    let sent = stream.write(b".");
    sent.is_ok() && stream.read(&mut [0; 100]).is_ok_and(|length| length > 0)
}

fn time_to_answer(stream: &mut TcpStream, change: Instant) -> Duration {
    while !answers(stream) {
        if change.elapsed() > GIVE_UP {
            break;
        }
    }
    change.elapsed()
}

fn time_to_new_answer(change: Instant) -> Duration {
    while !connect().is_ok_and(|mut stream| answers(&mut stream)) {
        if change.elapsed() > GIVE_UP {
            break;
        }
    }
    change.elapsed()
}

/// Neither the server's kernel nor its connections give the new address away:
/// it asks for nobody, and is sent nothing that it would answer.
#[test]
fn a_server_with_a_new_mac_that_nobody_announced() {
    let mut carried = Carried::with_daemon_dead("scamac");
    let server = carried.scene.server(1);
    let gateway_mac = carried.gateway_mac();
    carried.converse(LONG_ENOUGH_TO_BE_KNOWN);
    assert_eq!(server.sysctl("net/ipv4/conf/all/arp_notify").unwrap(), "0");
    assert_eq!(server.sysctl("net/ipv4/conf/eth0/arp_notify").unwrap(), "0");
    server
        .ip_batch(&format!(
            "link set eth0 address 02:00:00:00:00:99\n\
             neigh replace {GATEWAY} lladdr {gateway_mac} dev eth0 nud permanent\n"
        ))
        .unwrap();
    carried.assert_back();
}

#[test]
fn a_servers_link_down_and_up() {
    let carried = Carried::with_daemon_dead("scaserverlink");
    let server = carried.scene.server(1);
    run_in(&server, "ip link set eth0 down");
    run_in(&server, "ip link set eth0 up");
    run_in(&server, &format!("ip route replace default via {GATEWAY}"));
    carried.assert_back();
}

#[test]
fn the_inner_link_down_and_up() {
    let carried = Carried::with_daemon_dead("scainnerlink");
    let director = carried.scene.cluster.director();
    run_in(&director, &format!("ip link set {INNER_INTERFACE} down"));
    run_in(&director, &format!("ip link set {INNER_INTERFACE} up"));
    carried.assert_back();
}

#[test]
fn the_outer_link_down_and_up() {
    let carried = Carried::with_daemon_dead("scaouterlink");
    let director = carried.scene.cluster.director();
    run_in(&director, &format!("ip link set {OUTER_INTERFACE} down"));
    run_in(&director, &format!("ip link set {OUTER_INTERFACE} up"));
    carried.assert_back();
}

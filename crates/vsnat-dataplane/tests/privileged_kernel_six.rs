//! IPv6 on the wire: real stacks on both sides of the director, with segments
//! of segments, checksums that cards are to fill in, and a smaller link behind
//! it. Needs root.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test says what is wrong by failing"
)]

mod case_table;

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv6Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::process::Command as Process;
use std::sync::mpsc::{Receiver, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use case_table::kernel_world::KernelWorld;
use case_table::six::SERVER6;
use case_table::{SERVER_A, World, add_server, add_service, endpoint};
use nix::sched::{CloneFlags, unshare};
use nix::unistd::gettid;
use vsnat_api::{Protocol, Scheduler, ServiceKey, Side};
use vsnat_dataplane::Limits;

const LIMITS: Limits = Limits {
    connections: 1_000,
    services: 16,
    servers: 64,
};
const PATIENCE: Duration = Duration::from_secs(20);
const VIP: &str = "2001:db8:77::7";
const CLIENT: &str = "2001:db8:1::fe";
/// More than all buffers on the way hold.
const BYTES: usize = 4 << 20;

fn ip(text: &str) {
    for line in text.lines() {
        let done = Process::new("ip").args(line.split_whitespace()).status();
        assert!(done.unwrap().success(), "ip {line}");
    }
}

/// A host at the other end of a link of the director. It speaks when the link
/// is told to be its own.
fn host<T: Send + 'static>(
    link: &'static str,
    set_up: &'static str,
    acts: impl FnOnce() -> T + Send + 'static,
) -> JoinHandle<T> {
    let (tell, told) = channel();
    let (go, gone) = channel();
    let thread = thread::spawn(move || {
        unshare(CloneFlags::CLONE_NEWNET).unwrap();
        tell.send(gettid()).unwrap();
        wait(&gone);
        ip(set_up);
        acts()
    });
    let task = told.recv_timeout(PATIENCE).unwrap();
    ip(&format!("link set {link} netns {task}"));
    go.send(()).unwrap();
    thread
}

fn wait(gone: &Receiver<()>) {
    gone.recv_timeout(PATIENCE).unwrap();
}

fn pattern() -> Vec<u8> {
    (0..BYTES).map(|byte| ((byte * 7) >> 3) as u8).collect()
}

/// Takes one connection, reads all, and sends as much back.
fn serve(address: IpAddr) -> IpAddr {
    let listener = TcpListener::bind(SocketAddr::new(address, 8_080)).unwrap();
    let (mut stream, peer) = listener.accept().unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut heard = Vec::new();
    stream.read_to_end(&mut heard).unwrap();
    assert!(heard == pattern(), "what the server heard");
    stream.write_all(&heard).unwrap();
    peer.ip()
}

fn call() {
    let to = SocketAddr::new(VIP.parse().unwrap(), 80);
    let mut stream = connect(&to);
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(&pattern()).unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    let mut heard = Vec::new();
    stream.read_to_end(&mut heard).unwrap();
    assert!(heard == pattern(), "what the client heard");
}

/// The server may not listen yet.
fn connect(to: &SocketAddr) -> TcpStream {
    for _ in 0..50 {
        if let Ok(stream) = TcpStream::connect_timeout(to, Duration::from_secs(2)) {
            return stream;
        }
        thread::sleep(Duration::from_millis(200));
    }
    panic!("no connection to {to}");
}

const CLIENT_LINK: &str = "link set lo up
link set outer1 address 02:00:00:00:01:fe
link set outer1 up
addr add 2001:db8:1::fe/64 dev outer1 nodad
-6 route add default via 2001:db8:1::1 dev outer1";
const SERVER_LINK: &str = "link set lo up
link set inner1 address 02:00:00:00:02:11
link set inner1 up
addr add 10.9.0.11/24 dev inner1
addr add 2001:db8:9::11/64 dev inner1 nodad
route add default via 10.9.0.1
-6 route add default via 2001:db8:9::1 dev inner1";

/// A client's megabytes to a server of this address and back. Answers the world
/// and whom the server spoke with.
fn conversation(name: &str, server: IpAddr) -> (KernelWorld, IpAddr) {
    let mut world = KernelWorld::new(name, LIMITS);
    let vip = world.hold_stand_in(VIP.parse().unwrap());
    let known_as = match server {
        IpAddr::V4(address) => address,
        IpAddr::V6(address) => world.hold_stand_in(address),
    };
    let key = ServiceKey::Address {
        protocol: Protocol::Tcp,
        address: endpoint(vip.octets(), 80),
    };
    add_service(&mut world, key, Scheduler::Rr);
    add_server(&mut world, key, endpoint(known_as.octets(), 8_080), 1);
    world.plane.attach("outer0", Side::Outer).unwrap();
    world.plane.attach("inner0", Side::Inner).unwrap();
    let server = host("inner1", SERVER_LINK, move || serve(server));
    let client = host("outer1", CLIENT_LINK, call);
    client.join().unwrap();
    let peer = server.join().unwrap();
    (world, peer)
}

#[test]
fn an_ipv6_client_and_an_ipv4_server() {
    let (world, peer) = conversation("six-four", IpAddr::from(SERVER_A));
    let IpAddr::V4(peer) = peer else {
        panic!("the server spoke IPv6 with {peer}");
    };
    assert_eq!(
        world.plane.true_address(peer),
        CLIENT.parse::<IpAddr>().unwrap()
    );
    // The link behind the director is smaller, and the client was told.
    assert!(world.count("fragmentation_needed") > 0);
    assert_eq!(world.count("kernel"), 0);
    assert_eq!(world.count("untranslatable"), 0);
}

#[test]
fn an_ipv6_client_and_an_ipv6_server() {
    let (world, peer) = conversation("six-six", IpAddr::from(Ipv6Addr::from(SERVER6)));
    assert_eq!(peer, CLIENT.parse::<IpAddr>().unwrap());
    assert_eq!(world.count("kernel"), 0);
    assert_eq!(world.count("untranslatable"), 0);
}

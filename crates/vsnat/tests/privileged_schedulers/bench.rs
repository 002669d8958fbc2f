//! The cluster that all recordings are replayed on.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddrV4, TcpStream, UdpSocket};
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use socket2::{Domain, Socket, Type};
use vsnat_lab::servers::echo::EchoServer;
use vsnat_lab::servers::http::HttpServer;
use vsnat_lab::servers::{Capacity, SERVER_HEADER, ServerOptions};
use vsnat_lab::{CLIENTS, Node, Plan};

use crate::recording::{Mode, Outcome, Recording, Row};
use crate::scenario::Scene;

const TCP_PORT: u16 = 80;
const UDP_PORT: u16 = 53;
const PATIENCE: Duration = Duration::from_secs(5);
const POLL: Duration = Duration::from_millis(10);

/// Every server answers by HTTP and by datagram, each with its name.
pub struct Bench {
    _servers: Vec<(HttpServer, EchoServer)>,
    scene: Scene,
}

/// The sockets of connections that stay open until this is dropped.
pub type Held = Vec<OwnedFd>;

impl Bench {
    pub fn new() -> Self {
        let scene = Scene::new("scaorders", &Plan::default());
        let servers = scene.cluster.servers().into_iter().map(|(node, address)| {
            let namespace = scene.cluster.namespace(node);
            let name = name(node);
            let echo_address = SocketAddrV4::new(*address.ip(), UDP_PORT);
            let echo = EchoServer::start(&namespace, &name, echo_address).unwrap();
            let options = ServerOptions {
                name,
                address: SocketAddrV4::new(*address.ip(), TCP_PORT),
                capacity: Capacity::Unlimited,
            };
            (HttpServer::start(&namespace, &options).unwrap(), echo)
        });
        Bench {
            _servers: servers.collect(),
            scene,
        }
    }

    pub fn add_service(&self, recording: &Recording) {
        for command in &recording.commands {
            self.scene.ipvsadm(command);
        }
    }

    /// Does what the recorded client did; gives where each connection ended
    /// and those that are open.
    pub fn connect(&self, recording: &Recording) -> (Vec<Outcome>, Held) {
        let target = recording.address;
        let connect = || {
            let mut held = Held::new();
            let outcomes = (0..recording.order.len()).map(|index| match recording.mode {
                Mode::Datagrams => datagram(target, &mut held),
                Mode::Sequence => close(open(target)),
                Mode::Alternate if index % 2 == 1 => close(open(target)),
                Mode::Alternate | Mode::Hold => hold(open(target), &mut held),
            });
            (outcomes.collect(), held)
        };
        self.scene.in_client(connect)
    }

    /// The servers' rows when they are as recorded, or what they are at last.
    pub fn settled_rows(&self, recording: &Recording) -> Vec<Row> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let rows = self.rows(recording);
            if rows == recording.rows || Instant::now() >= deadline {
                return rows;
            }
            std::thread::sleep(POLL);
        }
    }

    fn rows(&self, recording: &Recording) -> Vec<Row> {
        let list = self
            .scene
            .ipvsadm(&format!("-L -n --nosort {}", recording.service));
        let rows = list.lines().filter(|line| line.starts_with("  -> "));
        // The first is the heading.
        rows.skip(1).map(row).collect()
    }
}

fn name(node: Node) -> String {
    match node {
        Node::Server(number) => number.to_string(),
        Node::Client | Node::Director => panic!("{node} is no real server"),
    }
}

fn row(line: &str) -> Row {
    let words: Vec<&str> = line.split_whitespace().collect();
    assert_eq!(words[2], "Masq");
    let [weight, active, inactive] = [3, 4, 5].map(|word: usize| words[word].parse().unwrap());
    Row {
        server: words[1].parse().unwrap(),
        weight,
        active,
        inactive,
    }
}

/// A source port is used once. The services share their real servers, and a
/// server cannot tell two services' connections from one port apart: the
/// second would be given to the next server, out of the recorded order.
fn unused_source() -> SocketAddrV4 {
    static NEXT: AtomicU16 = AtomicU16::new(10_000);
    SocketAddrV4::new(CLIENTS[0], NEXT.fetch_add(1, Ordering::Relaxed))
}

type Opened = Option<(u8, TcpStream)>;

/// Opens a connection and asks who is at its end; none if it is refused.
fn open(target: SocketAddrV4) -> Opened {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&unused_source().into()).unwrap();
    match socket.connect_timeout(&target.into(), PATIENCE) {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => return None,
        Err(error) => panic!("connect to {target}: {error}"),
    }
    let mut stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
        .write_all(b"HEAD / HTTP/1.1\r\nHost: vsnat\r\n\r\n")
        .unwrap();
    let mut answer = Vec::new();
    let mut byte = [0];
    while !answer.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).unwrap();
        answer.push(byte[0].to_ascii_lowercase());
    }
    let answer = String::from_utf8(answer).unwrap();
    let named = answer.split(&format!("{SERVER_HEADER}: ")).nth(1);
    let server = named.unwrap().lines().next().unwrap().parse();
    Some((server.unwrap(), stream))
}

fn hold(opened: Opened, held: &mut Held) -> Outcome {
    let Some((server, stream)) = opened else {
        return Outcome::Refused;
    };
    held.push(stream.into());
    Outcome::Server(server)
}

/// The client's FIN goes first; the server's has arrived when this returns.
fn close(opened: Opened) -> Outcome {
    let Some((server, mut stream)) = opened else {
        return Outcome::Refused;
    };
    stream.shutdown(Shutdown::Write).unwrap();
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).unwrap();
    assert!(rest.is_empty(), "the server said more than the head");
    Outcome::Server(server)
}

/// The socket stays, so that no later one gets its port.
fn datagram(target: SocketAddrV4, held: &mut Held) -> Outcome {
    let socket = UdpSocket::bind(unused_source()).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket.connect(target).unwrap();
    socket.send(b"who").unwrap();
    let mut reply = [0; 100];
    let length = match socket.recv(&mut reply) {
        Ok(length) => length,
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => return Outcome::Refused,
        Err(error) => panic!("no answer from {target}: {error}"),
    };
    held.push(socket.into());
    let reply = std::str::from_utf8(&reply[..length]).unwrap();
    let server = reply.split_whitespace().next().unwrap().parse();
    Outcome::Server(server.unwrap())
}

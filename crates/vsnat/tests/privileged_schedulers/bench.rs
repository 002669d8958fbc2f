//! The cluster that all recordings are replayed on, with the addresses of the
//! network they were made in: hashing schedulers choose by them.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddrV4, TcpStream, UdpSocket};
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use socket2::{Domain, Socket, Type};
use vsnat_lab::servers::echo::EchoServer;
use vsnat_lab::servers::http::HttpServer;
use vsnat_lab::servers::{Capacity, SERVER_HEADER, ServerOptions};
use vsnat_lab::{INNER_INTERFACE, Node, OUTER_INTERFACE, Plan};

use crate::recording::{Attempt, Mode, Outcome, Recording, Row, SERVERS, server_address};
use crate::scenario::Scene;

const VIP: Ipv4Addr = Ipv4Addr::new(10, 0, 1, 100);
const OUTER_ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 0, 1, 1);
const INNER_ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 0, 2, 1);
/// What the clients reach through the director: services by mark.
const BEHIND: &str = "10.0.3.0/24";
/// Last octets of the clients' addresses.
const CLIENTS: std::ops::RangeInclusive<u8> = 10..=73;
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
        let mut scene = Scene::without_director("scaorders", &Plan::default());
        address_everybody(&scene);
        scene.start_director(&format!(
            "[director]\nouter = \"{OUTER_INTERFACE}\"\ninner = [\"{INNER_INTERFACE}\"]\n\
             vips = [\"{VIP}/24\"]\n"
        ));
        let servers = (1..=SERVERS).map(|number| {
            let namespace = scene.server(number);
            let name = number.to_string();
            let address = server_address(number);
            let echo_address = SocketAddrV4::new(address, UDP_PORT);
            let echo = EchoServer::start(&namespace, &name, echo_address).unwrap();
            let options = ServerOptions {
                name,
                address: SocketAddrV4::new(address, TCP_PORT),
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
        for rule in &recording.marks {
            let words: Vec<&str> = rule.split_whitespace().collect();
            self.scene.director().ctl(&words).unwrap();
        }
        for command in &recording.commands {
            self.scene.ipvsadm(command);
        }
    }

    /// Does what the recorded client did; gives where each connection ended
    /// and those that are open.
    pub fn connect(&self, recording: &Recording) -> (Vec<Outcome>, Held) {
        let connect = || {
            let mut held = Held::new();
            let attempts = recording.attempts.iter().enumerate();
            let outcomes = attempts.map(|(index, attempt)| match recording.mode {
                Mode::Datagrams => datagram(attempt, &mut held),
                Mode::Sequence => close(open(attempt)),
                Mode::Alternate if index % 2 == 1 => close(open(attempt)),
                Mode::Alternate | Mode::Hold => hold(open(attempt), &mut held),
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

    pub fn rows(&self, recording: &Recording) -> Vec<Row> {
        let list = self
            .scene
            .ipvsadm(&format!("-L -n --nosort {}", recording.service));
        let rows = list.lines().filter(|line| line.starts_with("  -> "));
        // The first is the heading.
        rows.skip(1).map(row).collect()
    }
}

/// Gives every node its address of the recorded network, besides the lab's own.
fn address_everybody(scene: &Scene) {
    let cluster = &scene.cluster;
    let director = format!(
        "address add {OUTER_ADDRESS}/24 dev {OUTER_INTERFACE}\n\
         address add {INNER_ADDRESS}/24 dev {INNER_INTERFACE}\n"
    );
    cluster.director().ip_batch(&director).unwrap();
    let mut client: String = CLIENTS
        .map(|last| format!("address add 10.0.1.{last}/24 dev eth0\n"))
        .collect();
    client += &format!("route add {BEHIND} via {OUTER_ADDRESS}\n");
    cluster.client().ip_batch(&client).unwrap();
    for number in 1..=SERVERS {
        let address = server_address(number);
        let lines = format!("address add {address}/24 dev eth0\n");
        cluster
            .namespace(Node::Server(number))
            .ip_batch(&lines)
            .unwrap();
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
fn unused_source(client: Ipv4Addr) -> SocketAddrV4 {
    static NEXT: AtomicU16 = AtomicU16::new(10_000);
    SocketAddrV4::new(client, NEXT.fetch_add(1, Ordering::Relaxed))
}

type Opened = Option<(u8, TcpStream)>;

/// Opens a connection and asks who is at its end; none if it is refused.
fn open(attempt: &Attempt) -> Opened {
    let target = attempt.target;
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&unused_source(attempt.client).into()).unwrap();
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
fn datagram(attempt: &Attempt, held: &mut Held) -> Outcome {
    let target = attempt.target;
    let socket = UdpSocket::bind(unused_source(attempt.client)).unwrap();
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

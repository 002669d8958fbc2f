//! Real servers that say who they are, and clients that ask.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddrV4, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

use socket2::{Domain, Socket, Type};
use vsnat_lab::servers::echo::EchoServer;
use vsnat_lab::servers::http::HttpServer;
use vsnat_lab::servers::{Capacity, SERVER_HEADER, ServerOptions};
use vsnat_lab::{CLIENTS, Plan, VIP, server_address};

use crate::scenario::Scene;

pub const PATIENCE: Duration = Duration::from_secs(5);
/// Longer than any answer in a lab takes.
pub const SILENCE: Duration = Duration::from_millis(700);
const POLL: Duration = Duration::from_millis(50);

pub const fn vip(port: u16) -> SocketAddrV4 {
    SocketAddrV4::new(VIP, port)
}

/// A port of the first client, or any with port 0.
pub const fn client(port: u16) -> SocketAddrV4 {
    SocketAddrV4::new(CLIENTS[0], port)
}

pub fn plan(servers: usize) -> Plan {
    Plan {
        servers,
        ..Plan::default()
    }
}

/// Every server answers by HTTP on each of the ports.
pub fn web(scene: &Scene, ports: &[u16]) -> Vec<HttpServer> {
    let each = numbers(scene).flat_map(|number| ports.iter().map(move |port| (number, *port)));
    let start = |(number, port): (u8, u16)| {
        let options = ServerOptions {
            name: number.to_string(),
            address: SocketAddrV4::new(server_address(number), port),
            capacity: Capacity::Unlimited,
        };
        HttpServer::start(&scene.server(number), &options).unwrap()
    };
    each.map(start).collect()
}

/// Every server answers datagrams.
pub fn echo(scene: &Scene, port: u16) -> Vec<EchoServer> {
    let start = |number: u8| {
        let address = SocketAddrV4::new(server_address(number), port);
        EchoServer::start(&scene.server(number), &number.to_string(), address).unwrap()
    };
    numbers(scene).map(start).collect()
}

pub fn numbers(scene: &Scene) -> impl Iterator<Item = u8> + use<> {
    1..=scene.cluster.plan().servers as u8
}

/// Adds a service with all servers, each with `options`; without a port they
/// have the service's.
pub fn add_service(scene: &Scene, service: &str, options: &str, server_options: &str) {
    scene.ipvsadm(&format!("-A {service} {options}"));
    for number in numbers(scene) {
        let address = server_address(number);
        scene.ipvsadm(&format!("-a {service} -r {address} -m {server_options}"));
    }
}

pub fn connect(source: SocketAddrV4, target: SocketAddrV4) -> io::Result<TcpStream> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.bind(&source.into())?;
    socket.connect_timeout(&target.into(), PATIENCE)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    Ok(socket.into())
}

/// Opens a connection; gives it and the number of its server.
#[track_caller]
pub fn visit(source: SocketAddrV4, target: SocketAddrV4) -> (u8, TcpStream) {
    let mut stream = connect(source, target).unwrap();
    let server = whose(&mut stream).unwrap();
    (server, stream)
}

/// Asks who is at the other end of a connection.
pub fn whose(stream: &mut TcpStream) -> io::Result<u8> {
    stream.write_all(b"HEAD / HTTP/1.1\r\nHost: vsnat\r\n\r\n")?;
    name(stream)
}

/// Reads the answer to a question that was asked before.
pub fn name(stream: &mut TcpStream) -> io::Result<u8> {
    let mut answer = Vec::new();
    let mut byte = [0];
    while !answer.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte)?;
        answer.push(byte[0].to_ascii_lowercase());
    }
    let answer = String::from_utf8(answer).unwrap();
    let named = answer.split(&format!("{SERVER_HEADER}: ")).nth(1);
    Ok(named.unwrap().lines().next().unwrap().parse().unwrap())
}

/// A socket that hears the target only.
pub fn udp(source: SocketAddrV4, target: SocketAddrV4) -> UdpSocket {
    let socket = UdpSocket::bind(source).unwrap();
    socket.connect(target).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket
}

/// Sends a datagram; gives the number of the server that answered.
pub fn ask(socket: &UdpSocket) -> io::Result<u8> {
    socket.send(b"who")?;
    let mut reply = [0; 100];
    let length = socket.recv(&mut reply)?;
    let reply = std::str::from_utf8(&reply[..length]).unwrap();
    Ok(reply.split_whitespace().next().unwrap().parse().unwrap())
}

/// A line of `ipvsadm -Lnc`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    pub protocol: String,
    pub state: String,
    pub source: String,
    pub target: String,
    pub destination: String,
}

pub fn connections(scene: &Scene) -> Vec<Line> {
    let listing = scene.ipvsadm("-Lnc");
    let lines = listing.lines().skip(2).map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [protocol, _expires, state, source, target, destination] = words[..] else {
            panic!("no connection: {line}");
        };
        let [protocol, state] = [protocol, state].map(str::to_owned);
        let [source, target, destination] = [source, target, destination].map(str::to_owned);
        Line {
            protocol,
            state,
            source,
            target,
            destination,
        }
    });
    lines.collect()
}

/// The lines that are templates.
pub fn templates(scene: &Scene) -> Vec<Line> {
    let mut lines = connections(scene);
    lines.retain(|line| line.source.ends_with(":0"));
    lines
}

/// The connection of a client's end.
#[track_caller]
pub fn connection_of(scene: &Scene, source: SocketAddrV4) -> Line {
    let lines = connections(scene);
    let source = source.to_string();
    let found = lines.iter().find(|line| line.source == source);
    found
        .unwrap_or_else(|| panic!("no {source} in {lines:#?}"))
        .clone()
}

pub fn set(scene: &Scene, setting: &str) {
    scene.director().ctl(&["set", setting]).unwrap();
}

pub fn mark(scene: &Scene, words: &str) {
    let words: Vec<&str> = words.split_whitespace().collect();
    let command = [&["mark", "add"], words.as_slice()].concat();
    scene.director().ctl(&command).unwrap();
}

#[track_caller]
pub fn until(what: &str, is_so: impl Fn() -> bool) {
    let deadline = Instant::now() + 2 * PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "never so: {what}");
        std::thread::sleep(POLL);
    }
}

/// How often the kernel of the clients sent a SYN again.
pub fn repeated_syns(scene: &Scene) -> u64 {
    let read = || std::fs::read_to_string("/proc/thread-self/net/netstat").unwrap();
    let text = scene.in_client(read);
    let mut lines = text.lines().filter(|line| line.starts_with("TcpExt:"));
    let names = lines.next().unwrap().split_whitespace();
    let mut pairs = names.zip(lines.next().unwrap().split_whitespace());
    let (_, count) = pairs.find(|(name, _)| *name == "TCPSynRetrans").unwrap();
    count.parse().unwrap()
}

/// The last columns of `-Ln --persistent-conn`, summed over all servers.
pub fn persistent(scene: &Scene) -> u32 {
    let listing = scene.ipvsadm("-Ln --persistent-conn");
    let columns = listing.lines().skip(3).filter_map(|line| {
        let columns: Vec<&str> = line.split_whitespace().collect();
        match columns[..] {
            ["->", _, _, persistent, _, _] => persistent.parse::<u32>().ok(),
            _ => None,
        }
    });
    columns.sum()
}

pub fn server_port(number: u8, port: u16) -> String {
    let address: Ipv4Addr = server_address(number);
    format!("{address}:{port}")
}

//! One of many clients: what it does next is drawn, what may go wrong is not.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddrV4, UdpSocket};
use std::time::Duration;

use socket2::Socket;
use vsnat_lab::VIP;
use vsnat_lab::load::SourcePool;

use crate::streams::{Close, close, connect, connect_within};

/// Connections that each client keeps open.
const HELD: usize = 2;
const ANSWER_PATIENCE: Duration = Duration::from_secs(5);
/// The director tells only so many in a second that they are refused; a client
/// that hears nothing does not wait until its kernel asks again.
const REFUSAL_PATIENCE: Duration = Duration::from_millis(30);
/// Ports of the services, as the scenario names them.
const PLAIN: u16 = 80;
const PERSISTENT: u16 = 81;
const LIMITED: u16 = 82;
const PERSISTENT_AND_LIMITED: u16 = 83;
const MARKED: u16 = 84;
const ONE_PACKET: u16 = 85;
/// The service by mark is of every VIP.
const VIPS: [Ipv4Addr; 3] = [
    VIP,
    Ipv4Addr::new(192, 168, 28, 168),
    Ipv4Addr::new(192, 168, 28, 169),
];

/// What clients saw.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    pub streams: u64,
    pub datagrams: u64,
    /// Because all servers had enough.
    pub refused: u64,
    /// By this host's own rules for ports.
    pub busy_ports: u64,
    pub refused_wrongly: u64,
    /// Connections that broke, and what had no answer.
    pub broken: u64,
}

impl Seen {
    pub fn add(&mut self, other: &Seen) {
        self.streams += other.streams;
        self.datagrams += other.datagrams;
        self.refused += other.refused;
        self.busy_ports += other.busy_ports;
        self.refused_wrongly += other.refused_wrongly;
        self.broken += other.broken;
    }
}

pub struct Client<'a> {
    sources: &'a SourcePool,
    random: u64,
    seen: Seen,
    held: Vec<Socket>,
}

impl<'a> Client<'a> {
    pub fn new(sources: &'a SourcePool, seed: u64) -> Self {
        let mut client = Client {
            sources,
            random: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1,
            seen: Seen::default(),
            held: Vec::new(),
        };
        while client.held.len() < HELD {
            let target = SocketAddrV4::new(VIP, PLAIN);
            let opened = client.open(client.sources.next().unwrap(), target);
            client.held.extend(opened);
        }
        client
    }

    /// Does one of the things that clients do.
    pub fn act(&mut self) {
        if self.draw(32) == 0 {
            let broken = self.held.iter().filter(|held| exchange(held).is_err());
            self.seen.broken += broken.count() as u64;
        }
        let source = self.sources.next().unwrap();
        match self.draw(14) {
            0 => self.stream(source, LIMITED, VIP),
            1 => self.stream(source, PERSISTENT_AND_LIMITED, VIP),
            2..4 => self.stream(source, PLAIN, VIP),
            4..6 => self.stream(source, PERSISTENT, VIP),
            6..8 => {
                let vip = VIPS[self.draw(3) as usize];
                self.stream(source, MARKED, vip);
            }
            8..10 => self.datagrams(source, PLAIN),
            10..12 => self.datagrams(source, PERSISTENT),
            _ => self.datagrams(source, ONE_PACKET),
        }
    }

    /// What was seen, and what is still open.
    pub fn finish(self) -> (Seen, Vec<Socket>) {
        (self.seen, self.held)
    }

    /// Opens and closes; a port that was reset is used once more.
    fn stream(&mut self, source: SocketAddrV4, port: u16, vip: Ipv4Addr) {
        let target = SocketAddrV4::new(vip, port);
        let Some(socket) = self.open(source, target) else {
            return;
        };
        // Without an exchange the server takes it when it likes, or never.
        if self.draw(4) != 0 {
            self.exchange(&socket);
        }
        let how = Close::of(self.draw(3));
        close(socket, how);
        if how == Close::Fin || self.draw(2) == 0 {
            return;
        }
        if let Some(socket) = self.open(source, target) {
            self.exchange(&socket);
            close(socket, Close::Reset);
        }
    }

    fn exchange(&mut self, socket: &Socket) {
        if exchange(socket).is_err() {
            self.seen.broken += 1;
        }
    }

    fn open(&mut self, source: SocketAddrV4, target: SocketAddrV4) -> Option<Socket> {
        let outcome = match is_limited(target) {
            true => connect_within(source, target, REFUSAL_PATIENCE),
            false => connect(source, target),
        };
        let error = match outcome {
            Ok(socket) => {
                self.seen.streams += 1;
                socket.set_read_timeout(Some(ANSWER_PATIENCE)).unwrap();
                return Some(socket);
            }
            Err(error) => error,
        };
        self.note(&error, target);
        None
    }

    /// Some datagrams from one socket, each with its answer.
    fn datagrams(&mut self, source: SocketAddrV4, port: u16) {
        let Ok(socket) = UdpSocket::bind(source) else {
            self.seen.busy_ports += 1;
            return;
        };
        let target = SocketAddrV4::new(VIP, port);
        socket.connect(target).unwrap();
        socket.set_read_timeout(Some(ANSWER_PATIENCE)).unwrap();
        for _ in 0..=self.draw(3) {
            self.seen.datagrams += 1;
            let answer = socket.send(b"x").and_then(|_| socket.recv(&mut [0; 64]));
            match answer {
                Ok(_) => {}
                Err(error) => self.note(&error, target),
            }
        }
    }

    fn note(&mut self, error: &io::Error, target: SocketAddrV4) {
        let limited = is_limited(target);
        match error.kind() {
            ErrorKind::ConnectionRefused if limited => self.seen.refused += 1,
            _ if limited && error.raw_os_error() == Some(libc::EINPROGRESS) => {
                self.seen.refused += 1;
            }
            ErrorKind::ConnectionRefused => self.seen.refused_wrongly += 1,
            ErrorKind::AddrInUse | ErrorKind::AddrNotAvailable => self.seen.busy_ports += 1,
            _ => self.seen.broken += 1,
        }
    }

    /// A number below `bound`, by xorshift.
    fn draw(&mut self, bound: u64) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        (self.random >> 32) % bound
    }
}

fn is_limited(target: SocketAddrV4) -> bool {
    matches!(target.port(), LIMITED | PERSISTENT_AND_LIMITED)
}

/// One byte there and back: the server has taken the connection. Without it
/// a scheduler that gives everything to one server opens faster than that
/// server's thread accepts, and its descriptors run out.
fn exchange(mut socket: &Socket) -> io::Result<()> {
    let mut byte = [0];
    socket.write_all(b"x")?;
    socket.read_exact(&mut byte)?;
    assert_eq!(&byte, b"x");
    Ok(())
}

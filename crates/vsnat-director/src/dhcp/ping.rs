//! The look whether an address is in use: an ICMP echo, and half a second.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind, Read};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use socket2::{Domain, Protocol, SockFilter, Socket, Type};

use super::frame::checksum;

/// A host on the link answers within milliseconds, ARP included; clients begin
/// to ask again after a second at the earliest.
const PATIENCE: Duration = Duration::from_millis(500);

/// ICMP behind an IPv4 header with all its options.
const ANSWER: usize = 128;

#[derive(Debug)]
pub(super) struct Pinger {
    socket: Socket,
    identifier: u16,
    /// When each probe is over.
    waiting: BTreeMap<Ipv4Addr, Instant>,
}

impl Pinger {
    pub fn open() -> io::Result<Self> {
        let socket = Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::ICMPV4))?;
        // Only its low half fits: another program with the same one is answered
        // for other addresses.
        let identifier = std::process::id() as u16;
        socket.attach_filter(&filter(identifier))?;
        socket.set_nonblocking(true)?;
        Ok(Pinger {
            socket,
            identifier,
            waiting: BTreeMap::new(),
        })
    }

    pub fn socket(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    /// Asks; an address that cannot be reached is used by nobody.
    pub fn ask(&mut self, address: Ipv4Addr) {
        let to = SocketAddrV4::new(address, 0);
        if let Err(error) = self.socket.send_to(&self.echo(), &to.into()) {
            tracing::debug!("cannot probe {address}: {error}");
        }
        self.waiting.insert(address, Instant::now() + PATIENCE);
    }

    /// The addresses that have answered.
    pub fn answered(&mut self) -> Vec<Ipv4Addr> {
        let mut answered = Vec::new();
        loop {
            let mut buffer = [0; ANSWER];
            match (&self.socket).read(&mut buffer) {
                Ok(length) => {
                    let source = buffer[..length].get(12..16);
                    let octets: Option<[u8; 4]> = source.and_then(|s| s.try_into().ok());
                    let address = octets.map(Ipv4Addr::from);
                    let asked = address.filter(|a| self.waiting.remove(a).is_some());
                    answered.extend(asked);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                // No more, or the news that a host was not reached.
                Err(_) => return answered,
            }
        }
    }

    /// The addresses that have not answered in time.
    pub fn silent(&mut self, now: Instant) -> Vec<Ipv4Addr> {
        let over = self.waiting.iter().filter(|(_, end)| **end <= now);
        let over: Vec<Ipv4Addr> = over.map(|(address, _)| *address).collect();
        for address in &over {
            self.waiting.remove(address);
        }
        over
    }

    /// When the first probe is over.
    pub fn next_end(&self) -> Option<Instant> {
        self.waiting.values().min().copied()
    }

    fn echo(&self) -> [u8; 8] {
        let mut echo = [8, 0, 0, 0, 0, 0, 0, 1];
        echo[4..6].copy_from_slice(&self.identifier.to_be_bytes());
        let sum = checksum(&[&echo]);
        echo[2..4].copy_from_slice(&sum.to_be_bytes());
        echo
    }
}

/// Echo replies with our identifier: of all else the host hears by ICMP nothing.
fn filter(identifier: u16) -> [SockFilter; 7] {
    [
        // X = length of the IPv4 header.
        SockFilter::new(0xb1, 0, 0, 0),
        SockFilter::new(0x48, 0, 0, 0),
        SockFilter::new(0x15, 0, 3, 0),
        SockFilter::new(0x48, 0, 0, 4),
        SockFilter::new(0x15, 0, 1, u32::from(identifier)),
        SockFilter::new(0x06, 0, 0, u32::MAX),
        SockFilter::new(0x06, 0, 0, 0),
    ]
}

//! A raw socket for SCTP: the kernel adds the IP header, and hands up every
//! SCTP packet to the socket's address, whatever its port.

use std::io;
use std::net::{Ipv4Addr, SocketAddrV4, UdpSocket};
use std::os::fd::AsRawFd;
use std::time::Duration;

use nix::sys::socket::{
    AddressFamily, SockFlag, SockProtocol, SockType, SockaddrIn, bind, connect, socket,
};

/// Largest IPv4 packet.
const PACKET_MAX_BYTES: usize = 65_535;

/// A raw SCTP socket. The standard library's UDP socket serves as its owner:
/// sending and receiving are the same system calls.
#[derive(Debug)]
pub(super) struct RawSocket {
    socket: UdpSocket,
    buffer: Vec<u8>,
}

impl RawSocket {
    /// `patience` is how long a receiver waits at a time.
    pub fn bind(address: Ipv4Addr, patience: Duration) -> io::Result<Self> {
        let raw = socket(
            AddressFamily::Inet,
            SockType::Raw,
            SockFlag::SOCK_CLOEXEC,
            SockProtocol::Sctp,
        )?;
        bind(raw.as_raw_fd(), &SockaddrIn::from(at(address)))?;
        let socket = UdpSocket::from(raw);
        socket.set_read_timeout(Some(patience))?;
        Ok(RawSocket {
            socket,
            buffer: vec![0; PACKET_MAX_BYTES],
        })
    }

    /// Takes packets of this sender only, and learns from ICMP that it cannot
    /// be reached.
    pub fn connect(&self, remote: Ipv4Addr) -> io::Result<()> {
        connect(self.socket.as_raw_fd(), &SockaddrIn::from(at(remote)))?;
        Ok(())
    }

    pub fn send(&self, to: Ipv4Addr, packet: &[u8]) -> io::Result<()> {
        self.socket.send_to(packet, at(to)).map(drop)
    }

    /// Sender and SCTP packet; `None` if none came in time.
    pub fn receive(&mut self) -> io::Result<Option<(Ipv4Addr, &[u8])>> {
        let length = match self.socket.recv(&mut self.buffer) {
            Ok(length) => length,
            Err(error) => return nothing_came(error),
        };
        Ok(split_ip(&self.buffer[..length]))
    }
}

/// A raw socket has no port.
fn at(address: Ipv4Addr) -> SocketAddrV4 {
    SocketAddrV4::new(address, 0)
}

fn nothing_came<T>(error: io::Error) -> io::Result<Option<T>> {
    match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted => {
            Ok(None)
        }
        _ => Err(error),
    }
}

/// Sender and payload of an IPv4 packet.
fn split_ip(packet: &[u8]) -> Option<(Ipv4Addr, &[u8])> {
    let header_len = usize::from(packet.first()? & 0xf) * 4;
    let sender = packet.get(12..)?.first_chunk::<4>()?;
    Some((Ipv4Addr::from(*sender), packet.get(header_len..)?))
}

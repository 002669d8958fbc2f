//! Whether another DHCP server is on an inner link: a DISCOVER of our own.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::io::{self, ErrorKind, Read};
use std::net::Ipv4Addr;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use socket2::Socket;
use vsnat_dhcp::wire::{
    CLIENT_PORT, DhcpOption, Encodable, Flags, Message, MessageType, SERVER_PORT,
};
use vsnat_dhcp::{Hardware, Reply};

use super::frame::{self, Datagram, Ends};
use super::port::{FRAME, packets};
use crate::host::link::Link;

/// Servers probe an address before they offer it, dnsmasq for three seconds.
const QUESTIONS: u32 = 4;
const PAUSE: Duration = Duration::from_secs(1);

/// Another server, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub interface: String,
    pub server: String,
}

/// Asks on all links at once, for four seconds.
pub(super) fn find(links: &[&Link]) -> io::Result<Option<Found>> {
    let mut asking = Vec::new();
    for link in links {
        if let Some(mac) = link.mac() {
            asking.push(Asking::new(link, Hardware::new(mac))?);
        }
    }
    if asking.is_empty() {
        return Ok(None);
    }
    for _ in 0..QUESTIONS {
        for link in &asking {
            link.ask()?;
        }
        if let Some(found) = listen(&asking, Instant::now() + PAUSE)? {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

fn listen(asking: &[Asking], deadline: Instant) -> io::Result<Option<Found>> {
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(None);
        }
        let sockets = asking.iter().map(|link| link.socket.as_fd());
        let mut fds: Vec<PollFd> = sockets
            .map(|socket| PollFd::new(socket, PollFlags::POLLIN))
            .collect();
        let timeout = PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX);
        match poll(&mut fds, timeout) {
            Ok(_) | Err(nix::errno::Errno::EINTR) => {}
            Err(error) => return Err(error.into()),
        }
        for link in asking {
            if let Some(server) = link.answer()? {
                let interface = link.interface.clone();
                return Ok(Some(Found { interface, server }));
            }
        }
    }
}

struct Asking {
    interface: String,
    mac: Hardware,
    xid: u32,
    socket: Socket,
}

impl Asking {
    fn new(link: &Link, mac: Hardware) -> io::Result<Self> {
        Ok(Asking {
            interface: link.name.clone(),
            mac,
            // Its keys are random: no server can have answered this before.
            xid: RandomState::new().build_hasher().finish() as u32,
            socket: packets(link.index, CLIENT_PORT)?,
        })
    }

    fn ask(&self) -> io::Result<()> {
        let none = Ipv4Addr::UNSPECIFIED;
        let hardware = self.mac.octets();
        let mut message = Message::new_with_id(self.xid, none, none, none, none, &hardware);
        message.set_flags(Flags::default().set_broadcast());
        let kind = DhcpOption::MessageType(MessageType::Discover);
        message.opts_mut().insert(kind);
        let bytes = message.to_vec().map_err(io::Error::other)?;
        let ends = Ends {
            from: (self.mac, none, CLIENT_PORT),
            to: (Hardware::BROADCAST, Ipv4Addr::BROADCAST, SERVER_PORT),
        };
        let frame = frame::write(ends, &bytes);
        let frame = frame.ok_or_else(|| io::Error::from(ErrorKind::InvalidInput))?;
        self.socket.send(&frame).map(drop)
    }

    /// The server that has answered, by its identifier or address.
    fn answer(&self) -> io::Result<Option<String>> {
        loop {
            let mut buffer = [0; FRAME];
            let length = match (&self.socket).read(&mut buffer) {
                Ok(length) => length,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(None),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            let Some(datagram) = Datagram::read(&buffer[..length]) else {
                continue;
            };
            if let Some(reply) = Reply::read(datagram.payload).filter(|r| r.xid == self.xid) {
                let server = reply.server.unwrap_or(datagram.source);
                return Ok(Some(format!("{server} at {}", datagram.sender)));
            }
        }
    }
}

//! Datagrams and their answers.

use std::collections::HashMap;
use std::io::{ErrorKind, IoSlice, IoSliceMut};
use std::net::{Ipv4Addr, SocketAddrV4, UdpSocket};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use anyhow::{Context, Result};
use nix::cmsg_space;
use nix::libc;
use nix::poll::PollFlags;
use nix::sys::socket::{
    ControlMessage, ControlMessageOwned, MsgFlags, SockaddrIn, recvmsg, sendmsg, setsockopt,
    sockopt,
};
use oracle::world::UDP_PORTS;
use socket2::{Domain, Protocol, Socket, Type};

use crate::namespace::Network;
use crate::ports::{ANSWER_PATIENCE, PATIENCE, wait};

const QUESTION: &[u8] = b"question";
const ANSWER: &[u8] = b"answer";

pub struct Udp {
    servers: Vec<(u16, UdpSocket)>,
    /// A client keeps its socket, and with it its port, for a whole sequence.
    clients: HashMap<(SocketAddrV4, SocketAddrV4), UdpSocket>,
}

/// A question at a server.
struct Received {
    from: SockaddrIn,
    /// Which of the servers' addresses it was sent to.
    at: Ipv4Addr,
}

impl Udp {
    pub fn listen(network: &Network) -> Result<Self> {
        let server = |port| Ok((port, server_socket(port)?));
        let servers = network.as_server(|| UDP_PORTS.into_iter().map(server).collect())?;
        Ok(Udp {
            servers,
            clients: HashMap::new(),
        })
    }

    pub fn forget_clients(&mut self) {
        self.clients.clear();
    }

    pub fn datagram(
        &mut self,
        network: &Network,
        from: SocketAddrV4,
        to: SocketAddrV4,
    ) -> Result<String> {
        self.drain()?;
        let client = match self.clients.remove(&(from, to)) {
            Some(socket) => socket,
            None => network.as_client(|| client_socket(from, to))?,
        };
        let text = self.exchange(&client)?;
        self.clients.insert((from, to), client);
        Ok(text)
    }

    fn exchange(&self, client: &UdpSocket) -> Result<String> {
        if let Err(error) = client.send(QUESTION) {
            return Ok(error.kind().to_string());
        }
        let mut sockets: Vec<BorrowedFd> = self.servers.iter().map(|(_, s)| s.as_fd()).collect();
        sockets.push(client.as_fd());
        let ready = wait(&sockets, PollFlags::POLLIN, PATIENCE)?;
        let Some((port, server)) = ready.first().and_then(|index| self.servers.get(*index)) else {
            return Ok(match client.recv(&mut [0; 64]) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => "no answer".to_owned(),
                Err(error) => error.kind().to_string(),
                Ok(_) => "an answer that no server of ours gave".to_owned(),
            });
        };
        let Some(received) = receive(server)? else {
            return Ok("lost".to_owned());
        };
        answer(server, &received)?;
        let back = wait(&[client.as_fd()], PollFlags::POLLIN, ANSWER_PATIENCE)?;
        let at = SocketAddrV4::new(received.at, *port);
        if back.is_empty() {
            return Ok(format!("server {at}, whose answer did not arrive"));
        }
        Ok(match client.recv(&mut [0; 64]) {
            Ok(_) => format!("server {at}"),
            Err(error) => format!("server {at}, then {}", error.kind()),
        })
    }

    /// Throws away what arrived after its time.
    fn drain(&self) -> Result<()> {
        for (_, socket) in &self.servers {
            while receive(socket)?.is_some() {}
        }
        Ok(())
    }
}

fn server_socket(port: u16) -> Result<UdpSocket> {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
    socket.bind(&SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, port).into())?;
    socket.set_nonblocking(true)?;
    setsockopt(&socket, sockopt::Ipv4PacketInfo, &true)?;
    Ok(socket.into())
}

fn client_socket(from: SocketAddrV4, to: SocketAddrV4) -> Result<UdpSocket> {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_reuse_address(true)?;
    socket
        .bind(&from.into())
        .with_context(|| format!("cannot take {from} for a client"))?;
    // Connected, so that a refusal by ICMP reaches it.
    socket.connect(&to.into())?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

fn receive(server: &UdpSocket) -> Result<Option<Received>> {
    let mut bytes = [0; 64];
    let mut slices = [IoSliceMut::new(&mut bytes)];
    let mut space = cmsg_space!(libc::in_pktinfo);
    let outcome = recvmsg::<SockaddrIn>(
        server.as_raw_fd(),
        &mut slices,
        Some(&mut space),
        MsgFlags::empty(),
    );
    let message = match outcome {
        Ok(message) => message,
        Err(nix::errno::Errno::EAGAIN) => return Ok(None),
        // An ICMP error of an answer before.
        Err(nix::errno::Errno::ECONNREFUSED) => return Ok(None),
        Err(error) => return Err(error).context("cannot receive a datagram"),
    };
    let at = message.cmsgs()?.find_map(|control| match control {
        ControlMessageOwned::Ipv4PacketInfo(info) => {
            Some(Ipv4Addr::from(u32::from_be(info.ipi_addr.s_addr)))
        }
        _ => None,
    });
    Ok(message
        .address
        .zip(at)
        .map(|(from, at)| Received { from, at }))
}

/// Answers from the address that was asked.
fn answer(server: &UdpSocket, received: &Received) -> Result<()> {
    let source = libc::in_addr {
        s_addr: u32::from(received.at).to_be(),
    };
    let info = libc::in_pktinfo {
        ipi_ifindex: 0,
        ipi_spec_dst: source,
        ipi_addr: source,
    };
    sendmsg(
        server.as_raw_fd(),
        &[IoSlice::new(ANSWER)],
        &[ControlMessage::Ipv4PacketInfo(&info)],
        MsgFlags::empty(),
        Some(&received.from),
    )
    .context("cannot answer a datagram")?;
    Ok(())
}

//! TCP connections: both ends are held here, so that one thread sees the client's
//! connect and the server's accept, and knows which server it was.

use std::collections::HashMap;
use std::fmt::Display;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, SocketAddrV4, TcpListener, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};

use anyhow::{Context, Result};
use nix::poll::PollFlags;
use oracle::plan::Side;
use oracle::world::TCP_PORTS;
use socket2::{Domain, Protocol, Socket, Type};

use crate::namespace::Network;
use crate::ports::{PATIENCE, readable, wait};

/// Connections that no accept has taken yet: a plan opens one at a time.
const BACKLOG: i32 = 128;

pub struct Tcp {
    listeners: Vec<TcpListener>,
    held: HashMap<usize, Connection>,
}

struct Connection {
    client: TcpStream,
    server: TcpStream,
}

/// What became of an exchange of bytes.
enum Exchange {
    Done,
    Silent,
    Ended(ErrorKind),
}

impl Tcp {
    pub fn listen(network: &Network) -> Result<Self> {
        let listeners = network.as_server(|| TCP_PORTS.into_iter().map(listener).collect())?;
        Ok(Tcp {
            listeners,
            held: HashMap::new(),
        })
    }

    pub fn open(
        &mut self,
        network: &Network,
        connection: usize,
        from: SocketAddrV4,
        to: SocketAddrV4,
    ) -> Result<String> {
        let client = match network.as_client(|| Ok(connecting(from, to)))? {
            Ok(socket) => socket,
            Err(error) => return Ok(failure(&error)),
        };
        let events = PollFlags::POLLOUT;
        if wait(&[client.as_fd()], events, PATIENCE)?.is_empty() {
            return Ok("no answer".to_owned());
        }
        if let Some(error) = client.take_error()? {
            return Ok(failure(&error));
        }
        let Some(server) = self.accept(from)? else {
            return Ok("connected, but no server of ours accepted".to_owned());
        };
        let address = server.local_addr()?;
        let opened = Connection {
            client: client.into(),
            server,
        };
        let exchange = opened.exchange()?;
        let text = match &exchange {
            Exchange::Done => format!("server {address}"),
            Exchange::Silent | Exchange::Ended(_) => {
                format!("server {address}, then {exchange}")
            }
        };
        match exchange {
            Exchange::Done => drop(self.held.insert(connection, opened)),
            Exchange::Silent | Exchange::Ended(_) => opened.abort(),
        }
        Ok(text)
    }

    pub fn talk(&mut self, connection: usize) -> Result<String> {
        let Some(held) = self.held.remove(&connection) else {
            return Ok(absent());
        };
        let exchange = held.exchange()?;
        let text = exchange.to_string();
        match exchange {
            Exchange::Done => drop(self.held.insert(connection, held)),
            // What it sent would be repeated at a time of the kernel's choosing.
            Exchange::Silent | Exchange::Ended(_) => held.abort(),
        }
        Ok(text)
    }

    pub fn close(&mut self, connection: usize, first: Side) -> Result<String> {
        let Some(held) = self.held.remove(&connection) else {
            return Ok(absent());
        };
        let exchange = held.end(first)?;
        Ok(match exchange {
            Exchange::Done => "closed".to_owned(),
            Exchange::Silent | Exchange::Ended(_) => {
                held.abort();
                format!("not closed: {exchange}")
            }
        })
    }

    pub fn reset(&mut self, connection: usize) -> Result<String> {
        let Some(held) = self.held.remove(&connection) else {
            return Ok(absent());
        };
        held.abort();
        Ok("reset".to_owned())
    }

    /// Ends whatever a sequence left open.
    pub fn reset_all(&mut self) {
        for (_, held) in self.held.drain() {
            held.abort();
        }
    }

    /// Takes the connection of this client; any other is a late one of before.
    fn accept(&self, from: SocketAddrV4) -> Result<Option<TcpStream>> {
        let listeners: Vec<BorrowedFd> = self.listeners.iter().map(AsFd::as_fd).collect();
        loop {
            let ready = wait(&listeners, PollFlags::POLLIN, PATIENCE)?;
            if ready.is_empty() {
                return Ok(None);
            }
            for index in ready {
                let (stream, peer) = match self.listeners[index].accept() {
                    Ok(accepted) => accepted,
                    Err(error) if error.kind() == ErrorKind::WouldBlock => continue,
                    Err(error) => return Err(error).context("cannot accept a connection"),
                };
                if peer == SocketAddr::V4(from) {
                    stream.set_nonblocking(true)?;
                    stream.set_nodelay(true)?;
                    return Ok(Some(stream));
                }
            }
        }
    }
}

impl Connection {
    fn exchange(&self) -> Result<Exchange> {
        let (client, server) = (&self.client, &self.server);
        for (mut sender, mut receiver) in [(client, server), (server, client)] {
            if let Err(error) = sender.write(b"x") {
                return Ok(Exchange::Ended(error.kind()));
            }
            if !readable(receiver)? {
                return Ok(Exchange::Silent);
            }
            match receiver.read(&mut [0; 16]) {
                Ok(0) => return Ok(Exchange::Ended(ErrorKind::UnexpectedEof)),
                Ok(_) => {}
                Err(error) => return Ok(Exchange::Ended(error.kind())),
            }
        }
        Ok(Exchange::Done)
    }

    /// One side's end of the stream, then the other's.
    fn end(&self, first: Side) -> Result<Exchange> {
        let (one, other) = match first {
            Side::Client => (&self.client, &self.server),
            Side::Server => (&self.server, &self.client),
        };
        for (sender, mut receiver) in [(one, other), (other, one)] {
            if let Err(error) = sender.shutdown(Shutdown::Write) {
                return Ok(Exchange::Ended(error.kind()));
            }
            if !readable(receiver)? {
                return Ok(Exchange::Silent);
            }
            if let Err(error) = receiver.read(&mut [0; 16]) {
                return Ok(Exchange::Ended(error.kind()));
            }
        }
        Ok(Exchange::Done)
    }

    /// The client's reset goes first; the server's is for a client that did not get through.
    fn abort(self) {
        for stream in [self.client, self.server] {
            let socket = Socket::from(stream);
            // Dropping a socket that does not linger resets its connection.
            let _ = socket.set_linger(Some(std::time::Duration::ZERO));
        }
    }
}

impl Display for Exchange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Exchange::Done => f.write_str("ok"),
            Exchange::Silent => f.write_str("no answer"),
            Exchange::Ended(kind) => write!(f, "{kind}"),
        }
    }
}

/// How an error is compared: by its kind, as texts of kernels differ.
fn failure(error: &io::Error) -> String {
    error.kind().to_string()
}

fn absent() -> String {
    "not open".to_owned()
}

fn listener(port: u16) -> Result<TcpListener> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.bind(&SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, port).into())?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

fn connecting(from: SocketAddrV4, to: SocketAddrV4) -> io::Result<Socket> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_tcp_nodelay(true)?;
    socket.bind(&from.into())?;
    socket.set_nonblocking(true)?;
    match socket.connect(&to.into()) {
        Err(error) if error.raw_os_error() == Some(nix::libc::EINPROGRESS) => Ok(socket),
        Err(error) => Err(error),
        Ok(()) => Ok(socket),
    }
}

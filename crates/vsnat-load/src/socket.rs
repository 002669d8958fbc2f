//! Sockets that never block.

use std::io;
use std::net::SocketAddr;
use std::os::fd::AsRawFd;

use socket2::{Domain, Protocol, SockAddr, Socket, Type};

use crate::engine::Transport;
use crate::sources::Sources;

/// How many sources are tried that someone else has.
const SOURCES_TRIED: usize = 8;

/// Opens a socket and begins to connect it, which may take a while yet.
pub(crate) fn open(
    transport: Transport,
    target: SocketAddr,
    sources: &Sources,
) -> io::Result<Socket> {
    let mut tried = 0;
    loop {
        let source = sources.next();
        tried += 1;
        match open_from(transport, target, source) {
            Err(error) if source.is_some() && tried < SOURCES_TRIED && is_taken(&error) => {}
            outcome => return outcome,
        }
    }
}

fn open_from(
    transport: Transport,
    target: SocketAddr,
    source: Option<SocketAddr>,
) -> io::Result<Socket> {
    let (kind, protocol) = match transport {
        Transport::Stream => (Type::STREAM, Protocol::TCP),
        Transport::Datagram => (Type::DGRAM, Protocol::UDP),
    };
    let socket = Socket::new(
        Domain::for_address(target),
        kind.nonblocking().cloexec(),
        Some(protocol),
    )?;
    if let Some(source) = source {
        match (source.port(), transport) {
            (0, Transport::Stream) => choose_port_on_connect(&socket)?,
            (0, Transport::Datagram) => {}
            // A connection of long ago may still be waiting out its time here.
            (_, _) => socket.set_reuse_address(true)?,
        }
        socket.bind(&SockAddr::from(source))?;
    }
    match socket.connect(&SockAddr::from(target)) {
        Ok(()) => Ok(socket),
        Err(error) if error.raw_os_error() == Some(libc::EINPROGRESS) => Ok(socket),
        Err(error) => Err(error),
    }
}

/// Lets the kernel choose the port when it knows the destination: a port then
/// serves once for each destination and not once in all.
fn choose_port_on_connect(socket: &Socket) -> io::Result<()> {
    let on: libc::c_int = 1;
    // SAFETY: the descriptor is open, and the kernel reads one int.
    let set = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::IPPROTO_IP,
            libc::IP_BIND_ADDRESS_NO_PORT,
            (&raw const on).cast(),
            size_of::<libc::c_int>() as libc::socklen_t,
        )
    };
    match set {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

fn is_taken(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(libc::EADDRINUSE | libc::EADDRNOTAVAIL)
    )
}

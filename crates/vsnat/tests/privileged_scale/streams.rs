//! Services over echo servers, and TCP connections that are opened from a
//! chosen source and closed in a chosen way.

use std::io;
use std::net::SocketAddrV4;
use std::time::Duration;

use socket2::{Domain, Socket, Type};
use vsnat_lab::servers::echo::EchoServer;
use vsnat_lab::{SERVICE_PORT, VIP};

use crate::bed::Bed;

/// Several seconds of a client's own tries, should the table be full.
const CONNECT_PATIENCE: Duration = Duration::from_secs(20);
/// More than any scenario opens at once, at both ends.
const DESCRIPTORS: u64 = 16_384;

/// How a client ends a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Close {
    /// In order: both sides say that they are done.
    Fin,
    /// At once, by a reset.
    Reset,
}

impl Close {
    /// Every third connection is reset.
    pub fn of(number: u64) -> Close {
        match number % 3 {
            0 => Close::Reset,
            _ => Close::Fin,
        }
    }
}

/// Starts an echo server in every server node.
pub fn echo_servers(bed: &Bed) -> Vec<EchoServer> {
    let start = |(node, address)| {
        let namespace = bed.cluster.namespace(node);
        EchoServer::start(&namespace, "echo", address).unwrap()
    };
    bed.cluster.servers().into_iter().map(start).collect()
}

/// The lab's service as its virtual address.
pub const fn service() -> SocketAddrV4 {
    SocketAddrV4::new(VIP, SERVICE_PORT)
}

pub fn connect(source: SocketAddrV4, target: SocketAddrV4) -> io::Result<Socket> {
    connect_within(source, target, CONNECT_PATIENCE)
}

/// What takes longer fails as being in progress.
pub fn connect_within(
    source: SocketAddrV4,
    target: SocketAddrV4,
    patience: Duration,
) -> io::Result<Socket> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.bind(&source.into())?;
    socket.set_write_timeout(Some(patience))?;
    socket.connect(&target.into())?;
    Ok(socket)
}

pub fn close(socket: Socket, how: Close) {
    match how {
        Close::Fin => {}
        Close::Reset => socket.set_linger(Some(Duration::ZERO)).unwrap(),
    }
    drop(socket);
}

/// Lets this process have many sockets.
pub fn raise_descriptor_limit() {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: both calls take a valid `rlimit` that is ours alone.
    let failed = unsafe {
        libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit);
        limit.rlim_cur = limit.rlim_cur.max(DESCRIPTORS);
        limit.rlim_max = limit.rlim_max.max(DESCRIPTORS);
        libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit)
    };
    assert_eq!(failed, 0, "cannot have {DESCRIPTORS} open files");
}

//! Sockets as FTP's helper needs them.

use std::io;
use std::net::SocketAddrV4;
use std::os::fd::AsRawFd;
use std::time::Duration;

use socket2::{Domain, SockRef, Socket, TcpKeepalive, Type};
use tokio::io::Interest;
use tokio::net::{TcpListener, TcpSocket, TcpStream};

use crate::ftp::limits::{ALIVE_TRIES, BACKLOG, READ};

/// `SIOCATMARK` (include/uapi/asm-generic/sockios.h).
const AT_MARK: libc::Ioctl = 0x8905;

/// Listens on a VIP, which need not be on an interface yet.
pub fn listen(address: SocketAddrV4) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.set_freebind_v4(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

/// Calls a server from an address that is not ours.
pub async fn call(source: SocketAddrV4, server: SocketAddrV4) -> io::Result<TcpStream> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.set_ip_transparent_v4(true)?;
    // Of two clients' ports one may be the same towards two servers.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&source.into())?;
    TcpSocket::from_std_stream(socket.into())
        .connect(server.into())
        .await
}

/// A stream of short lines whose peer is asked for a sign of life so often.
pub fn prepare(stream: &TcpStream, alive: Duration) -> io::Result<()> {
    let keepalive = TcpKeepalive::new()
        .with_time(alive)
        .with_interval(alive)
        .with_retries(ALIVE_TRIES);
    let socket = SockRef::from(stream);
    socket.set_tcp_keepalive(&keepalive)?;
    // An urgent byte keeps its place among the others.
    socket.set_out_of_band_inline(true)?;
    stream.set_nodelay(true)
}

/// What a peer said.
pub enum Heard {
    Bytes(Vec<u8>),
    Urgent(u8),
    /// It says no more.
    End,
    /// Nothing as yet.
    Nothing,
}

/// Reads what is there. A read ends in front of an urgent byte, which the next
/// one gets alone.
pub fn hear(stream: &TcpStream) -> io::Result<Heard> {
    let mut buffer = [0; READ];
    let is_urgent = is_at_mark(stream)?;
    let wanted = if is_urgent { 1 } else { READ };
    match stream.try_read(&mut buffer[..wanted]) {
        Ok(0) => Ok(Heard::End),
        Ok(_) if is_urgent => Ok(Heard::Urgent(buffer[0])),
        Ok(length) => Ok(Heard::Bytes(buffer[..length].to_vec())),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(Heard::Nothing),
        Err(error) => Err(error),
    }
}

pub async fn say_urgently(stream: &TcpStream, byte: u8) -> io::Result<()> {
    let send = || SockRef::from(stream).send_out_of_band(&[byte]);
    stream.async_io(Interest::WRITABLE, send).await.map(drop)
}

/// Lets the peer know by a reset that this end is broken off.
pub fn break_off(stream: &TcpStream) {
    // A socket that takes no option is broken already.
    let _ = SockRef::from(stream).set_linger(Some(Duration::ZERO));
}

fn is_at_mark(stream: &TcpStream) -> io::Result<bool> {
    let mut at_mark: libc::c_int = 0;
    // SAFETY: an open socket; the kernel writes one number.
    let answer = unsafe { libc::ioctl(stream.as_raw_fd(), AT_MARK, &raw mut at_mark) };
    match answer {
        0 => Ok(at_mark != 0),
        _ => Err(io::Error::last_os_error()),
    }
}

//! Echo peers for scenarios: TCP sends back what comes, UDP answers each
//! datagram with the server's name and the client's address.

use std::net::SocketAddrV4;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};

use super::runtime::{ServerThread, listen};
use crate::LabError;
use crate::namespace::Namespace;

/// Larger than any datagram.
const DATAGRAM_MAX_BYTES: usize = 65536;

/// A running echo server, TCP and UDP on one port. Dropping it stops it.
#[derive(Debug)]
pub struct EchoServer {
    _thread: ServerThread,
}

impl EchoServer {
    pub fn start(
        namespace: &Namespace,
        name: &str,
        address: SocketAddrV4,
    ) -> Result<Self, LabError> {
        let bind = move || {
            let tcp = listen(address)?;
            let udp = std::net::UdpSocket::bind(address)
                .and_then(|socket| {
                    socket.set_nonblocking(true)?;
                    UdpSocket::from_std(socket)
                })
                .map_err(LabError::io(format!("listen on UDP {address}")))?;
            Ok((tcp, udp))
        };
        let prefix = name.to_owned();
        let serve = move |(tcp, udp)| async move {
            tokio::join!(accept(tcp), answer(udp, prefix));
        };
        let thread = ServerThread::start(namespace, name, bind, serve)?;
        Ok(EchoServer { _thread: thread })
    }
}

async fn accept(listener: TcpListener) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => drop(tokio::task::spawn_local(echo(stream))),
            Err(_) => tokio::task::yield_now().await,
        }
    }
}

async fn echo(mut stream: TcpStream) {
    let mut buffer = vec![0; 16 * 1024];
    while let Ok(length @ 1..) = stream.read(&mut buffer).await {
        if stream.write_all(&buffer[..length]).await.is_err() {
            return;
        }
    }
}

/// The answer to a datagram `PAYLOAD` is `NAME CLIENT:PORT PAYLOAD`.
async fn answer(socket: UdpSocket, name: String) {
    let mut buffer = vec![0; DATAGRAM_MAX_BYTES];
    loop {
        // Errors are those of earlier answers (ICMP); the socket goes on.
        let Ok((length, client)) = socket.recv_from(&mut buffer).await else {
            continue;
        };
        let mut reply = format!("{name} {client} ").into_bytes();
        reply.extend_from_slice(&buffer[..length]);
        let _ = socket.send_to(&reply, client).await;
    }
}

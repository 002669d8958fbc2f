//! Servers that tell who they are, and clients that listen to them.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener};
use std::thread;
use std::time::Duration;

use socket2::{Domain, Socket, Type};
use vsnat_lab::Namespace;

const PATIENCE: Duration = Duration::from_secs(5);

/// Greets everybody who connects, for as long as the test lasts.
pub fn greet(namespace: &Namespace, address: SocketAddrV4, words: &str) {
    let listener = namespace.run(|| TcpListener::bind(address)).unwrap();
    let listener = listener.unwrap();
    let words = words.to_owned();
    thread::spawn(move || {
        for client in listener.incoming() {
            // A client that left again is not the server's business.
            let _ = client.and_then(|mut client| client.write_all(words.as_bytes()));
        }
    });
}

/// What somebody says who is connected to from one of the namespace's addresses.
pub fn greeting_for(
    source: Ipv4Addr,
    namespace: &Namespace,
    address: SocketAddrV4,
) -> io::Result<String> {
    let connect = || {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        socket.bind(&SocketAddrV4::new(source, 0).into())?;
        socket.connect_timeout(&address.into(), PATIENCE)?;
        Ok::<_, io::Error>(socket)
    };
    let mut server = namespace.run(connect).unwrap()?;
    server.set_read_timeout(Some(PATIENCE))?;
    let mut words = String::new();
    server.read_to_string(&mut words)?;
    Ok(words)
}

#[track_caller]
pub fn greeting(namespace: &Namespace, address: SocketAddrV4) -> String {
    greeting_for(Ipv4Addr::UNSPECIFIED, namespace, address).unwrap()
}

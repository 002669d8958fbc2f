//! Connections that are held open while directors come and go.

use std::io::{Read, Write};
use std::net::{SocketAddrV4, TcpStream};
use std::time::Duration;

use socket2::{Domain, Socket, Type};
use vsnat_lab::servers::echo::EchoServer;
use vsnat_lab::{CLIENTS, VIP};

use crate::bed::Bed;

/// Port of the service whose connections are held.
const PORT: u16 = 7;
pub const CONNECTIONS: usize = 40;
const PATIENCE: Duration = Duration::from_secs(10);

/// Open connections to echo servers.
pub struct Held {
    streams: Vec<TcpStream>,
    _servers: Vec<EchoServer>,
}

impl Held {
    pub fn open(bed: &Bed) -> Held {
        bed.ipvsadm(&format!("-A -t {VIP}:{PORT} -s rr"));
        let mut servers = Vec::new();
        for (node, address) in bed.cluster.servers() {
            let address = SocketAddrV4::new(*address.ip(), PORT);
            bed.ipvsadm(&format!("-a -t {VIP}:{PORT} -r {address} -m"));
            let namespace = bed.cluster.namespace(node);
            servers.push(EchoServer::start(&namespace, "echo", address).unwrap());
        }
        let connect_all = || (0..CONNECTIONS).map(|_| connect()).collect();
        let streams = bed.cluster.client().run(connect_all).unwrap();
        let mut held = Held {
            streams,
            _servers: servers,
        };
        held.assert_alive();
        held
    }

    /// Each connection must still carry bytes both ways.
    pub fn assert_alive(&mut self) {
        for (number, stream) in self.streams.iter_mut().enumerate() {
            let sent = (number as u64).to_be_bytes();
            stream.write_all(&sent).unwrap();
            let mut came = [0; 8];
            stream.read_exact(&mut came).unwrap();
            assert_eq!(came, sent, "connection {number}");
        }
    }

    /// The held connections as ipvsadm lists them, without their expiry.
    pub fn listed(bed: &Bed) -> Vec<String> {
        let service = format!("{VIP}:{PORT}");
        let list = bed.ipvsadm("-Lnc");
        let mut listed: Vec<String> = list
            .lines()
            .filter_map(|line| {
                let columns: Vec<&str> = line.split_whitespace().collect();
                let [protocol, _, state, client, vip, server] = columns[..] else {
                    return None;
                };
                let line = format!("{protocol} {state} {client} {vip} {server}");
                (vip == service).then_some(line)
            })
            .collect();
        assert_eq!(listed.len(), CONNECTIONS, "{list}");
        listed.sort();
        listed
    }
}

/// From an address whose ports no request of a scenario gets to.
fn connect() -> TcpStream {
    let [.., source] = CLIENTS;
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&SocketAddrV4::new(source, 0).into()).unwrap();
    socket
        .connect(&SocketAddrV4::new(VIP, PORT).into())
        .unwrap();
    let stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

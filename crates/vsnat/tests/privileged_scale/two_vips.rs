//! One client port that speaks to two VIPs of one server: the server would see
//! the same addresses twice, so one of the two must come from another port.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::thread;
use std::time::Duration;

use socket2::Socket;
use vsnat_lab::{CLIENTS, SERVICE_PORT, VIP};

use crate::bed::{Bed, Counts, Shape};
use crate::cpus;
use crate::streams::{Close, close, connect, echo_servers, raise_descriptor_limit};

const OTHER_VIP: Ipv4Addr = Ipv4Addr::new(192, 168, 28, 168);
const VIPS: [Ipv4Addr; 2] = [VIP, OTHER_VIP];
const PORTS: u16 = 1_000;
const FIRST_PORT: u16 = 20_000;
const READ_PATIENCE: Duration = Duration::from_secs(20);

const SHAPE: Shape = Shape {
    servers: 1,
    connections: 4_096,
    timeouts: "tcp_time_wait = \"1s\"\ntcp_close = \"1s\"\ntcp_fin_wait = \"5s\"\n\
               tcp_close_wait = \"5s\"\ntcp_last_ack = \"5s\"\n",
    more_vips: &["192.168.28.168/24"],
};

/// A connection and what it sends, which no other one sends.
struct Stream {
    socket: Socket,
    identity: String,
}

#[test]
fn one_port_to_two_vips_is_two_connections() {
    raise_descriptor_limit();
    let bed = Bed::new("scbvips", &SHAPE);
    let _server = echo_servers(&bed);
    let (_, server) = bed.cluster.servers()[0];
    for vip in VIPS {
        bed.ipvsadm(&format!("-A -t {vip}:{SERVICE_PORT} -s rr"));
        bed.ipvsadm(&format!("-a -t {vip}:{SERVICE_PORT} -r {server} -m"));
    }

    let mut streams = open_all(&bed);
    assert_eq!(streams.len(), 2 * usize::from(PORTS));
    // All have sent before the first is read: a crossed flow would show.
    for stream in &mut streams {
        stream.socket.write_all(stream.identity.as_bytes()).unwrap();
    }
    for stream in &mut streams {
        let mut came = vec![0; stream.identity.len()];
        stream.socket.read_exact(&mut came).unwrap();
        assert_eq!(String::from_utf8_lossy(&came), stream.identity);
    }

    let all = 2 * u64::from(PORTS);
    let counts = Counts {
        active: all,
        inactive: 0,
    };
    assert_eq!(bed.counts(), counts);
    assert_eq!(bed.reason("opened"), all);
    assert_eq!(bed.reason("ports_exhausted"), 0);
    assert_eq!(u64::from(bed.status().table.live), all);
    for (number, stream) in (0..).zip(streams) {
        close(stream.socket, Close::of(number));
    }
    bed.assert_all_freed(Duration::from_secs(30));
}

/// Each CPU opens the ports of one VIP, both at the same time.
fn open_all(bed: &Bed) -> Vec<Stream> {
    let client = bed.cluster.client();
    thread::scope(|scope| {
        let open = |(cpu, vip)| {
            let client = &client;
            scope.spawn(move || {
                client.enter().unwrap();
                cpus::stay_on(cpu);
                (0..PORTS)
                    .map(|port| open(FIRST_PORT + port, vip))
                    .collect()
            })
        };
        let threads: Vec<_> = cpus::two().into_iter().zip(VIPS).map(open).collect();
        let joined = threads.into_iter().map(|thread| thread.join().unwrap());
        joined.flat_map(|streams: Vec<Stream>| streams).collect()
    })
}

fn open(port: u16, vip: Ipv4Addr) -> Stream {
    let source = SocketAddrV4::new(CLIENTS[0], port);
    let target = SocketAddrV4::new(vip, SERVICE_PORT);
    let socket = connect(source, target).unwrap();
    socket.set_read_timeout(Some(READ_PATIENCE)).unwrap();
    Stream {
        socket,
        identity: format!("{source} to {target}"),
    }
}

//! Two CPUs that see the first packet of the same flow at the same moment: one
//! of them opens the connection, both use it.

use std::net::{Ipv4Addr, SocketAddrV4, UdpSocket};
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};
use vsnat_lab::{CLIENTS, Cluster, VIP};

use crate::bed::{Bed, Counts, Shape};
use crate::cpus;

const FLOWS: u32 = 100_000;
const FLOWS_OF_A_CLIENT: u32 = FLOWS / CLIENTS.len() as u32;
const FIRST_PORT: u32 = 10_000;
/// Port of the service, and one that no service has.
const PORT: u16 = 53;
const NO_SERVICE: u16 = 54;

/// Both CPUs rest now and then, so that the servers keep up.
const FLOWS_BETWEEN_RESTS: u32 = 256;
const REST: Duration = Duration::from_millis(2);
/// Room for every datagram a server can get.
const RECEIVE_BUFFER_BYTES: usize = 256 * 1024 * 1024;
const RECEIVE_PATIENCE: Duration = Duration::from_millis(500);

const SHAPE: Shape = Shape {
    servers: 3,
    connections: 262_144,
    timeouts: "udp = \"20s\"\n",
    more_vips: &[],
};

/// For each flow: the server (from 1) that got the packet of each CPU.
struct Arrivals(Vec<[AtomicU8; 2]>);

#[test]
fn two_cpus_open_the_same_flows() {
    let bed = Bed::new("scbudp", &SHAPE);
    bed.ipvsadm(&format!("-A -u {VIP}:{PORT} -s rr"));
    let servers: Vec<SocketAddrV4> = (bed.cluster.servers().into_iter())
        .map(|(_, address)| SocketAddrV4::new(*address.ip(), PORT))
        .collect();
    for server in &servers {
        bed.ipvsadm(&format!("-a -u {VIP}:{PORT} -r {server} -m"));
    }
    let arrivals = Arrivals((0..FLOWS).map(|_| Default::default()).collect());
    let ended = AtomicBool::new(false);
    thread::scope(|scope| {
        for (number, server) in (1..).zip(&servers) {
            let node = vsnat_lab::Node::Server(number);
            let socket = receiver(&bed.cluster, node, *server);
            let (arrivals, ended) = (&arrivals, &ended);
            scope.spawn(move || receive(&socket, number, arrivals, ended));
        }
        resolve_neighbours(&bed.cluster, &servers);
        send_from_two_cpus(&bed.cluster);
        ended.store(true, Ordering::Release);
    });

    arrivals.assert_one_server_each();
    assert_eq!(bed.reason("forwarded"), 2 * u64::from(FLOWS));
    assert_eq!(bed.reason("opened"), u64::from(FLOWS));
    assert_eq!(bed.status().table.live, FLOWS);
    let counts = Counts {
        active: 0,
        inactive: u64::from(FLOWS),
    };
    assert_eq!(bed.counts(), counts);
    println!("{}", bed.ipvsadm("-Ln"));
    bed.assert_all_freed(Duration::from_secs(60));
}

impl Arrivals {
    fn assert_one_server_each(&self) {
        let mut of_server = [0u32; 4];
        for (flow, arrived) in self.0.iter().enumerate() {
            let [first, second] = [0, 1].map(|cpu| arrived[cpu].load(Ordering::Acquire));
            assert_ne!(first, 0, "flow {flow}: its packet was lost");
            assert_eq!(first, second, "flow {flow} went to two servers");
            of_server[usize::from(first)] += 1;
        }
        println!("flows of each server: {:?}", &of_server[1..]);
    }
}

fn receiver(cluster: &Cluster, node: vsnat_lab::Node, address: SocketAddrV4) -> UdpSocket {
    let bind = || {
        let socket = UdpSocket::bind(address).unwrap();
        nix::sys::socket::setsockopt(
            &socket,
            nix::sys::socket::sockopt::RcvBufForce,
            &RECEIVE_BUFFER_BYTES,
        )
        .unwrap();
        socket.set_read_timeout(Some(RECEIVE_PATIENCE)).unwrap();
        socket
    };
    cluster.namespace(node).run(bind).unwrap()
}

/// Notes who got what, until the senders have ended and nothing more comes.
fn receive(socket: &UdpSocket, server: u8, arrivals: &Arrivals, ended: &AtomicBool) {
    let mut datagram = [0; 64];
    loop {
        let was_ended = ended.load(Ordering::Acquire);
        match socket.recv(&mut datagram) {
            Ok(PAYLOAD_BYTES) => {
                let [a, b, c, d, cpu, ..] = datagram;
                let flow = u32::from_be_bytes([a, b, c, d]);
                let place = &arrivals.0[flow as usize][usize::from(cpu)];
                assert_eq!(place.swap(server, Ordering::AcqRel), 0, "flow {flow} twice");
            }
            Ok(_) => {}
            Err(_) if was_ended => return,
            Err(_) => {}
        }
    }
}

/// The kernel queues few packets for a neighbour it does not know yet.
fn resolve_neighbours(cluster: &Cluster, servers: &[SocketAddrV4]) {
    let knock = |address: SocketAddrV4| {
        let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
        socket.send_to(b"?", address).unwrap();
    };
    for server in servers {
        cluster.director().run(|| knock(*server)).unwrap();
    }
    let vip = SocketAddrV4::new(VIP, NO_SERVICE);
    cluster.client().run(|| knock(vip)).unwrap();
    thread::sleep(RECEIVE_PATIENCE);
}

/// In lock-step: neither CPU sends the packet of a flow before the other has
/// come to it too.
fn send_from_two_cpus(cluster: &Cluster) {
    let reached = [AtomicU32::new(0), AtomicU32::new(0)];
    let client = cluster.client();
    thread::scope(|scope| {
        for (number, cpu) in cpus::two().into_iter().enumerate() {
            let (client, reached) = (&client, &reached);
            scope.spawn(move || {
                client.enter().unwrap();
                cpus::stay_on(cpu);
                send_all(number, reached);
            });
        }
    });
}

fn send_all(number: usize, reached: &[AtomicU32; 2]) {
    let raw = Protocol::from(nix::libc::IPPROTO_RAW);
    let socket = Socket::new(Domain::IPV4, Type::RAW, Some(raw)).unwrap();
    let target = SocketAddrV4::new(VIP, PORT).into();
    for flow in 0..FLOWS {
        let packet = packet(flow, number as u8);
        if flow % FLOWS_BETWEEN_RESTS == 0 {
            thread::sleep(REST);
        }
        reached[number].store(flow + 1, Ordering::Release);
        while reached[1 - number].load(Ordering::Acquire) <= flow {
            thread::yield_now();
        }
        socket.send_to(&packet, &target).unwrap();
    }
}

const IP_BYTES: usize = 20;
const UDP_BYTES: usize = 8;
/// Number of the flow, number of the CPU.
const PAYLOAD_BYTES: usize = 5;
const PACKET_BYTES: usize = IP_BYTES + UDP_BYTES + PAYLOAD_BYTES;

/// The kernel adds the IP checksum; a UDP checksum of zero means none.
fn packet(flow: u32, cpu: u8) -> [u8; PACKET_BYTES] {
    let client: Ipv4Addr = CLIENTS[(flow / FLOWS_OF_A_CLIENT) as usize];
    let port = (FIRST_PORT + flow % FLOWS_OF_A_CLIENT) as u16;
    let mut packet = [0; PACKET_BYTES];
    packet[0] = 0x45;
    packet[2..4].copy_from_slice(&(PACKET_BYTES as u16).to_be_bytes());
    packet[8] = 64;
    packet[9] = 17;
    packet[12..16].copy_from_slice(&client.octets());
    packet[16..20].copy_from_slice(&VIP.octets());
    packet[20..22].copy_from_slice(&port.to_be_bytes());
    packet[22..24].copy_from_slice(&PORT.to_be_bytes());
    packet[24..26].copy_from_slice(&((UDP_BYTES + PAYLOAD_BYTES) as u16).to_be_bytes());
    packet[28..32].copy_from_slice(&flow.to_be_bytes());
    packet[32] = cpu;
    packet
}

//! A million connections are listed, and neither the daemon nor the client ever
//! holds them all.

use std::fs;
use std::io::{BufRead, BufReader};
use std::mem::MaybeUninit;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Instant;

use socket2::{Domain, Protocol, Socket, Type};
use vsnat_lab::VIP;

use crate::bed::{Bed, Shape};
use crate::cpus;

const CONNECTIONS: u32 = 1_000_000;
/// Connections of one client address.
const PORTS: u32 = 50_000;
const FIRST_PORT: u32 = 10_000;
const SERVICE_PORT: u16 = 5_353;

/// Daemon and client together, the mapped table of 64 MB included.
const MEMORY: u64 = 200 << 20;

const SHAPE: Shape = Shape {
    servers: 2,
    connections: 1 << 20,
    timeouts: "udp = \"30m\"\n",
    more_vips: &[],
};

#[test]
fn a_million_connections_are_listed_in_little_memory() {
    let bed = Bed::new("sclist", &SHAPE);
    bed.ipvsadm(&format!("-A -u {VIP}:{SERVICE_PORT} -s rr"));
    for (_, server) in bed.cluster.servers() {
        let address = server.ip();
        bed.ipvsadm(&format!("-a -u {VIP}:{SERVICE_PORT} -r {address} -m"));
    }
    open_all(&bed);
    let daemon = bed.status().pid;
    let before = peak_memory(daemon);

    for words in ["ipvsadm -Lnc", "proc ip_vs_conn"] {
        let started = Instant::now();
        let (lines, client) = count_lines(&bed, words);
        let took = started.elapsed();
        let daemon = peak_memory(daemon);
        println!(
            "{words}: {lines} lines in {took:.2?}; daemon {} MB (before: {} MB), client {} MB",
            daemon >> 20,
            before >> 20,
            client >> 20
        );
        let titles = lines - CONNECTIONS as usize;
        assert!((1..=2).contains(&titles), "{lines} lines");
        assert!(daemon + client < MEMORY);
    }
    let started = Instant::now();
    assert_eq!(count_in_json(&bed), CONNECTIONS as usize);
    let (took, daemon) = (started.elapsed(), peak_memory(daemon) >> 20);
    println!("JSON: {took:.2?}; daemon {daemon} MB");
    assert!(daemon < MEMORY >> 20);
}

/// Sends one datagram of each connection, and again where one got lost.
fn open_all(bed: &Bed) {
    let client = bed.cluster.client();
    for round in 0..10 {
        thread::scope(|scope| {
            for (half, cpu) in cpus::two().into_iter().enumerate() {
                let client = &client;
                scope.spawn(move || {
                    client.enter().unwrap();
                    cpus::stay_on(cpu);
                    send_half(half as u32);
                });
            }
        });
        let live = bed.status().table.live;
        println!("round {round}: {live} connections");
        if live == CONNECTIONS {
            return;
        }
    }
    panic!("not all connections were opened: {:?}", bed.status());
}

fn send_half(half: u32) {
    let header_included = Protocol::from(libc::IPPROTO_RAW);
    let socket = Socket::new(Domain::IPV4, Type::RAW, Some(header_included)).unwrap();
    let target = SocketAddrV4::new(VIP, 0).into();
    for number in (half..CONNECTIONS).step_by(2) {
        let sent = socket.send_to(&datagram(number), &target);
        // A full queue loses one, which the next round sends again.
        if let Err(error) = sent {
            assert_eq!(error.raw_os_error(), Some(libc::ENOBUFS), "{error}");
        }
    }
}

/// An empty UDP datagram; the kernel fills in lengths and the header's checksum.
fn datagram(number: u32) -> [u8; 28] {
    let source = Ipv4Addr::from_bits(u32::from(Ipv4Addr::new(198, 18, 0, 1)) + number / PORTS);
    let port = (FIRST_PORT + number % PORTS) as u16;
    let mut packet = [0; 28];
    packet[0] = 0x45;
    packet[8] = 64;
    packet[9] = libc::IPPROTO_UDP as u8;
    packet[12..16].copy_from_slice(&source.octets());
    packet[16..20].copy_from_slice(&VIP.octets());
    packet[20..22].copy_from_slice(&port.to_be_bytes());
    packet[22..24].copy_from_slice(&SERVICE_PORT.to_be_bytes());
    packet[24..26].copy_from_slice(&8u16.to_be_bytes());
    packet
}

/// Runs a client; gives the lines it printed, and its peak memory in bytes.
#[expect(
    clippy::zombie_processes,
    reason = "the system call that waits for it tells its memory too"
)]
fn count_lines(bed: &Bed, words: &str) -> (usize, u64) {
    let mut client = Command::new(env!("CARGO_BIN_EXE_vsnat"));
    client.args(words.split_whitespace()).stdout(Stdio::piped());
    client.env("VSNAT_SOCKET", bed.director().socket());
    let mut child = client.spawn().unwrap();
    let lines = BufReader::with_capacity(1 << 16, child.stdout.take().unwrap());
    let lines = lines.split(b'\n').count();
    let pid = i32::try_from(child.id()).unwrap();
    let (mut status, mut usage) = (0, MaybeUninit::<libc::rusage>::zeroed());
    // SAFETY: our own child that nobody else waits for, and room for both answers.
    let waited = unsafe { libc::wait4(pid, &raw mut status, 0, usage.as_mut_ptr()) };
    assert_eq!((waited, status), (pid, 0));
    // SAFETY: it was filled in just now, and all zeroes is a valid value too.
    let kilobytes = unsafe { usage.assume_init() }.ru_maxrss;
    (lines, u64::try_from(kilobytes).unwrap() << 10)
}

/// The connections that the API tells to those who ask for no other form.
fn count_in_json(bed: &Bed) -> usize {
    let mut curl = Command::new("curl");
    curl.args(["--silent", "http://vsnat/v1/connections", "--unix-socket"]);
    curl.arg(bed.director().socket()).stdout(Stdio::piped());
    let mut child = curl.spawn().unwrap();
    let text = BufReader::with_capacity(1 << 16, child.stdout.take().unwrap());
    let ends = text.split(b'}').count();
    assert!(child.wait().unwrap().success());
    // One more ends the whole.
    ends - 1
}

fn peak_memory(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = peak.and_then(|peak| peak.split_whitespace().next());
    kilobytes.unwrap().parse::<u64>().unwrap() << 10
}

//! 200,000 connections that were opened and closed leave nothing behind,
//! however large the table is.

use std::net::SocketAddrV4;
use std::thread;
use std::time::Duration;

use vsnat_lab::CLIENTS;
use vsnat_lab::load::SourcePool;

use crate::bed::{Bed, Shape};
use crate::cpus;
use crate::streams::{Close, close, connect, echo_servers, service};

const CONNECTIONS_OF_A_CPU: u64 = 100_000;

const LARGE: Shape = Shape {
    servers: 3,
    connections: 262_144,
    // Long enough for many thousands of them to be over at the same time.
    timeouts: "tcp_established = \"30s\"\ntcp_time_wait = \"10s\"\ntcp_close = \"10s\"\n\
               tcp_fin_wait = \"10s\"\ntcp_close_wait = \"10s\"\ntcp_last_ack = \"10s\"\n",
    more_vips: &[],
};

/// The shortest timeouts there are: a slot serves again after two seconds.
const SMALL: Shape = Shape {
    connections: 1_000,
    timeouts: "tcp_established = \"30s\"\ntcp_time_wait = \"1s\"\ntcp_close = \"1s\"\n\
               tcp_fin_wait = \"1s\"\ntcp_close_wait = \"1s\"\ntcp_last_ack = \"1s\"\n\
               tcp_syn_recv = \"5s\"\n",
    ..LARGE
};

#[test]
fn connections_leave_nothing_in_a_large_table() {
    let bed = Bed::new("scbfull", &LARGE);
    let _servers = echo_servers(&bed);
    for command in bed.cluster.service_commands() {
        bed.ipvsadm(&command);
    }
    // A source is used once: every connection takes a slot of its own.
    let sources = SourcePool::new(&CLIENTS);
    on_two_cpus(&bed, |_| {
        for number in 0..CONNECTIONS_OF_A_CPU {
            open_and_close(sources.next().unwrap(), Close::of(number));
        }
    });
    println!("at the end of the load: {:?}", bed.status().table);
    assert_eq!(bed.reason("opened"), 2 * CONNECTIONS_OF_A_CPU);
    assert_eq!(bed.reason("table_full"), 0);
    bed.assert_all_freed(Duration::from_secs(60));
}

/// Each of the two CPUs uses so many ports, over and over, so that closed
/// connections are opened again in their slots; then it takes other ports,
/// which find the table full until the connections of the old ones are over.
const PORTS: u64 = 400;
const ROUNDS: u64 = 50;
const GROUPS: u64 = 5;

#[test]
fn connections_leave_nothing_in_a_small_table() {
    assert_eq!(GROUPS * ROUNDS * PORTS, CONNECTIONS_OF_A_CPU);
    let bed = Bed::new("scbsmall", &SMALL);
    let _servers = echo_servers(&bed);
    for command in bed.cluster.service_commands() {
        bed.ipvsadm(&command);
    }
    on_two_cpus(&bed, |number| {
        for group in 0..GROUPS {
            for place in (0..ROUNDS).flat_map(|_| 0..PORTS) {
                let port = 10_000 + group * PORTS + place;
                let source = SocketAddrV4::new(CLIENTS[number], port as u16);
                // A port that was closed in order could not be used again at
                // once, by the client's own rules.
                open_and_close(source, Close::Reset);
            }
        }
    });
    let (opened, reopened) = (bed.reason("opened"), bed.reason("reopened"));
    let full = bed.reason("table_full");
    println!("{opened} opened, {reopened} opened again, {full} refused by a full table");
    assert_eq!(opened + reopened, 2 * CONNECTIONS_OF_A_CPU);
    assert!(reopened > 0 && full > 0);
    bed.assert_all_freed(Duration::from_secs(30));
}

fn on_two_cpus(bed: &Bed, work: impl Fn(usize) + Sync) {
    let client = bed.cluster.client();
    thread::scope(|scope| {
        for (number, cpu) in cpus::two().into_iter().enumerate() {
            let (client, work) = (&client, &work);
            scope.spawn(move || {
                client.enter().unwrap();
                cpus::stay_on(cpu);
                work(number);
            });
        }
    });
}

fn open_and_close(source: SocketAddrV4, how: Close) {
    match connect(source, service()) {
        Ok(socket) => close(socket, how),
        Err(error) => panic!("{source} to {}: {error}", service()),
    }
}

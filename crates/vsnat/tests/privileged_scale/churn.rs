//! Two CPUs that open and close connections under every scheduler: afterwards
//! the counts are exact, with some connections held open and with none.

use std::io::{Read, Write};
use std::net::SocketAddrV4;
use std::thread;
use std::time::{Duration, Instant};

use socket2::Socket;
use vsnat_api::Scheduler;
use vsnat_lab::CLIENTS;
use vsnat_lab::load::SourcePool;

use crate::bed::{Bed, Counts, Shape};
use crate::cpus;
use crate::streams::{Close, close, connect, echo_servers, service};

const CHURN: Duration = Duration::from_secs(2);
const PATIENCE: Duration = Duration::from_secs(30);
/// Connections that each CPU holds open while the others come and go.
const HELD: u64 = 20;

const SHAPE: Shape = Shape {
    servers: 4,
    connections: 262_144,
    timeouts: "tcp_established = \"30s\"\ntcp_time_wait = \"1s\"\ntcp_close = \"1s\"\n\
               tcp_fin_wait = \"1s\"\ntcp_close_wait = \"1s\"\ntcp_last_ack = \"1s\"\n\
               tcp_syn_recv = \"5s\"\n",
    more_vips: &[],
};

#[test]
fn counts_are_exact_after_parallel_churn() {
    let bed = Bed::new("scbchurn", &SHAPE);
    let _servers = echo_servers(&bed);
    let service = service();
    bed.ipvsadm(&format!("-A -t {service} -s rr"));
    // Together more than what is held open: `ovf` refuses beyond its weights.
    for (weight, (_, server)) in (20..).step_by(20).zip(bed.cluster.servers()) {
        bed.ipvsadm(&format!("-a -t {service} -r {server} -m -w {weight}"));
    }
    let sources = SourcePool::new(&CLIENTS[..3]);
    for scheduler in Scheduler::ALL {
        bed.ipvsadm(&format!("-E -t {service} -s {scheduler}"));
        churn(&bed, scheduler, &sources);
        bed.assert_all_freed(PATIENCE);
    }
}

fn churn(bed: &Bed, scheduler: Scheduler, sources: &SourcePool) {
    let client = bed.cluster.client();
    let held: Vec<_> = thread::scope(|scope| {
        let threads: Vec<_> = cpus::two()
            .into_iter()
            .zip(1u16..)
            .map(|(cpu, lane)| {
                let client = &client;
                scope.spawn(move || {
                    client.enter().unwrap();
                    cpus::stay_on(cpu);
                    open_and_close(sources, lane)
                })
            })
            .collect();
        threads
            .into_iter()
            .flat_map(|t| t.join().unwrap())
            .collect()
    });

    let active = 2 * HELD;
    let exact = Counts {
        active,
        inactive: 0,
    };
    bed.wait_for_live(active as u32, PATIENCE);
    assert_eq!(bed.counts(), exact, "{scheduler}: {}", bed.ipvsadm("-Ln"));
    println!("{scheduler}: {} opened in all", bed.reason("opened"));
    for socket in held {
        close(socket, Close::Fin);
    }
}

/// One byte there and back: the server has taken the connection. Without it
/// a scheduler that gives everything to one server opens faster than that
/// server's thread accepts, and its descriptors run out.
fn exchange(mut socket: &Socket) {
    let mut byte = [0];
    socket.write_all(b"x").unwrap();
    socket.read_exact(&mut byte).unwrap();
    assert_eq!(&byte, b"x");
}

/// New sources and, in between, ports of this lane that were just reset, so
/// that slots are opened again in place. Answers what it keeps open.
fn open_and_close(sources: &SourcePool, lane: u16) -> Vec<Socket> {
    let fresh = || connect(sources.next().unwrap(), service()).unwrap();
    let held = (0..HELD).map(|_| fresh()).collect();
    let began = Instant::now();
    for number in 0u64.. {
        let socket = fresh();
        exchange(&socket);
        close(socket, Close::of(number));
        let port = 1_000 * lane + (number % 50) as u16 + 1_024;
        let again = SocketAddrV4::new(CLIENTS[3], port);
        let socket = connect(again, service()).unwrap();
        exchange(&socket);
        close(socket, Close::Reset);
        if began.elapsed() > CHURN {
            break;
        }
    }
    held
}

//! Thirty-two clients on two CPUs that open and close connections of every
//! kind under every scheduler: afterwards the counts are exact, with some
//! connections held open and with none.

use std::env;
use std::net::SocketAddrV4;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use socket2::Socket;
use vsnat_api::Scheduler;
use vsnat_lab::CLIENTS;
use vsnat_lab::load::SourcePool;
use vsnat_lab::servers::echo::EchoServer;

use crate::bed::{Bed, Counts, Shape};
use crate::clients::{Client, Seen};
use crate::cpus;
use crate::streams::{Close, close};

/// Seconds of churn under each scheduler, where two are not enough.
const CHURN_VARIABLE: &str = "VSNAT_SOAK_S";
const CHURN: Duration = Duration::from_secs(2);
const CLIENTS_OF_A_CPU: u64 = 16;
/// Templates that still had a connection when their time was over live for
/// another minute.
pub const PATIENCE: Duration = Duration::from_secs(120);
const LOOK_AGAIN: Duration = Duration::from_millis(200);
/// More than there are slots: a count below zero would be close to 2^32.
const NEGATIVE: u64 = 1 << 31;

pub const SHAPE: Shape = Shape {
    servers: 4,
    connections: 262_144,
    timeouts: "tcp_established = \"30s\"\ntcp_time_wait = \"1s\"\ntcp_close = \"1s\"\n\
               tcp_fin_wait = \"1s\"\ntcp_close_wait = \"1s\"\ntcp_last_ack = \"1s\"\n\
               tcp_syn_recv = \"2s\"\nudp = \"1s\"\n",
    more_vips: &["192.168.28.168/24", "192.168.28.169/24"],
};

/// The services; the clients know them by their ports.
const PLAIN: &str = "-t 192.168.28.167:80";
const PERSISTENT: &str = "-t 192.168.28.167:81";
const LIMITED: &str = "-t 192.168.28.167:82";
const PERSISTENT_AND_LIMITED: &str = "-t 192.168.28.167:83";
const MARKED: &str = "-f 84";
const DATAGRAMS: &str = "-u 192.168.28.167:80";
const PERSISTENT_DATAGRAMS: &str = "-u 192.168.28.167:81";
const ONE_PACKET: &str = "-u 192.168.28.167:85";

/// Services, their options, and those of their servers. Clients are kept at a
/// server for longer than a connection lives.
pub const SERVICES: [(&str, &str, &str); 8] = [
    (PLAIN, "", ""),
    (PERSISTENT, "-p 3", ""),
    (LIMITED, "", "-x 4 -y 2"),
    (PERSISTENT_AND_LIMITED, "-p 3 -M 255.255.255.254", "-x 4"),
    (MARKED, "", ""),
    (DATAGRAMS, "", ""),
    (PERSISTENT_DATAGRAMS, "-p 3", ""),
    (ONE_PACKET, "-o", ""),
];

#[test]
fn counts_are_exact_after_parallel_churn() {
    let bed = Bed::new("scbchurn", &SHAPE);
    let _servers = add_services(&bed);
    let sources = SourcePool::new(&CLIENTS);
    for scheduler in Scheduler::ALL {
        for (service, options, _) in SERVICES {
            bed.ipvsadm(&format!("-E {service} -s {scheduler} {options}"));
        }
        churn(&bed, scheduler, &sources);
        bed.assert_at_rest(PATIENCE);
    }
}

/// One address for both protocols; those of single packets must be known by
/// their server alone.
pub fn add_services(bed: &Bed) -> Vec<EchoServer> {
    bed.director()
        .ctl(&["mark", "add", "--mark", "84", "--ports", "84"])
        .unwrap();
    for (service, options, server_options) in SERVICES {
        bed.ipvsadm(&format!("-A {service} -s rr {options}"));
        // Together more than all that is open at a time: `ovf` refuses beyond
        // its weights.
        for (weight, (_, server)) in (40..).step_by(20).zip(bed.cluster.servers()) {
            let address = server.ip();
            let port = server_port(service);
            bed.ipvsadm(&format!(
                "-a {service} -r {address}:{port} -m -w {weight} {server_options}"
            ));
        }
    }
    let start = |(node, mut address): (_, SocketAddrV4), port| {
        address.set_port(port);
        EchoServer::start(&bed.cluster.namespace(node), "echo", address).unwrap()
    };
    let both = bed.cluster.servers().into_iter();
    both.flat_map(|server| [80, 85].map(|port| start(server, port)))
        .collect()
}

pub fn server_port(service: &str) -> u16 {
    match service {
        ONE_PACKET => 85,
        _ => 80,
    }
}

fn churn(bed: &Bed, scheduler: Scheduler, sources: &SourcePool) {
    let opened_before = bed.reason("opened") + bed.reason("reopened");
    let done = AtomicBool::new(false);
    let (seen, held) = thread::scope(|scope| {
        scope.spawn(|| watch(bed, &done));
        let outcome = run_clients(bed, sources);
        done.store(true, Ordering::Relaxed);
        outcome
    });
    let opened = bed.reason("opened") + bed.reason("reopened") - opened_before;
    println!("{scheduler}: {opened} opened; {seen:?}");
    assert_eq!((seen.refused_wrongly, seen.broken), (0, 0), "{seen:?}");
    assert_eq!(bed.reason("kernel"), 0);
    assert_eq!(bed.reason("table_full"), 0);

    let active = held.len() as u64;
    let exact = Counts {
        active,
        inactive: 0,
    };
    bed.wait_for_live(active as u32, PATIENCE);
    assert_eq!(bed.counts(), exact, "{scheduler}: {}", bed.ipvsadm("-Ln"));
    assert_eq!(bed.templates(), 0);
    for socket in held {
        close(socket, Close::Fin);
    }
}

pub fn run_clients(bed: &Bed, sources: &SourcePool) -> (Seen, Vec<Socket>) {
    let namespace = bed.cluster.client();
    let end = Instant::now() + duration();
    thread::scope(|scope| {
        let cpus = cpus::two().into_iter();
        let places = cpus.flat_map(|cpu| (0..CLIENTS_OF_A_CPU).map(move |lane| (cpu, lane)));
        let threads: Vec<_> = places
            .map(|(cpu, lane)| {
                let namespace = &namespace;
                scope.spawn(move || {
                    namespace.enter().unwrap();
                    cpus::stay_on(cpu);
                    let mut client = Client::new(sources, 32 * cpu as u64 + lane);
                    while Instant::now() < end {
                        client.act();
                    }
                    client.finish()
                })
            })
            .collect();
        let mut all = (Seen::default(), Vec::new());
        for thread in threads {
            let (seen, held) = thread.join().unwrap();
            all.0.add(&seen);
            all.1.extend(held);
        }
        all
    })
}

/// No count may ever be below zero, not even for a moment.
pub fn watch(bed: &Bed, done: &AtomicBool) {
    while !done.load(Ordering::Relaxed) {
        let Counts { active, inactive } = bed.counts();
        let templates = bed.templates();
        assert!(
            active < NEGATIVE && inactive < NEGATIVE && templates < NEGATIVE,
            "{active} {inactive} {templates}: {}",
            bed.ipvsadm("-Ln")
        );
        thread::sleep(LOOK_AGAIN);
    }
}

fn duration() -> Duration {
    match env::var(CHURN_VARIABLE) {
        Ok(seconds) => Duration::from_secs(seconds.parse().unwrap()),
        Err(_) => CHURN,
    }
}

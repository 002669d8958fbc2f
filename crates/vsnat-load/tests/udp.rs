//! Datagrams to servers on the loopback interface that send them back, or not.
#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

use std::net::{SocketAddr, UdpSocket};
use std::thread;
use std::time::Duration;

use vsnat_load::{
    Amount, Connections, Drive, LoadError, LoadPlan, LoadResult, UdpPlan, Unobserved, run_udp,
};

const PAYLOAD_BYTES: usize = 100;

/// Answers each datagram with those that `answering` makes of it.
fn server(answering: impl Fn(u64, &[u8]) -> Vec<Vec<u8>> + Send + 'static) -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    thread::spawn(move || {
        let mut buffer = [0; 2048];
        for number in 0.. {
            let (length, client) = socket.recv_from(&mut buffer).unwrap();
            for answer in answering(number, &buffer[..length]) {
                // A client that is gone misses it.
                let _ = socket.send_to(&answer, client);
            }
        }
    });
    address
}

fn plan(address: SocketAddr, connections: usize, requests: u64) -> UdpPlan {
    let drive = Drive::Closed { connections };
    let mut load = LoadPlan::new(vec![address], drive, Amount::Requests(requests));
    load.threads = 2;
    load.connections = Connections::KeptAlive;
    load.timeout = Duration::from_secs(10);
    UdpPlan::new(load, PAYLOAD_BYTES)
}

fn run(plan: &UdpPlan) -> LoadResult {
    run_udp(plan, &Unobserved).unwrap()
}

#[test]
fn every_datagram_comes_back() {
    let address = server(|_, datagram| vec![datagram.to_vec()]);
    let mut plan = plan(address, 8, 1000);
    for (connections, sockets) in [
        (Connections::KeptAlive, 8),
        (Connections::OnePerRequest, 1000),
    ] {
        plan.load.connections = connections;
        let result = run(&plan);
        assert_eq!(result.complete, 1000, "{:?}", result.first_failure);
        assert_eq!(result.connections, sockets);
        assert_eq!(result.received_bytes, 100_000);
        assert_eq!(result.document_bytes, PAYLOAD_BYTES as u64);
    }
}

#[test]
fn lost_datagrams_are_counted() {
    let address = server(|number, datagram| match number % 10 {
        3 => Vec::new(),
        _ => vec![datagram.to_vec()],
    });
    let mut plan = plan(address, 1, 50);
    plan.load.timeout = Duration::from_millis(300);
    let result = run(&plan);
    assert_eq!((result.complete, result.failures.timeout), (45, 5));
}

#[test]
fn an_answer_too_late_is_not_taken_for_the_next() {
    // The answer to the first comes with that to the second, ahead of it.
    let first = std::sync::Mutex::new(Vec::new());
    let address = server(move |number, datagram| match number {
        0 => {
            *first.lock().unwrap() = datagram.to_vec();
            Vec::new()
        }
        1 => vec![first.lock().unwrap().clone(), datagram.to_vec()],
        _ => vec![datagram.to_vec()],
    });
    let mut plan = plan(address, 1, 10);
    plan.load.timeout = Duration::from_millis(500);
    let result = run(&plan);
    assert_eq!(
        (result.complete, result.failures.timeout, result.late),
        (9, 1, 1)
    );
}

#[test]
fn an_answer_that_was_changed_is_a_failure() {
    let address = server(|_, datagram| vec![datagram[..50].to_vec()]);
    let result = run(&plan(address, 2, 20));
    assert_eq!((result.complete, result.failures.length), (0, 20));
}

#[test]
fn a_port_where_nobody_listens_is_told_of() {
    let address = UdpSocket::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let result = run(&plan(address, 1, 3));
    assert_eq!(result.failures.refused, 3, "{:?}", result.first_failure);
}

#[test]
fn datagrams_have_room_for_their_number() {
    let address = server(|_, datagram| vec![datagram.to_vec()]);
    for bytes in [0, 7, 65_508] {
        let mut plan = plan(address, 1, 1);
        plan.payload_bytes = bytes;
        let refused = run_udp(&plan, &Unobserved).unwrap_err();
        assert!(matches!(refused, LoadError::Datagram { .. }));
    }
}

//! A server that stalls: what a closed loop hides, an open loop shows. Told
//! apart by counts; how fast this machine is does not matter.

use std::io::Write;
use std::sync::Mutex;
use std::time::{Duration, Instant};
use std::{net::TcpStream, thread};

use super::site::{Site, plan};
use vsnat_load::{Amount, Connections, Drive, LoadResult, Unobserved, run_http};

const REQUESTS: u64 = 1000;
/// A closed loop asks one at a time, and an open one has one connection too.
const CONNECTIONS: usize = 1;
const STALL: Duration = Duration::from_secs(1);
const RATE: f64 = 500.0;

/// Answers at once, but for one request in the middle. What happens to the
/// others meanwhile is up to the client.
fn stalling() -> Site {
    let stalled = Mutex::new(false);
    Site::start(move |number, stream: &mut TcpStream| {
        let mut stalled = stalled.lock().unwrap();
        if number == REQUESTS / 4 && !*stalled {
            *stalled = true;
            thread::sleep(STALL);
        }
        stream
            .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            .is_ok()
    })
}

fn run(drive: Drive) -> LoadResult {
    let site = stalling();
    let mut plan = plan(site.address, drive, Amount::Requests(REQUESTS));
    plan.load.connections = Connections::KeptAlive;
    let result = run_http(&plan, &Unobserved).unwrap();
    assert_eq!(result.complete, REQUESTS, "{:?}", result.first_failure);
    assert_eq!(site.requests(), REQUESTS);
    result
}

#[test]
fn a_stall_is_seen_by_all_whom_it_kept_waiting() {
    let closed = run(Drive::Closed {
        connections: CONNECTIONS,
    });
    let began = Instant::now();
    let open = run(Drive::Open {
        requests_per_s: RATE,
        connections: CONNECTIONS,
    });
    // Both saw the stall itself.
    assert!(closed.latency().max() >= STALL.mul_f64(0.99));
    assert!(open.total.max() >= STALL.mul_f64(0.99));
    // To the closed loop it was one slow request of a thousand; the 500 that
    // other clients would have sent meanwhile were never asked.
    assert!(closed.latency().at(0.99) < STALL / 2);
    // So was the bare service time in the open loop.
    assert!(open.total.at(0.99) < STALL / 2);
    // From when they were due, about 500 waited, evenly from no time to a whole
    // stall: a tenth of all waited more than 0.8 of it, and every hundredth
    // more than 0.98.
    let corrected = open.from_due.as_ref().unwrap();
    assert!(
        corrected.at(0.90) >= STALL.mul_f64(0.75),
        "{:?}",
        corrected.at(0.90)
    );
    assert!(
        corrected.at(0.99) >= STALL.mul_f64(0.95),
        "{:?}",
        corrected.at(0.99)
    );
    assert_eq!(open.latency().at(0.99), corrected.at(0.99));
    // All of them were sent nevertheless, none before it was due.
    assert!(began.elapsed() >= Duration::from_secs_f64((REQUESTS - 1) as f64 / RATE));
}

#[test]
fn requests_that_waited_too_long_are_failures_not_silence() {
    let site = stalling();
    let drive = Drive::Open {
        requests_per_s: RATE,
        connections: CONNECTIONS,
    };
    let mut plan = plan(site.address, drive, Amount::Requests(REQUESTS));
    plan.load.connections = Connections::KeptAlive;
    plan.load.threads = 1;
    plan.load.timeout = STALL / 4;
    let result = run_http(&plan, &Unobserved).unwrap();
    let failed = result.failures.timeout;
    assert_eq!(result.complete + failed, REQUESTS, "{:?}", result.failures);
    // The one that stalled, and at least some of those that were due behind it.
    assert!(failed > 1, "{failed}");
    assert!(result.latency().max() <= STALL / 4 + STALL / 2);
}

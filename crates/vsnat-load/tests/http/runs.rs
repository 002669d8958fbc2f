//! What runs count, and how they end.

use std::io::Write;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::site::{Site, plan};
use vsnat_load::{
    Amount, AtEnd, Connections, Drive, ExpectedLength, ExpectedStatus, HttpPlan, LoadError,
    LoadResult, Observer, Sources, Unobserved, run_http,
};

fn closed(address: SocketAddr, connections: usize, requests: u64) -> HttpPlan {
    let drive = Drive::Closed { connections };
    plan(address, drive, Amount::Requests(requests))
}

fn run(plan: &HttpPlan) -> LoadResult {
    run_http(plan, &Unobserved).unwrap()
}

#[test]
fn every_request_is_answered_over_kept_connections_and_over_new_ones() {
    for connections in [Connections::OnePerRequest, Connections::KeptAlive] {
        let site = Site::of_length(4100);
        let mut plan = closed(site.address, 8, 1000);
        plan.load.connections = connections;
        let result = run(&plan);
        assert_eq!(result.failures.total(), 0, "{:?}", result.first_failure);
        assert_eq!((result.requests, result.complete), (1000, 1000));
        assert_eq!(site.requests(), 1000);
        assert_eq!(result.document_bytes, 4100);
        assert_eq!(result.documents_bytes, 4_100_000);
        let latencies = [&result.total, &result.waiting, &result.connect];
        assert!(latencies.iter().all(|latencies| latencies.count() == 1000));
        assert_eq!(result.software.as_deref(), Some("test"));
        let opened = match connections {
            Connections::OnePerRequest => 1000,
            Connections::KeptAlive => 8,
        };
        assert_eq!((site.connections(), result.connections), (opened, opened));
        // The side that closes first is the one that keeps the closed connection.
        let expected = match connections {
            Connections::OnePerRequest => (1000, 0, 0),
            Connections::KeptAlive => (0, 8, 0),
        };
        let by = result.closes;
        assert_eq!((by.by_server, by.by_client, by.by_reset), expected);
    }
}

#[test]
fn a_server_that_closes_after_some_requests_is_connected_to_again() {
    let site = Site::start(|number, stream| {
        let is_last = number % 10 == 9;
        let close = if is_last { "Connection: close\r\n" } else { "" };
        let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n{close}\r\nok");
        stream.write_all(answer.as_bytes()).is_ok() && !is_last
    });
    let mut plan = closed(site.address, 1, 100);
    plan.load.connections = Connections::KeptAlive;
    let result = run(&plan);
    assert_eq!(result.failures.total(), 0, "{:?}", result.first_failure);
    assert_eq!(
        (result.complete, result.connections, result.kept),
        (100, 10, 90)
    );
    assert_eq!(result.closes.by_server, 10);
}

#[test]
fn documents_in_chunks_and_without_a_length() {
    let chunked: &[u8] = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\
        4\r\nwell\r\n3\r\n ok\r\n0\r\n\r\n";
    let unbounded: &[u8] = b"HTTP/1.1 200 OK\r\n\r\nwell ok";
    for (answer, stays) in [(chunked, true), (unbounded, false)] {
        let site = Site::start(move |_, stream| stream.write_all(answer).is_ok() && stays);
        let mut plan = closed(site.address, 3, 60);
        plan.load.connections = Connections::KeptAlive;
        plan.length = ExpectedLength::Exactly(7);
        let result = run(&plan);
        assert_eq!(result.complete, 60, "{:?}", result.first_failure);
        assert_eq!(result.connections, if stays { 3 } else { 60 });
    }
}

#[test]
fn failures_are_counted_by_kind() {
    let site = Site::start(|number, stream| {
        let text = match number % 5 {
            0 => "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
            1 => "HTTP/1.1 503 No\r\nContent-Length: 2\r\n\r\nno",
            2 => "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nlong",
            3 => "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nyes",
            _ => "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\no",
        };
        stream.write_all(text.as_bytes()).is_ok()
    });
    let result = run(&closed(site.address, 1, 50));
    let failures = result.failures;
    assert_eq!(result.complete, 10);
    assert_eq!(failures.status, 10, "503");
    assert_eq!(failures.malformed, 10, "more bytes than promised");
    assert_eq!(failures.length, 10, "another length than the first");
    assert_eq!(failures.cut_short, 10, "fewer bytes than promised");
    assert_eq!((failures.total(), result.non_2xx), (40, 10));
    assert!(result.first_failure.unwrap().contains("503"));
    assert_eq!(result.total.count(), 10, "failures are no latencies");
}

#[test]
fn what_is_expected_can_be_told() {
    let site = Site::start(|number, stream| {
        let body = "x".repeat(number as usize % 3);
        let length = body.len();
        let answer = format!("HTTP/1.1 404 No\r\nContent-Length: {length}\r\n\r\n{body}");
        stream.write_all(answer.as_bytes()).is_ok()
    });
    let mut plan = closed(site.address, 2, 30);
    plan.status = ExpectedStatus::Exactly(404);
    plan.length = ExpectedLength::Any;
    let result = run(&plan);
    assert_eq!((result.complete, result.non_2xx), (30, 30));
}

#[test]
fn a_connection_that_is_refused_or_torn_down() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let reset = thread::spawn(move || {
        for stream in listener.incoming().take(3) {
            // Closed with the request unread, which resets the connection.
            let stream = stream.unwrap();
            stream.peek(&mut [0; 1]).unwrap();
        }
    });
    let result = run(&closed(address, 1, 3));
    reset.join().unwrap();
    assert_eq!((result.failures.reset, result.closes.by_reset), (3, 3));

    let result = run(&closed(address, 1, 3));
    assert_eq!(result.failures.refused, 3);
    assert!(result.first_failure.unwrap().contains("refused"));
}

#[test]
fn an_answer_that_does_not_come_is_given_up() {
    let site = Site::start(|number, stream| {
        if number == 0 {
            thread::sleep(Duration::from_secs(2));
        }
        stream
            .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            .is_ok()
    });
    let mut plan = closed(site.address, 1, 5);
    plan.load.connections = Connections::KeptAlive;
    plan.load.timeout = Duration::from_millis(500);
    let result = run(&plan);
    assert_eq!((result.failures.timeout, result.complete), (1, 4));
    assert_eq!(
        result.connections, 2,
        "the stalled connection is not used again"
    );
}

#[test]
fn a_run_by_time_ends_and_accounts_for_all() {
    for at_end in [AtEnd::Finish, AtEnd::Cut] {
        let site = Site::of_length(10);
        let time = Duration::from_millis(300);
        let drive = Drive::Closed { connections: 4 };
        let mut plan = plan(site.address, drive, Amount::Time(time));
        plan.load.connections = Connections::KeptAlive;
        plan.load.at_end = at_end;
        let result = run(&plan);
        assert_eq!(result.failures.total(), 0, "{:?}", result.first_failure);
        assert!(result.complete > 0 && result.elapsed >= time);
        assert_eq!(result.requests, result.complete);
        let given_up = site.requests() - result.complete;
        match at_end {
            AtEnd::Finish => assert_eq!(given_up, 0),
            AtEnd::Cut => assert!(given_up <= 4, "{given_up}"),
        }
    }
}

/// Ends a run after so many requests.
struct Impatient {
    ended: AtomicU64,
    after: u64,
}

impl Observer for Impatient {
    fn ended(&self, requests: u64) {
        self.ended.fetch_add(requests, Ordering::SeqCst);
    }

    fn is_over(&self) -> bool {
        self.ended.load(Ordering::SeqCst) >= self.after
    }
}

#[test]
fn an_interrupted_run_tells_what_was_not_done() {
    let site = Site::of_length(10);
    let watch = Impatient {
        ended: AtomicU64::new(0),
        after: 100,
    };
    let plan = closed(site.address, 2, 1_000_000);
    let result = run_http(&plan, &watch).unwrap();
    assert!((100..1_000_000).contains(&result.complete));
    assert_eq!(result.requests, 1_000_000);
    assert_eq!(result.failures.not_sent, 1_000_000 - result.complete);
}

#[test]
fn sources_are_those_that_were_told() {
    let site = Site::start(|_, stream| {
        let peer = stream.peer_addr().unwrap();
        let answer = format!(
            "HTTP/1.1 200 OK\r\nX-Peer: {}\r\nContent-Length: 2\r\n\r\nok",
            peer.ip()
        );
        stream.write_all(answer.as_bytes()).is_ok()
    });
    let mut plan = closed(site.address, 4, 120);
    plan.server_header = Some("x-peer");
    let networks = [
        "127.0.1.0/30".parse().unwrap(),
        "127.0.2.1/32".parse().unwrap(),
    ];
    plan.load.sources = Sources::addresses(&networks);
    let result = run(&plan);
    let names = ["127.0.1.1", "127.0.1.2", "127.0.2.1"].map(str::to_owned);
    assert_eq!(result.per_server, names.map(|name| (name, 40)).into());

    let address = IpAddr::from([127, 0, 0, 9]);
    plan.load.sources = Sources::ports_in_turn(&[address]);
    assert_eq!(run(&plan).per_server["127.0.0.9"], 120);

    plan.load.sources = Sources::addresses(&["192.0.2.1/32".parse().unwrap()]);
    let result = run(&plan);
    assert_eq!(result.failures.local, 120, "{:?}", result.first_failure);
}

#[test]
fn plans_that_cannot_be_carried_out_are_refused() {
    let address = SocketAddr::from(([127, 0, 0, 1], 1));
    let refused = |change: &dyn Fn(&mut HttpPlan)| {
        let mut plan = closed(address, 1, 1);
        change(&mut plan);
        run_http(&plan, &Unobserved).unwrap_err()
    };
    let nobody = refused(&|plan| plan.load.targets.clear());
    assert!(matches!(nobody, LoadError::NoTarget));
    let none = refused(&|plan| plan.load.drive = Drive::Closed { connections: 0 });
    assert!(matches!(none, LoadError::Zero { .. }));
    let many = refused(&|plan| {
        let connections = 1 << 40;
        plan.load.drive = Drive::Closed { connections };
        plan.load.amount = Amount::Time(Duration::from_secs(1));
    });
    assert!(matches!(many, LoadError::TooManyConnections { .. }));
    for rate in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        let rate = refused(&|plan| {
            plan.load.drive = Drive::Open {
                requests_per_s: rate,
                connections: 1,
            };
        });
        assert!(matches!(rate, LoadError::Rate { .. }));
    }
    let patience = refused(&|plan| plan.load.timeout = Duration::MAX);
    assert!(matches!(patience, LoadError::Timeout { .. }));
    let family = refused(&|plan| {
        plan.load.sources = Sources::addresses(&["::1/128".parse().unwrap()]);
    });
    assert!(matches!(family, LoadError::Family { .. }));
}

#[test]
fn an_open_loop_keeps_its_rate() {
    let site = Site::of_length(10);
    let drive = Drive::Open {
        requests_per_s: 500.0,
        connections: 20,
    };
    let mut plan = plan(site.address, drive, Amount::Requests(250));
    plan.load.connections = Connections::KeptAlive;
    let began = Instant::now();
    let result = run(&plan);
    assert_eq!(result.complete, 250, "{:?}", result.first_failure);
    // The last one is due after 249 of 500 parts of a second, and never earlier.
    assert!(began.elapsed() >= Duration::from_millis(498));
    assert_eq!(result.from_due.as_ref().map(|all| all.count()), Some(250));
    assert!(result.latency().at(0.5) >= result.total.min());
}

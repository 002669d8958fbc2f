//! Runs against real servers on the loopback interface.

mod site;

use std::io::Write;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use site::Site;
use vsnat_load::{
    Amount, AtEnd, Connections, Drive, ExpectedLength, ExpectedStatus, HttpPlan, HttpRequest,
    LoadError, LoadPlan, LoadResult, Observer, Sources, Unobserved, run_http,
};

fn plan(targets: Vec<SocketAddr>, drive: Drive, amount: Amount) -> HttpPlan {
    let mut load = LoadPlan::new(targets, drive, amount);
    load.threads = 2;
    load.timeout = Duration::from_secs(10);
    let request = HttpRequest {
        host: "virtual".to_owned(),
        path: "/".to_owned(),
    };
    HttpPlan::new(load, request)
}

fn closed(address: SocketAddr, connections: usize, requests: u64) -> HttpPlan {
    let drive = Drive::Closed { connections };
    plan(vec![address], drive, Amount::Requests(requests))
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
        assert_eq!(result.total.count(), 1000);
        assert_eq!(result.software.as_deref(), Some("test"));
        let opened = match connections {
            Connections::OnePerRequest => 1000,
            Connections::KeptAlive => 8,
        };
        assert_eq!((site.connections(), result.connections), (opened, opened));
        // The side that closes first is the one that keeps the closed connection.
        let closes = match connections {
            Connections::OnePerRequest => (1000, 0, 0),
            Connections::KeptAlive => (0, 8, 0),
        };
        let by = result.closes;
        assert_eq!((by.by_server, by.by_client, by.by_reset), closes);
    }
}

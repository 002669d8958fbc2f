//! Web servers behind one service, and requests to it that are counted at both
//! ends.

use std::net::SocketAddrV4;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use vsnat_lab::load::{self, Connections, LoadPlan, LoadResult, SourcePool};
use vsnat_lab::progress::Progress;
use vsnat_lab::servers::http::HttpServer;
use vsnat_lab::servers::{Capacity, DOCUMENT_BYTES, ServerOptions};
use vsnat_lab::{CLIENTS, Cancel, Cluster, SERVICE_PORT, VIP};

use crate::bed::Bed;

/// Requests under way at a time.
const CONCURRENCY: usize = 32;
/// Far beyond the second after which a client tries a lost SYN again.
const REQUEST_PATIENCE: Duration = Duration::from_secs(20);
const POLL: Duration = Duration::from_millis(5);

/// The service's web servers.
pub struct Web {
    servers: Vec<HttpServer>,
    /// No source is used twice: each request is a connection of its own.
    sources: SourcePool,
}

/// Requests answered so far.
#[derive(Clone, Debug, Default)]
pub struct Answered(Arc<AtomicU64>);

impl Progress for Answered {
    fn advance(&self, requests: u64) {
        self.0.fetch_add(requests, Ordering::Relaxed);
    }
}

impl Answered {
    pub fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    pub fn wait_for(&self, requests: u64) {
        while self.count() < requests {
            thread::sleep(POLL);
        }
    }
}

impl Web {
    /// Starts a server in each server node, which takes `per_request` for each
    /// request, and makes them the lab's service.
    pub fn start(bed: &Bed, per_request: Duration) -> Web {
        let start = |(number, (node, address))| {
            let options = ServerOptions {
                name: format!("server{number}"),
                address,
                capacity: Capacity::OneAtATime { per_request },
            };
            HttpServer::start(&bed.cluster.namespace(node), &options).unwrap()
        };
        let servers = (1..).zip(bed.cluster.servers()).map(start).collect();
        for command in bed.cluster.service_commands() {
            bed.ipvsadm(&command);
        }
        Web {
            servers,
            sources: SourcePool::new(&CLIENTS),
        }
    }

    /// Sends so many requests, each once, on a connection of its own.
    pub fn ask(&self, cluster: &Cluster, requests: u64, answered: &Answered) -> LoadResult {
        let plan = LoadPlan {
            targets: vec![SocketAddrV4::new(VIP, SERVICE_PORT)],
            requests,
            concurrency: CONCURRENCY,
            connections: Connections::OnePerRequest,
            timeout: REQUEST_PATIENCE,
            document_bytes: DOCUMENT_BYTES,
        };
        let answered = Arc::new(answered.clone());
        let cancel = Cancel::default();
        load::run(&cluster.client(), &plan, &self.sources, answered, &cancel).unwrap()
    }

    /// Connections that the servers have seen, all together.
    pub fn connections(&self) -> u64 {
        let each = self.servers.iter();
        each.map(|server| server.counts().connections).sum()
    }
}

/// How often the client's kernel sent a SYN again: a connection that a
/// director lost for a moment would show here and nowhere else.
pub fn repeated_syns(cluster: &Cluster) -> u64 {
    let read = || std::fs::read_to_string("/proc/thread-self/net/netstat");
    let text = cluster.client().run(read).unwrap().unwrap();
    let mut lines = text.lines().filter(|line| line.starts_with("TcpExt:"));
    let names = lines.next().unwrap().split_whitespace();
    let values = lines.next().unwrap().split_whitespace();
    let (_, count) = names
        .zip(values)
        .find(|(name, _)| *name == "TCPSynRetrans")
        .expect("the kernel counts repeated SYNs");
    count.parse().unwrap()
}

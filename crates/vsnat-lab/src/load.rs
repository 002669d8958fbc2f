//! Load from a lab's client on a lab's servers: the load generator, told what
//! these servers serve.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4};
use std::sync::Arc;
use std::time::Duration;

use vsnat_load::{
    Amount, Drive, ExpectedLength, ExpectedStatus, HttpPlan, HttpRequest, Observer, Sources,
};
pub use vsnat_load::{Connections, Failures, Latency, LoadResult};

use crate::LabError;
use crate::cancel::Cancel;
use crate::namespace::Namespace;
use crate::progress::Progress;
use crate::servers::SERVER_HEADER;

/// What is asked, how often and of whom.
#[derive(Clone, Debug)]
pub struct LoadPlan {
    /// Taken in turn, request by request.
    pub targets: Vec<SocketAddrV4>,
    pub requests: u64,
    pub concurrency: usize,
    pub connections: Connections,
    /// A request that takes longer has failed.
    pub timeout: Duration,
    /// A document of another length has failed.
    pub document_bytes: usize,
}

/// A pool that runs share, so that the next goes on where one ended: no source
/// is used again before all were.
#[derive(Clone, Debug)]
pub struct SourcePool(Sources);

/// Sends all requests from `namespace` and waits for the last.
pub fn run(
    namespace: &Namespace,
    plan: &LoadPlan,
    sources: &SourcePool,
    progress: Arc<dyn Progress>,
    cancel: &Cancel,
) -> Result<LoadResult, LabError> {
    let watch = Watch { progress, cancel };
    let plan = plan.over_http(sources);
    let result = namespace.run(|| vsnat_load::run_http(&plan, &watch))??;
    cancel.check()?;
    Ok(result)
}

impl LoadPlan {
    fn over_http(&self, sources: &SourcePool) -> HttpPlan {
        let targets = self.targets.iter().copied().map(SocketAddr::V4).collect();
        let drive = Drive::Closed {
            connections: self.concurrency,
        };
        let amount = Amount::Requests(self.requests);
        let mut load = vsnat_load::LoadPlan::new(targets, drive, amount);
        load.connections = self.connections;
        load.timeout = self.timeout;
        load.sources = sources.0.clone();
        let request = HttpRequest {
            host: "virtual".to_owned(),
            path: "/".to_owned(),
        };
        let mut plan = HttpPlan::new(load, request);
        plan.status = ExpectedStatus::Exactly(200);
        plan.length = ExpectedLength::Exactly(self.document_bytes as u64);
        plan.server_header = Some(SERVER_HEADER);
        plan
    }
}

impl SourcePool {
    pub fn new(addresses: &[Ipv4Addr]) -> Self {
        let addresses: Vec<IpAddr> = addresses.iter().copied().map(IpAddr::V4).collect();
        SourcePool(Sources::ports_in_turn(&addresses))
    }

    /// The next source; none if the pool has no address at all.
    pub fn next(&self) -> Option<SocketAddrV4> {
        match self.0.next()? {
            SocketAddr::V4(source) => Some(source),
            SocketAddr::V6(_) => None,
        }
    }
}

/// What looks on at a run.
struct Watch<'a> {
    progress: Arc<dyn Progress>,
    cancel: &'a Cancel,
}

impl Observer for Watch<'_> {
    fn ended(&self, requests: u64) {
        self.progress.advance(requests);
    }

    fn is_over(&self) -> bool {
        self.cancel.is_raised()
    }
}

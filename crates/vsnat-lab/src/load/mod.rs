//! The load generator: so many requests, so many at a time, every one counted.
//!
//! It measures as `ab` does (a connection for each request unless told
//! otherwise, time per request across all concurrent ones, transfer rate with
//! headers), and it never tries a request twice.

mod exchange;
mod result;
mod sources;

use std::cell::{Cell, RefCell};
use std::net::SocketAddrV4;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

pub use result::{Failures, Latency, LoadResult};
pub use sources::SourcePool;

use crate::LabError;
use crate::cancel::Cancel;
use crate::namespace::Namespace;
use crate::progress::Progress;
use exchange::{Exchange, Failure};
use result::Tally;

/// Whether a connection carries one request or many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Connections {
    #[default]
    OnePerRequest,
    KeptAlive,
}

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

/// Sends all requests from `namespace` and waits for the last.
pub fn run(
    namespace: &Namespace,
    plan: &LoadPlan,
    sources: &SourcePool,
    progress: Arc<dyn Progress>,
    cancel: &Cancel,
) -> Result<LoadResult, LabError> {
    let generate = || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(LabError::io("make the load generator's event loop"))?;
        let local = tokio::task::LocalSet::new();
        Ok(local.block_on(&runtime, generate(plan, sources, progress, cancel)))
    };
    let result = namespace.run(generate)??;
    cancel.check()?;
    Ok(result)
}

/// What the concurrent workers of one run share.
struct Shared {
    plan: LoadPlan,
    sources: SourcePool,
    progress: Arc<dyn Progress>,
    cancel: Cancel,
    started: Cell<u64>,
    tally: RefCell<Tally>,
}

async fn generate(
    plan: &LoadPlan,
    sources: &SourcePool,
    progress: Arc<dyn Progress>,
    cancel: &Cancel,
) -> LoadResult {
    let shared = Rc::new(Shared {
        plan: plan.clone(),
        sources: sources.clone(),
        progress,
        cancel: cancel.clone(),
        started: Cell::new(0),
        tally: RefCell::new(Tally::new(plan.timeout)),
    });
    let began = Instant::now();
    let workers: Vec<_> = (0..plan.concurrency.max(1))
        .map(|_| tokio::task::spawn_local(work(shared.clone())))
        .collect();
    for worker in workers {
        // A worker that panicked has left requests undone; they count as failed.
        let _ = worker.await;
    }
    let elapsed = began.elapsed();
    shared.tally.borrow().result(plan.requests, elapsed)
}

async fn work(shared: Rc<Shared>) {
    let plan = &shared.plan;
    let mut exchange = Exchange::new(plan.connections);
    while let Some(target) = shared.next_target() {
        let began = Instant::now();
        let asked = exchange.ask(target, &shared.sources);
        let outcome = match tokio::time::timeout(plan.timeout, asked).await {
            Ok(outcome) => outcome,
            Err(_) => Err(Failure::Timeout),
        };
        if outcome.is_err() {
            exchange.forget_connection();
        }
        let answer =
            outcome.and_then(
                |answer| match answer.document_bytes == plan.document_bytes {
                    true => Ok(answer),
                    false => Err(Failure::Length),
                },
            );
        let mut tally = shared.tally.borrow_mut();
        match answer {
            Ok(answer) => tally.succeeded(&answer, exchange.server(), began.elapsed()),
            Err(failure) => tally.failed(failure),
        }
        shared.progress.advance(1);
    }
}

impl Shared {
    fn next_target(&self) -> Option<SocketAddrV4> {
        let number = self.started.get();
        if number >= self.plan.requests || self.cancel.is_raised() || self.plan.targets.is_empty() {
            return None;
        }
        self.started.set(number + 1);
        let turn = number % self.plan.targets.len() as u64;
        self.plan.targets.get(turn as usize).copied()
    }
}

//! The engine: threads, each with its own connections and event loop.
//!
//! Threads are started by the calling thread and so work in its network
//! namespace.

mod outcome;
mod pace;
mod poll;
mod protocol;
mod slot;
mod worker;

use std::io;
use std::sync::atomic::AtomicU64;
use std::thread;
use std::time::{Duration, Instant};

pub(crate) use protocol::{After, Answer, Protocol, Received, Transport};

use crate::plan::{Drive, LoadPlan};
use crate::result::LoadResult;
use crate::{LoadError, Observer, limits};
use pace::{Pace, Part};
use worker::{Ending, Worker};

/// In an open loop the first request is due so long after the start, when all
/// threads are there.
const HEAD_START: Duration = Duration::from_millis(5);

/// What a thread measured, and how it came to its end.
struct Share {
    result: LoadResult,
    ending: Ending,
}

pub(crate) fn run<P: Protocol>(
    plan: &LoadPlan,
    protocol: &P,
    observer: &dyn Observer,
) -> Result<LoadResult, LoadError> {
    plan.check()?;
    let connections = plan.connections_max();
    limits::allow(connections)?;
    let threads = plan.threads_max();
    let taken = AtomicU64::new(connections as u64);
    let begin = match plan.drive {
        Drive::Closed { .. } => Instant::now(),
        Drive::Open { .. } => Instant::now() + HEAD_START,
    };
    let work = &|part: Part| {
        let pace = Pace::new(plan.drive, plan.amount, begin, &taken, &part);
        let worker = Worker::new(
            plan,
            protocol,
            observer,
            pace,
            begin,
            part.connections.len(),
        );
        let worker = worker.map_err(LoadError::io("make an event loop"))?;
        worker.run().map_err(LoadError::io("wait for sockets"))
    };
    let shares = thread::scope(|scope| {
        let start = |part| {
            let named = thread::Builder::new().name("load".to_owned());
            named.spawn_scoped(scope, move || work(part))
        };
        let started = parts(connections, threads).map(start);
        let started = started.collect::<io::Result<Vec<_>>>();
        let started = started.map_err(LoadError::io("start the load generator's threads"))?;
        let joined = started.into_iter().map(|thread| thread.join());
        joined
            .map(|outcome| outcome.unwrap_or(Err(LoadError::Thread)))
            .collect::<Result<Vec<Share>, LoadError>>()
    })?;
    Ok(merged(plan, shares))
}

/// Shares connections out among threads, as evenly as can be.
fn parts(connections: usize, threads: usize) -> impl Iterator<Item = Part> {
    let before = move |thread: usize| connections * thread / threads;
    (0..threads).map(move |thread| Part {
        thread,
        threads,
        connections: before(thread)..before(thread + 1),
    })
}

fn merged(plan: &LoadPlan, shares: Vec<Share>) -> LoadResult {
    let mut ending = Ending::Done;
    let mut result = LoadResult::new(plan.timeout);
    for share in shares {
        result.merge(share.result);
        if share.ending == Ending::Interrupted {
            ending = Ending::Interrupted;
        }
    }
    let ended = result.ended();
    result.requests = match (ending, plan.amount.requests()) {
        (Ending::Interrupted, Some(planned)) => planned.max(ended),
        (Ending::Interrupted, None) | (Ending::Done, _) => ended,
    };
    result.failures.not_sent = result.requests - ended;
    let reused = result.total.count().saturating_sub(result.connect.count());
    result.connect.record_many(Duration::ZERO, reused);
    result.software = result.software.filter(|name| !name.is_empty());
    result
}

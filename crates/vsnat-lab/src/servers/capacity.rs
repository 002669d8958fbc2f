//! A server that can do only so much: one request at a time, each taking a
//! fixed time, the others waiting in line.
//!
//! A thread of its own is the server's single processor. It works from one
//! queue, so the order is first come, first served; and it sleeps until a
//! computed end, not for a length, so that late wake-ups do not add up and the
//! capacity is exact over a run.

use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use crate::LabError;

/// How much a server can do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Capacity {
    /// As much as the machine gives.
    #[default]
    Unlimited,
    /// One request at a time, each taking this long.
    OneAtATime { per_request: Duration },
}

/// The single processor of a held server.
#[derive(Debug)]
pub(crate) struct Processor {
    queue: Option<mpsc::Sender<Job>>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Job {
    arrived: Instant,
    done: oneshot::Sender<()>,
}

/// A place in a processor's queue.
#[derive(Clone, Debug)]
pub(crate) struct Queue(mpsc::Sender<Job>);

impl Processor {
    pub fn start(per_request: Duration) -> Result<Self, LabError> {
        let (queue, jobs) = mpsc::channel();
        let thread = thread::Builder::new()
            .name("processor".to_owned())
            .spawn(move || work(&jobs, per_request))
            .map_err(LabError::io("start the processor of a held server"))?;
        Ok(Processor {
            queue: Some(queue),
            thread: Some(thread),
        })
    }

    pub fn queue(&self) -> Option<Queue> {
        self.queue.clone().map(Queue)
    }
}

impl Queue {
    /// Waits in line, then for as long as a request takes.
    pub async fn process(&self) {
        let (done, finished) = oneshot::channel();
        let job = Job {
            arrived: Instant::now(),
            done,
        };
        if self.0.send(job).is_ok() {
            // An error means the processor is being stopped: no reason to wait.
            let _ = finished.await;
        }
    }
}

impl Drop for Processor {
    fn drop(&mut self) {
        self.queue = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn work(jobs: &mpsc::Receiver<Job>, per_request: Duration) {
    let mut free_at = Instant::now();
    for job in jobs {
        // Nobody waits for it: the connection is gone.
        if job.done.is_closed() {
            continue;
        }
        free_at = free_at.max(job.arrived) + per_request;
        thread::sleep(free_at.saturating_duration_since(Instant::now()));
        let _ = job.done.send(());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_served_in_turn_and_none_early() {
        let per_request = Duration::from_millis(5);
        let processor = Processor::start(per_request).unwrap();
        let queue = processor.queue().unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        let began = Instant::now();
        let order = runtime.block_on(async {
            let order = std::rc::Rc::new(std::cell::RefCell::new(Vec::new()));
            let local = tokio::task::LocalSet::new();
            for number in 0..10 {
                let (queue, order) = (queue.clone(), order.clone());
                local.spawn_local(async move {
                    queue.process().await;
                    order.borrow_mut().push(number);
                });
            }
            local.await;
            order.borrow().clone()
        });
        assert_eq!(order, (0..10).collect::<Vec<_>>());
        assert!(began.elapsed() >= per_request * 10);
        drop(queue);
    }
}

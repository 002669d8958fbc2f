//! The whole path of a packet: from the clients' link through the director to
//! the servers' link, all of it on one CPU.
//!
//! A packet that is sent into a pair of virtual links is received, directed and
//! sent on before the sender goes on. So the time of the sender is the time of
//! the path, its own share included, which is measured too. Every kind of
//! director has a chain of links of its own, and they take turns; each figure
//! is held against plain routing of the same turn. Packets are counted where
//! they arrive, and looked at one by one before anything is timed.

mod chain;
mod counter;
mod director;
mod error;
mod frame;
mod goal;
mod lane;
mod measure;
mod namespace;
mod network;
mod report;
mod row;
mod socket;
mod spread;
mod traffic;

use std::path::PathBuf;
use std::thread;

pub use error::PathError;
pub use goal::Goal;
pub use report::{Figure, Report};
pub use row::Row;
pub use spread::Spread;

use measure::Bench;

/// What is held against plain routing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Contender {
    Vsnat,
    Nftables,
    /// Where the kernel has it.
    Ipvs,
}

/// Who else may use the CPU meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CpuUse {
    /// Nobody, but for short rests: figures of a busy machine lie close
    /// together nevertheless.
    Alone,
    /// Everybody. Kernels before 6.4 put packets off to a thread that would
    /// not have a turn otherwise.
    Shared,
}

/// What is measured, and how often.
#[derive(Clone, Debug)]
pub struct Options {
    pub contenders: Vec<Contender>,
    /// Flows of every row but those of many.
    pub flows: u32,
    /// Flows of the rows of many, which there are with vsnat only. 0: none.
    pub many: u32,
    /// Packets of a slice.
    pub packets: u32,
    /// Slices of every row.
    pub repetitions: u32,
    pub cpu: CpuUse,
    /// Another eBPF object than the embedded one.
    pub object: Option<PathBuf>,
}

impl Default for Options {
    /// Slices of a tenth of a second, and a minute for all of it.
    fn default() -> Self {
        Options {
            contenders: vec![Contender::Vsnat, Contender::Nftables],
            flows: 10_000,
            many: 1_000_000,
            packets: 50_000,
            repetitions: 31,
            cpu: CpuUse::Alone,
            object: None,
        }
    }
}

/// Measures the whole path. `tell` hears what is being done.
pub fn path(options: &Options, tell: impl FnMut(&str) + Send) -> Result<Report, PathError> {
    // A namespace, a CPU and a priority belong to a thread.
    let measured = thread::scope(|scope| {
        let thread = scope.spawn(|| Bench::prepare(options, tell)?.run());
        thread.join()
    });
    measured.unwrap_or(Err(PathError::Thread))
}

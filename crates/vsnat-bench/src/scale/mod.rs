//! How large it may be: full tables, many services, mass expiry, floods.
//!
//! Every part runs on a thread of its own, in network namespaces of its own.
//! Where a goal is known the figure is told with it, met or not.

mod changes;
mod daemon;
mod error;
mod flood;
mod memory;
mod report;
mod stopwatch;
mod table;

use std::path::PathBuf;
use std::thread;
use std::time::Duration;

pub use error::ScaleError;
pub use report::{Goal, Row, Verdict};

use crate::scale::report::Report;

/// What can be measured by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Kernel memory of connections, services and servers.
    Memory,
    /// A table that is filled, is full, and expires.
    Table,
    /// Adding and removing servers where there are many.
    Changes,
    /// The same through a director, its restore and its listing.
    Daemon,
    /// A SYN flood beside established traffic.
    Flood,
}

impl Part {
    pub const ALL: [Part; 5] = [
        Part::Memory,
        Part::Table,
        Part::Changes,
        Part::Daemon,
        Part::Flood,
    ];
}

/// How much is measured.
#[derive(Clone, Copy, Debug)]
pub struct Sizes {
    /// Room of the full table.
    pub connections: u32,
    /// So many of them expire together.
    pub expiring: u32,
    /// From the first of them whose end is set to that end.
    pub lead: Duration,
    /// How long the sweeper is watched at a full table.
    pub idle: Duration,
    /// Packets that a full table refuses.
    pub refused: u32,
    pub services: u32,
    pub servers_each: u32,
    /// Servers of the one large service.
    pub servers_of_one: u32,
    /// Servers that are added and removed again.
    pub changes: u32,
    /// Slices of the flood, each measured with the director and without.
    pub flood_slices: u32,
    pub flood_slice: Duration,
}

impl Default for Sizes {
    fn default() -> Self {
        Sizes {
            connections: 1_000_000,
            expiring: 900_000,
            lead: Duration::from_secs(30),
            idle: Duration::from_secs(5),
            refused: 100_000,
            services: 10_000,
            servers_each: 10,
            servers_of_one: 4_096,
            changes: 1_000,
            flood_slices: 5,
            flood_slice: Duration::from_secs(2),
        }
    }
}

/// What is measured, and with what.
#[derive(Clone, Debug)]
pub struct Setup {
    pub sizes: Sizes,
    pub parts: Vec<Part>,
    /// Another eBPF object than the embedded one.
    pub object: Option<PathBuf>,
    /// The executable of vsnat, for the director.
    pub vsnat: PathBuf,
}

/// Measures part by part; each figure is told as soon as it is there.
pub fn scale(setup: &Setup, tell: &mut (dyn FnMut(&Row) + Send)) -> Result<Vec<Row>, ScaleError> {
    crate::world::refuse_statistics()?;
    crate::world::remove_leftovers();
    let mut report = Report::new(tell);
    for part in Part::ALL {
        if setup.parts.contains(&part) {
            on_a_thread(|| measure(part, setup, &mut report))?;
        }
    }
    Ok(report.into_rows())
}

fn measure(part: Part, setup: &Setup, report: &mut Report<'_>) -> Result<(), ScaleError> {
    match part {
        Part::Memory => memory::measure(setup, report),
        Part::Table => table::measure(setup, report),
        Part::Changes => changes::measure(setup, report),
        Part::Daemon => daemon::measure(setup, report),
        Part::Flood => flood::measure(setup, report),
    }
}

/// A thread keeps the namespace and the CPU that it was put into.
fn on_a_thread<T: Send>(
    work: impl FnOnce() -> Result<T, ScaleError> + Send,
) -> Result<T, ScaleError> {
    let done = thread::scope(|scope| scope.spawn(work).join());
    done.unwrap_or(Err(ScaleError::Panic))
}

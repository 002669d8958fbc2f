//! vsnat and its peers under the same load, in turn.
//!
//! Clients, real servers and links are the same for all; what the director does with
//! the packets changes from turn to turn. Each repetition of a row gives every peer
//! one turn, and every figure is held against plain routing of the same repetition: a
//! machine's speed changes with what else it does, and a ratio hardly.

mod chart;
mod error;
mod haproxy;
mod load;
mod machine;
mod mean;
mod network;
mod nftables;
mod nginx;
mod peer;
mod plain;
mod program;
mod report;
mod rows;
mod servers;
mod stage;
mod table;
mod verdict;
mod vsnat;
mod xdp;

use std::path::PathBuf;
use std::time::Duration;

use vsnat_lab::{Cancel, LabName};

pub use chart::throughput as chart;
pub use error::PeersError;
pub use peer::Peer;
pub use report::{Measured, Report, Run};
pub use rows::{Document, Manner, ROWS, Row};
pub use table::{rest, throughput, title};
pub use verdict::{Verdict, verdicts};

use crate::world;
use stage::Stage;

/// What is measured, and how long.
#[derive(Clone, Debug)]
pub struct Options {
    /// Name of the namespaces that are made.
    pub name: LabName,
    /// Where the other programs were unpacked, if they are not installed.
    pub programs: PathBuf,
    /// Another eBPF object than the embedded one.
    pub object: Option<PathBuf>,
    /// Plain routing is always among them.
    pub peers: Vec<Peer>,
    /// Rows whose name contains it.
    pub filter: String,
    pub repetitions: u32,
    /// Length of a turn, after its beginning, which does not count.
    pub run: Duration,
    pub warm_up: Duration,
}

/// Repetitions of a whole measurement, and of a quick one.
pub const REPETITIONS: u32 = 9;
pub const REPETITIONS_QUICK: u32 = 3;
/// Long enough that the clock of busy time, 10 ms, is finer than the noise.
pub const RUN: Duration = Duration::from_millis(500);
pub const RUN_QUICK: Duration = Duration::from_millis(300);
/// Caches fill, processes wake up, the first connections find their windows.
pub const WARM_UP: Duration = Duration::from_millis(150);

/// Measures. `tell` hears of every row, as soon as it is measured.
pub fn run(
    options: &Options,
    cancel: &Cancel,
    mut tell: impl FnMut(&Measured),
) -> Result<Report, PeersError> {
    world::refuse_statistics()?;
    world::remove_leftovers();
    let rows = rows::matching(&options.filter);
    if rows.is_empty() {
        return Err(PeersError::NoRow {
            filter: options.filter.clone(),
            rows: ROWS.map(|row| format!("\"{row}\"")).join(", "),
        });
    }
    let load_before = machine::load()?;
    let mut stage = Stage::build(options, cancel)?;
    let mut report = Report {
        kernel: machine::kernel()?,
        cpus: machine::cpus(),
        load_before,
        repetitions: options.repetitions,
        run_ms: options.run.as_millis() as u64,
        peers: options.peers.clone(),
        rows: Vec::new(),
    };
    for row in rows {
        let runs = stage.measure(row)?;
        let measured = Measured::new(row, runs);
        tell(&measured);
        report.rows.push(measured);
    }
    Ok(report)
}

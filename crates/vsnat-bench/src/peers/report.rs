//! What was measured: every run, and what follows from the runs of a row.

use serde::Serialize;

use super::mean;
use super::peer::Peer;
use super::rows::Row;
use crate::path::Spread;

/// A whole measurement.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Of the kernel, as `uname -r` tells.
    pub kernel: String,
    pub cpus: usize,
    /// Processes that wanted a CPU in the minute before, on average.
    pub load_before: f64,
    pub repetitions: u32,
    pub run_ms: u64,
    pub peers: Vec<Peer>,
    pub rows: Vec<Measured>,
}

/// A row and its runs.
#[derive(Clone, Debug, Serialize)]
pub struct Measured {
    pub name: String,
    #[serde(flatten)]
    pub row: Row,
    pub runs: Vec<Run>,
}

/// One turn of one peer.
#[derive(Clone, Debug, Serialize)]
pub struct Run {
    pub peer: Peer,
    pub repetition: u32,
    pub seconds: f64,
    pub requests: u64,
    /// Requests without a whole answer.
    pub failed: u64,
    /// What the first of them met.
    pub first_failure: Option<String>,
    pub requests_per_s: f64,
    pub bytes_per_s: f64,
    pub p50_us: f64,
    pub p99_us: f64,
    pub p999_us: f64,
    /// Of the whole machine: clients, director and real servers.
    pub busy_us_per_request: f64,
    /// Packets that came to each real server.
    pub server_packets: Vec<u64>,
}

impl Report {
    /// Mean of a peer's medians over all rows that both it and the base can.
    pub fn mean_ratio(&self, peer: Peer, base: Peer) -> Option<f64> {
        let ratios = self.rows.iter().map(|row| row.throughput(peer, base));
        mean::geometric(ratios.flatten().map(|spread| spread.median))
    }
}

impl Measured {
    pub fn new(row: Row, runs: Vec<Run>) -> Self {
        Measured {
            name: row.to_string(),
            row,
            runs,
        }
    }

    pub fn of(&self, peer: Peer) -> impl Iterator<Item = &Run> {
        self.runs.iter().filter(move |run| run.peer == peer)
    }

    /// Requests of all runs that failed.
    pub fn failed(&self, peer: Peer) -> u64 {
        self.of(peer).map(|run| run.failed).sum()
    }

    /// Whether bytes are counted rather than requests.
    pub fn is_bulk(&self) -> bool {
        self.row.is_bulk()
    }

    pub fn figure(&self, peer: Peer, figure: impl Fn(&Run) -> f64) -> Option<Spread> {
        let figures: Vec<f64> = self.of(peer).map(figure).collect();
        Spread::of(&figures)
    }

    /// Requests per second of one peer in those of another.
    pub fn throughput(&self, peer: Peer, base: Peer) -> Option<Spread> {
        self.ratio(peer, base, |run| run.requests_per_s)
    }

    /// One figure of a peer in that of another, each of the same repetition, since
    /// a machine's speed changes with the hour.
    pub fn ratio(&self, peer: Peer, base: Peer, figure: impl Fn(&Run) -> f64) -> Option<Spread> {
        let pairs = self.pairs(peer, base);
        let ratios = pairs.map(|(run, base)| figure(run) / figure(base));
        let ratios: Vec<f64> = ratios.filter(|ratio| ratio.is_finite()).collect();
        Spread::of(&ratios)
    }

    /// Microseconds of CPU that a request takes beyond plain routing.
    pub fn more_busy_us(&self, peer: Peer) -> Option<Spread> {
        let pairs = self.pairs(peer, peer.floor());
        let more = pairs.map(|(run, base)| run.busy_us_per_request - base.busy_us_per_request);
        let more: Vec<f64> = more.filter(|us| us.is_finite()).collect();
        Spread::of(&more)
    }

    fn pairs(&self, peer: Peer, base: Peer) -> impl Iterator<Item = (&Run, &Run)> {
        self.of(peer).filter_map(move |run| {
            let same = |other: &&Run| other.repetition == run.repetition;
            Some((run, self.of(base).find(same)?))
        })
    }
}

//! The everyday cases alone, measured in rounds of a fraction of a second.
//!
//! A machine that is shared changes its pace for seconds at a time. So every
//! round measures bare redirect anew, each case is compared with that of its
//! own round, and what counts is the median of the rounds.

use std::path::PathBuf;

use vsnat_api::Scheduler;
use vsnat_dataplane::Limits;

use crate::cases::Bench;
use crate::xdp_cases::FLOWS_OF_ROUND;
use crate::{BenchError, Figure, Scale};

/// Servers of the service that new connections are opened to.
const SERVERS: u32 = 4;

/// How much a short run measures.
#[derive(Clone, Debug)]
pub struct ShortRun {
    pub rounds: u32,
    /// Established connections measured in each round.
    pub flows: u32,
    /// New connections in each round, for each scheduler.
    pub new_connections: u32,
    pub schedulers: Vec<Scheduler>,
    pub front: Front,
    /// Sizes of the tables: larger ones are dearer to look into.
    pub limits: Limits,
}

/// Whether XDP in front of TC is measured too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Front {
    Measured,
    LeftOut,
}

impl ShortRun {
    /// Comparable with a whole run of this scale: tables of the same size.
    pub fn like(whole: &Scale) -> Self {
        ShortRun {
            rounds: 9,
            flows: 1_000,
            new_connections: 1_000,
            // One that follows an order, one that compares servers, one that
            // draws lots and one that hashes.
            schedulers: vec![
                Scheduler::Rr,
                Scheduler::Wlc,
                Scheduler::Twos,
                Scheduler::Mh,
            ],
            front: Front::Measured,
            limits: whole.limits(),
        }
    }

    /// Only what a capacity is computed from, in a second.
    pub fn of_capacity() -> Self {
        ShortRun {
            rounds: 5,
            flows: 1_000,
            new_connections: 300,
            // What a service has whose file names none.
            schedulers: vec![Scheduler::Wlc],
            front: Front::LeftOut,
            limits: Limits::default(),
        }
    }
}

/// Measures the everyday cases, with this eBPF object or the embedded one.
pub fn short(run: &ShortRun, object: Option<PathBuf>) -> Result<Vec<Figure>, BenchError> {
    let mut untold = |_: &Figure| {};
    let mut bench = Bench::open(run.limits, object, &mut untold)?;
    let fixed = bench.fixed_point()?;
    bench.establish(fixed, 0..run.flows)?;
    if run.front == Front::Measured {
        bench.world.accelerate()?;
    }
    let mut rounds = Vec::new();
    for _ in 0..run.rounds {
        bench.calibrate()?;
        bench.warm(fixed, run.flows)?;
        if run.front == Front::Measured {
            bench.accelerated(fixed, FLOWS_OF_ROUND)?;
        }
        for scheduler in &run.schedulers {
            bench.new_connections(*scheduler, SERVERS, run.new_connections)?;
        }
        rounds.push(bench.take_figures());
    }
    Ok(medians(&rounds))
}

/// Each case of the first round, with the medians of all rounds.
fn medians(rounds: &[Vec<Figure>]) -> Vec<Figure> {
    let first = rounds.first().into_iter().flatten();
    first
        .map(|figure| median_of(&figure.case, rounds))
        .collect()
}

fn median_of(case: &str, rounds: &[Vec<Figure>]) -> Figure {
    let all: Vec<&Figure> = rounds
        .iter()
        .flatten()
        .filter(|figure| figure.case == case)
        .collect();
    let of = |value: fn(&Figure) -> f64| median(all.iter().map(|figure| value(figure)).collect());
    Figure {
        case: case.to_owned(),
        median_ns: of(|figure| figure.median_ns),
        low_ns: of(|figure| figure.low_ns),
        high_ns: of(|figure| figure.high_ns),
        multiple: of(|figure| figure.multiple),
        runs: all.iter().map(|figure| figure.runs).sum(),
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len().saturating_sub(1) / 2;
    values.get(middle).copied().unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figure(case: &str, multiple: f64) -> Figure {
        Figure {
            case: case.to_owned(),
            median_ns: multiple * 30.0,
            low_ns: 1.0,
            high_ns: 2.0,
            multiple,
            runs: 10,
        }
    }

    #[test]
    fn a_round_that_was_disturbed_does_not_count() {
        let rounds: Vec<Vec<Figure>> = [[1.0, 4.0], [1.1, 4.2], [9.0, 4.1]]
            .map(|[a, b]| vec![figure("a", a), figure("b", b)])
            .to_vec();
        let medians = medians(&rounds);
        let told: Vec<(&str, f64, usize)> = medians
            .iter()
            .map(|figure| (figure.case.as_str(), figure.multiple, figure.runs))
            .collect();
        assert_eq!(told, [("a", 1.1, 30), ("b", 4.1, 30)]);
    }

    #[test]
    fn no_rounds_have_no_figures() {
        assert!(medians(&[]).is_empty());
        assert_eq!(median(Vec::new()), 0.0);
    }
}

//! What the experiment found, and its three written forms.

pub mod chart;
pub mod html;
mod number;
pub mod svg;
pub mod tables;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::thread;

use serde::Serialize;

use crate::LabError;
use crate::experiment::{CONCURRENCY, UNHELD_RUNS, WARM_UP_REQUESTS};
use crate::load::{Failures, Latency, LoadResult};
use crate::servers::{Capacity, ServerKind};

/// The virtual server is expected to do at least so many times what one
/// server does, of four held ones.
const GAIN_MIN: f64 = 3.8;
/// The path through the director is expected to do at least this share of
/// what plain routing does.
const ROUTED_SHARE_MIN: f64 = 0.95;

/// What was asked in a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Target {
    /// One real server alone.
    Rs,
    /// The virtual server.
    Vs,
    /// All real servers in turn, by plain routing.
    Routed,
}

impl Target {
    pub const fn name(self) -> &'static str {
        match self {
            Target::Rs => "rs",
            Target::Vs => "vs",
            Target::Routed => "routed",
        }
    }
}

/// One run of requests.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Run {
    pub name: String,
    pub target: Target,
    pub held: bool,
    pub requests: u64,
    pub failed: u64,
    pub requests_per_s: f64,
    pub transfer_kib_per_s: f64,
    pub time_per_request_ms: f64,
    pub document_bytes: u64,
    pub per_server: BTreeMap<String, u64>,
    pub elapsed_s: f64,
    pub latency: Latency,
    pub failures: Failures,
    /// As the servers counted them; absent where they do not count.
    pub connections_at_servers: Option<u64>,
}

impl Run {
    pub(crate) fn new(
        name: String,
        target: Target,
        held: bool,
        result: &LoadResult,
        connections_at_servers: Option<u64>,
    ) -> Self {
        Run {
            name,
            target,
            held,
            requests: result.requests,
            failed: result.failures.total(),
            requests_per_s: result.requests_per_s(),
            transfer_kib_per_s: result.transfer_kib_per_s(),
            time_per_request_ms: result.time_per_request_ms(),
            document_bytes: result.document_bytes,
            per_server: result.per_server.clone(),
            elapsed_s: result.elapsed.as_secs_f64(),
            latency: result.latency().summary(),
            failures: result.failures,
            connections_at_servers,
        }
    }
}

/// The virtual server against one server alone, at the largest number of
/// requests.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Gain {
    pub requests: u64,
    pub rs_requests_per_s: f64,
    pub vs_requests_per_s: f64,
    pub times: f64,
    pub percent: f64,
}

/// The path through the director against plain routing, unheld.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Comparison {
    pub routed_median_requests_per_s: f64,
    pub vs_median_requests_per_s: f64,
    pub ratio: f64,
}

/// Something the experiment is expected to show, and whether it did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Expectation {
    pub what: String,
    pub found: String,
    pub met: bool,
}

/// The machine it ran on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Machine {
    pub kernel: String,
    pub cpus: usize,
}

/// Everything the experiment found.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    pub version: &'static str,
    pub machine: Machine,
    pub server: &'static str,
    /// What a held server takes for a request; absent if none was held.
    pub per_request_ms: Option<f64>,
    pub concurrency: usize,
    pub warm_up_requests: u64,
    /// Name and address of each real server.
    pub servers: Vec<(String, String)>,
    /// What was typed at the director.
    pub commands: Vec<String>,
    pub runs: Vec<Run>,
    /// `ipvsadm -Ln --stats` after the runs over the virtual server.
    pub listing: String,
}

/// A report with what follows from it, as it is written to report.json.
#[derive(Serialize)]
struct Written<'a> {
    #[serde(flatten)]
    report: &'a Report,
    gain: Option<Gain>,
    comparison: Option<Comparison>,
    expectations: Vec<Expectation>,
}

impl Report {
    pub(crate) fn new(
        server: ServerKind,
        capacity: Capacity,
        servers: Vec<(String, String)>,
    ) -> Self {
        Report {
            version: env!("CARGO_PKG_VERSION"),
            machine: Machine::this(),
            server: server.name(),
            per_request_ms: match capacity {
                Capacity::Unlimited => None,
                Capacity::OneAtATime { per_request } => Some(per_request.as_secs_f64() * 1000.0),
            },
            concurrency: CONCURRENCY,
            warm_up_requests: WARM_UP_REQUESTS,
            servers,
            commands: Vec::new(),
            runs: Vec::new(),
            listing: String::new(),
        }
    }

    /// The runs that repeat the original's tables: those before the comparison
    /// with plain routing.
    pub fn table_runs(&self, target: Target) -> Vec<&Run> {
        let before = self
            .runs
            .iter()
            .position(|run| run.target == Target::Routed);
        let runs = &self.runs[..before.unwrap_or(self.runs.len())];
        runs.iter().filter(|run| run.target == target).collect()
    }

    /// The runs of the comparison with plain routing.
    pub fn comparison_runs(&self, target: Target) -> Vec<&Run> {
        let first = self
            .runs
            .iter()
            .position(|run| run.target == Target::Routed);
        let runs = &self.runs[first.unwrap_or(self.runs.len())..];
        runs.iter().filter(|run| run.target == target).collect()
    }

    pub fn gain(&self) -> Option<Gain> {
        let (rs, vs) = (self.table_runs(Target::Rs), self.table_runs(Target::Vs));
        let vs = vs.last()?;
        let rs = rs.iter().find(|run| run.requests == vs.requests)?;
        let times = vs.requests_per_s / rs.requests_per_s;
        Some(Gain {
            requests: vs.requests,
            rs_requests_per_s: rs.requests_per_s,
            vs_requests_per_s: vs.requests_per_s,
            times,
            percent: (times - 1.0) * 100.0,
        })
    }

    pub fn comparison(&self) -> Option<Comparison> {
        let routed = median(&self.comparison_runs(Target::Routed))?;
        let vs = median(&self.comparison_runs(Target::Vs))?;
        Some(Comparison {
            routed_median_requests_per_s: routed,
            vs_median_requests_per_s: vs,
            ratio: vs / routed,
        })
    }

    pub fn failed(&self) -> u64 {
        self.runs.iter().map(|run| run.failed).sum()
    }

    pub fn expectations(&self) -> Vec<Expectation> {
        let mut expectations = vec![self.no_failure(), self.equal_counts()];
        expectations.extend(self.one_connection_per_request());
        if let (Some(gain), true) = (self.gain(), self.per_request_ms.is_some()) {
            expectations.push(Expectation {
                what: format!("the virtual server does at least {GAIN_MIN} × one held server"),
                found: format!("{:.2} ×", gain.times),
                met: gain.times >= GAIN_MIN,
            });
        }
        if let Some(comparison) = self.comparison() {
            expectations.push(Expectation {
                what: format!(
                    "through the director at least {ROUTED_SHARE_MIN} × plain routing \
                     (medians of {UNHELD_RUNS})"
                ),
                found: format!("{:.3} ×", comparison.ratio),
                met: comparison.ratio >= ROUTED_SHARE_MIN,
            });
        }
        expectations
    }

    pub fn all_met(&self) -> bool {
        self.expectations().iter().all(|expected| expected.met)
    }

    fn no_failure(&self) -> Expectation {
        let requests: u64 = self.runs.iter().map(|run| run.requests).sum();
        Expectation {
            what: "no request fails".to_owned(),
            found: format!("{} of {} failed", self.failed(), number::whole(requests)),
            met: self.failed() == 0,
        }
    }

    fn equal_counts(&self) -> Expectation {
        let runs = self.runs.iter().filter(|run| run.target == Target::Vs);
        let widest = runs.map(|run| spread(run, self.servers.len())).max();
        let widest = widest.unwrap_or(0);
        Expectation {
            what: "round robin gives every server the same number, within one".to_owned(),
            found: format!("largest difference {widest}"),
            met: widest <= 1,
        }
    }

    fn one_connection_per_request(&self) -> Option<Expectation> {
        let differs = |run: &Run| Some(run.connections_at_servers? != run.requests);
        let differing: Option<Vec<bool>> = self.runs.iter().map(differs).collect();
        let differing = differing?.into_iter().filter(|differs| *differs).count();
        Some(Expectation {
            what: "the servers see exactly one connection for each request".to_owned(),
            found: format!("{differing} of {} runs differ", self.runs.len()),
            met: differing == 0,
        })
    }
}

impl Machine {
    fn this() -> Self {
        let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        Machine {
            kernel: kernel.trim().to_owned(),
            cpus: thread::available_parallelism().map_or(1, usize::from),
        }
    }
}

/// The report as report.json holds it.
pub fn json(report: &Report) -> Result<String, LabError> {
    let written = Written {
        report,
        gain: report.gain(),
        comparison: report.comparison(),
        expectations: report.expectations(),
    };
    let text = serde_json::to_string_pretty(&written);
    text.map_err(|error| LabError::io("write report.json")(error.into()))
}

/// Writes report.json, report.svg and report.html into a folder.
pub fn write_files(report: &Report, folder: &Path) -> Result<(), LabError> {
    fs::create_dir_all(folder).map_err(LabError::io(format!("make {}", folder.display())))?;
    let files = [
        ("report.json", json(report)?),
        ("report.svg", svg::comparison(report)),
        ("report.html", html::page(report)),
    ];
    for (name, text) in files {
        let path = folder.join(name);
        fs::write(&path, text).map_err(LabError::io(format!("write {}", path.display())))?;
    }
    Ok(())
}

fn spread(run: &Run, servers: usize) -> u64 {
    let most = run.per_server.values().max().copied().unwrap_or(0);
    let least = run.per_server.values().min().copied().unwrap_or(0);
    match run.per_server.len() == servers {
        true => most - least,
        false => most,
    }
}

fn median(runs: &[&Run]) -> Option<f64> {
    let mut rates: Vec<f64> = runs.iter().map(|run| run.requests_per_s).collect();
    rates.sort_by(f64::total_cmp);
    let middle = rates.len() / 2;
    match rates.len() % 2 {
        0 => Some((rates.get(middle.checked_sub(1)?)? + rates.get(middle)?) / 2.0),
        _ => rates.get(middle).copied(),
    }
}

//! `vsnat bench URL`: requests to a server, many at a time.

use std::io::{IsTerminal, Write, stderr};
use std::net::IpAddr;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::Args;
use ipnet::IpNet;
use vsnat_lab::Cancel;
use vsnat_load::report::{Report, json, text};
use vsnat_load::{
    Amount, Connections, Drive, ExpectedLength, ExpectedStatus, HttpPlan, LoadPlan, LoadResult,
    Observer, Sources, Url,
};

use crate::output;

/// How long a run takes that is given neither a number nor a time.
const DURATION: Duration = Duration::from_secs(10);
/// As for `ab`.
const CONNECTIONS_CLOSED: usize = 1;
/// A rate needs connections in reserve, or it waits for the slowest answer.
const CONNECTIONS_OPEN: usize = 100;
/// How often progress is shown.
const SHOWN_EVERY: Duration = Duration::from_millis(500);

#[derive(Debug, Args)]
#[group(id = "load")]
pub struct LoadArgs {
    /// Load this document: http://HOST[:PORT][/PATH].
    #[arg(value_name = "URL")]
    url: Url,
    /// So many connections, each with one request at a time [default: 1; with --rate: 100].
    #[arg(short, long, value_name = "NUMBER")]
    connections: Option<usize>,
    /// So many requests in all [default: as many as go into the duration].
    #[arg(short = 'n', long, value_name = "NUMBER")]
    requests: Option<u64>,
    /// So long, like 10s or 2min; a bare number is seconds [default: 10s without -n].
    ///
    /// Requests that are under way at the end are waited for.
    #[arg(short, long, visible_short_alias = 't', value_name = "TIME", value_parser = time)]
    duration: Option<Duration>,
    /// Requests per second, sent whether or not earlier ones were answered.
    ///
    /// A request that finds no connection free waits, and is measured from the
    /// moment it was due: a server that stalls is seen as all clients of this
    /// rate would see it. Without a rate, each connection asks again when it was
    /// answered, so that a server that stalls is asked less.
    #[arg(short, long, value_name = "NUMBER")]
    rate: Option<f64>,
    /// Keep connections open; otherwise each request has a connection of its own.
    #[arg(short, long)]
    keep_alive: bool,
    /// Connect from these addresses in turn: networks or addresses of this machine.
    #[arg(long, value_name = "PREFIX", value_delimiter = ',', value_parser = network)]
    source: Vec<IpNet>,
    /// A request that takes longer has failed.
    #[arg(short = 's', long, value_name = "TIME", default_value = "30s", value_parser = time)]
    timeout: Duration,
    /// Answers must have this status, or any [default: 200 to 299].
    #[arg(long, value_name = "CODE|any", value_parser = status)]
    status: Option<ExpectedStatus>,
    /// Documents must have this length in bytes; any, if none is given [default: that of the first].
    #[arg(
        short = 'l',
        long,
        value_name = "BYTES",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "any",
        value_parser = length
    )]
    length: Option<ExpectedLength>,
    /// So many threads [default: one for each CPU].
    #[arg(long, value_name = "NUMBER")]
    threads: Option<usize>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

pub fn main(args: &LoadArgs) -> anyhow::Result<ExitCode> {
    let plan = args.plan()?;
    let watch = Watch::new(Cancel::on_signals()?);
    let measured = vsnat_load::run_http(&plan, &watch);
    watch.clear();
    let result = measured.with_context(|| format!("cannot load {}", args.url.host))?;
    let report = Report {
        url: &args.url,
        plan: &plan,
        result: &result,
    };
    match args.json {
        true => output::text(&(serde_json::to_string_pretty(&json(&report))? + "\n"))?,
        false => output::text(&text(&report))?,
    }
    Ok(verdict(&result))
}

/// Failure where a request failed, or none was answered.
fn verdict(result: &LoadResult) -> ExitCode {
    let failed = result.failures.total();
    if failed == 0 && result.complete > 0 {
        return ExitCode::SUCCESS;
    }
    let first = result.first_failure.as_deref();
    let first = first.map_or(String::new(), |first| format!("; the first: {first}"));
    let requests = result.requests;
    output::error(&format!(
        "vsnat: {failed} of {requests} requests failed{first}"
    ));
    ExitCode::FAILURE
}

impl LoadArgs {
    fn plan(&self) -> anyhow::Result<HttpPlan> {
        let target = self.url.resolve()?;
        let drive = match self.rate {
            None => Drive::Closed {
                connections: self.connections.unwrap_or(CONNECTIONS_CLOSED),
            },
            Some(requests_per_s) => Drive::Open {
                requests_per_s,
                connections: self.connections.unwrap_or(CONNECTIONS_OPEN),
            },
        };
        let amount = match (self.requests, self.duration) {
            (None, time) => Amount::Time(time.unwrap_or(DURATION)),
            (Some(requests), None) => Amount::Requests(requests),
            (Some(requests), Some(time)) => Amount::Both { requests, time },
        };
        let mut load = LoadPlan::new(vec![target], drive, amount);
        load.timeout = self.timeout;
        load.connections = match self.keep_alive {
            true => Connections::KeptAlive,
            false => Connections::OnePerRequest,
        };
        if !self.source.is_empty() {
            load.sources = Sources::addresses(&self.source);
        }
        load.threads = self.threads.unwrap_or(load.threads);
        let mut plan = HttpPlan::new(load, self.url.request());
        plan.status = self.status.unwrap_or_default();
        plan.length = self.length.unwrap_or_default();
        Ok(plan)
    }
}

/// Ends a run by Ctrl-C, and shows on a terminal how far it is.
struct Watch {
    cancel: Cancel,
    ended: AtomicU64,
    /// When progress was shown last; none where nobody looks.
    shown: Option<Mutex<Instant>>,
}

impl Watch {
    fn new(cancel: Cancel) -> Self {
        let is_seen = stderr().is_terminal();
        Watch {
            cancel,
            ended: AtomicU64::new(0),
            shown: is_seen.then(|| Mutex::new(Instant::now())),
        }
    }

    /// Makes room for the report.
    fn clear(&self) {
        if self.shown.is_some() {
            let _ = write!(stderr(), "\r\x1b[K");
        }
    }
}

impl Observer for Watch {
    fn ended(&self, requests: u64) {
        let ended = self.ended.fetch_add(requests, Ordering::Relaxed) + requests;
        // Where another thread shows something just now, this one need not.
        let Some(Ok(mut shown)) = self.shown.as_ref().map(Mutex::try_lock) else {
            return;
        };
        if shown.elapsed() >= SHOWN_EVERY {
            *shown = Instant::now();
            let _ = write!(stderr(), "\r{ended} requests");
        }
    }

    fn is_over(&self) -> bool {
        self.cancel.is_raised()
    }
}

fn time(text: &str) -> Result<Duration, String> {
    let seconds = text.parse().ok();
    let time = match seconds.map(Duration::try_from_secs_f64) {
        Some(Ok(time)) => Some(time),
        Some(Err(_)) => None,
        None => humantime::parse_duration(text).ok(),
    };
    time.filter(|time| !time.is_zero())
        .ok_or_else(|| "write a time greater than 0, like 10s, 500ms or 2min".to_owned())
}

fn network(text: &str) -> Result<IpNet, String> {
    let address = text.parse::<IpAddr>().map(IpNet::from);
    address
        .or_else(|_| text.parse::<IpNet>())
        .map_err(|_| "write it like 198.51.100.0/24 or 198.51.100.7".to_owned())
}

fn status(text: &str) -> Result<ExpectedStatus, String> {
    if text == "any" {
        return Ok(ExpectedStatus::Any);
    }
    match text.parse() {
        Ok(status @ 100..=599) => Ok(ExpectedStatus::Exactly(status)),
        Ok(_) | Err(_) => Err("write a status from 100 to 599, or any".to_owned()),
    }
}

fn length(text: &str) -> Result<ExpectedLength, String> {
    if text == "any" {
        return Ok(ExpectedLength::Any);
    }
    let bytes = text.parse().map(ExpectedLength::Exactly);
    bytes.map_err(|_| "write a number of bytes, or any".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_seconds_unless_they_say_otherwise() {
        assert_eq!(time("10"), Ok(Duration::from_secs(10)));
        assert_eq!(time("0.5"), Ok(Duration::from_millis(500)));
        assert_eq!(time("2min"), Ok(Duration::from_secs(120)));
        for wrong in ["0", "0s", "-1", "nan", "inf", "soon", ""] {
            assert!(time(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_is_expected_of_an_answer() {
        assert_eq!(status("any"), Ok(ExpectedStatus::Any));
        assert_eq!(status("404"), Ok(ExpectedStatus::Exactly(404)));
        assert!(status("99").is_err());
        assert_eq!(length("4100"), Ok(ExpectedLength::Exactly(4100)));
        assert!(length("some").is_err());
    }

    #[test]
    fn an_address_is_a_network_of_one() {
        assert_eq!(network("10.0.0.7").unwrap().to_string(), "10.0.0.7/32");
        assert_eq!(network("10.0.0.0/24").unwrap().to_string(), "10.0.0.0/24");
        assert!(network("ten").is_err());
    }
}

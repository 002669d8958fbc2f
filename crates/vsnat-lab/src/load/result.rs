//! What a run of requests measured.

use std::collections::BTreeMap;
use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;

use super::exchange::{Answer, Failure};

/// Failed requests by cause.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Failures {
    pub connect: u64,
    pub timeout: u64,
    pub broken: u64,
    pub status: u64,
    pub length: u64,
    /// Never sent, because the run was interrupted.
    pub not_sent: u64,
}

impl Failures {
    pub fn total(&self) -> u64 {
        self.connect + self.timeout + self.broken + self.status + self.length + self.not_sent
    }
}

/// From the first packet of a connection to the last byte, in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Latency {
    pub mean_ms: f64,
    pub p50_ms: f64,
    pub p90_ms: f64,
    pub p99_ms: f64,
    pub max_ms: f64,
}

/// What a run measured.
#[derive(Clone, Debug, PartialEq)]
pub struct LoadResult {
    pub requests: u64,
    pub failures: Failures,
    pub elapsed: Duration,
    /// With headers.
    pub received_bytes: u64,
    /// Length of the document of every good answer.
    pub document_bytes: u64,
    pub latency: Latency,
    /// Good answers by the name of the server that gave them.
    pub per_server: BTreeMap<String, u64>,
}

impl LoadResult {
    pub fn complete(&self) -> u64 {
        self.requests - self.failures.total()
    }

    pub fn requests_per_s(&self) -> f64 {
        rate(self.complete() as f64, self.elapsed)
    }

    pub fn transfer_kib_per_s(&self) -> f64 {
        rate(self.received_bytes as f64 / 1024.0, self.elapsed)
    }

    /// Total time by requests: `ab`'s "across all concurrent requests".
    pub fn time_per_request_ms(&self) -> f64 {
        match self.complete() {
            0 => 0.0,
            complete => self.elapsed.as_secs_f64() * 1000.0 / complete as f64,
        }
    }
}

fn rate(amount: f64, time: Duration) -> f64 {
    match time.as_secs_f64() {
        0.0 => 0.0,
        seconds => amount / seconds,
    }
}

/// Collects while a run goes on.
#[derive(Debug)]
pub(super) struct Tally {
    failures: Failures,
    received_bytes: u64,
    document_bytes: u64,
    complete: u64,
    latency_us: Option<Histogram<u64>>,
    per_server: BTreeMap<String, u64>,
}

impl Tally {
    pub fn new(longest: Duration) -> Self {
        let longest_us = u64::try_from(longest.as_micros()).unwrap_or(u64::MAX / 2);
        Tally {
            failures: Failures::default(),
            received_bytes: 0,
            document_bytes: 0,
            complete: 0,
            // Three digits: finer than what a shared machine repeats. Fails
            // only for bounds below two.
            latency_us: Histogram::new_with_max(longest_us.max(2), 3).ok(),
            per_server: BTreeMap::new(),
        }
    }

    pub fn succeeded(&mut self, answer: &Answer, server: &str, took: Duration) {
        self.complete += 1;
        self.received_bytes += answer.received_bytes as u64;
        self.document_bytes = answer.document_bytes as u64;
        if let Some(histogram) = &mut self.latency_us {
            histogram.saturating_record(took.as_micros() as u64);
        }
        match self.per_server.get_mut(server) {
            Some(count) => *count += 1,
            None => drop(self.per_server.insert(server.to_owned(), 1)),
        }
    }

    pub fn failed(&mut self, failure: Failure) {
        let count = match failure {
            Failure::Connect => &mut self.failures.connect,
            Failure::Timeout => &mut self.failures.timeout,
            Failure::Broken => &mut self.failures.broken,
            Failure::Status => &mut self.failures.status,
            Failure::Length => &mut self.failures.length,
        };
        *count += 1;
    }

    pub fn result(&self, requests: u64, elapsed: Duration) -> LoadResult {
        let not_sent = requests.saturating_sub(self.complete + self.failures.total());
        LoadResult {
            requests,
            failures: Failures {
                not_sent,
                ..self.failures
            },
            elapsed,
            received_bytes: self.received_bytes,
            document_bytes: self.document_bytes,
            latency: self.latency_us.as_ref().map(latency).unwrap_or_default(),
            per_server: self.per_server.clone(),
        }
    }
}

fn latency(histogram_us: &Histogram<u64>) -> Latency {
    let at = |quantile| histogram_us.value_at_quantile(quantile) as f64 / 1000.0;
    Latency {
        mean_ms: histogram_us.mean() / 1000.0,
        p50_ms: at(0.50),
        p90_ms: at(0.90),
        p99_ms: at(0.99),
        max_ms: histogram_us.max() as f64 / 1000.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_those_of_ab() {
        let mut tally = Tally::new(Duration::from_secs(1));
        let answer = Answer {
            received_bytes: 4352,
            document_bytes: 4100,
        };
        for number in 0..100 {
            let server = if number % 2 == 0 {
                "server1"
            } else {
                "server2"
            };
            tally.succeeded(&answer, server, Duration::from_millis(number));
        }
        tally.failed(Failure::Timeout);
        let result = tally.result(102, Duration::from_secs(2));
        assert_eq!((result.complete(), result.failures.total()), (100, 2));
        assert_eq!((result.failures.timeout, result.failures.not_sent), (1, 1));
        assert_eq!(result.requests_per_s(), 50.0);
        assert_eq!(result.time_per_request_ms(), 20.0);
        assert_eq!(result.transfer_kib_per_s(), 212.5);
        assert_eq!(result.document_bytes, 4100);
        assert_eq!(result.per_server["server1"], 50);
        assert!((49.0..=51.0).contains(&result.latency.p50_ms));
    }

    #[test]
    fn nothing_done_is_no_division_by_zero() {
        let result = Tally::new(Duration::ZERO).result(0, Duration::ZERO);
        assert_eq!(result.requests_per_s(), 0.0);
        assert_eq!(result.time_per_request_ms(), 0.0);
    }
}

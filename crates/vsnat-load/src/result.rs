//! What a run measured.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::failure::{Failure, Failures};
use crate::latency::{Latencies, milliseconds};

/// How connections ended. Who closes first keeps the closed connection for a
/// while (TIME_WAIT); with one connection per request that is the server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Closes {
    /// The server closed first, all was received.
    pub by_server: u64,
    /// This side closed first: at the end of a run, or after a failure.
    pub by_client: u64,
    /// Torn down by a reset.
    pub by_reset: u64,
}

/// What a run measured.
#[derive(Clone, Debug)]
pub struct LoadResult {
    /// How many requests there should have been: as planned, or in an open loop
    /// as many as were due, or as many as were begun.
    pub requests: u64,
    /// Requests that were answered as expected.
    pub complete: u64,
    pub failures: Failures,
    /// Answers with a status other than 2xx, whether expected or not.
    pub non_2xx: u64,
    /// Until the last good answer; at least until the time was over.
    pub elapsed: Duration,
    pub sent_bytes: u64,
    /// With headers; of good answers and of others.
    pub received_bytes: u64,
    /// Documents without headers, of good answers.
    pub documents_bytes: u64,
    /// Length of the document of the last good answer.
    pub document_bytes: u64,
    /// Connections opened, or sockets.
    pub connections: u64,
    /// Answers after which the connection was kept.
    pub kept: u64,
    pub closes: Closes,
    /// Datagrams that came back after they had been given up.
    pub late: u64,
    /// From the first packet to the established connection; 0 for a request on
    /// a connection that was kept.
    pub connect: Latencies,
    /// From the established connection to the first byte.
    pub waiting: Latencies,
    /// From the established connection to the last byte.
    pub processing: Latencies,
    /// From the beginning of a request, with its connection, to the last byte.
    pub total: Latencies,
    /// In an open loop: from the moment a request was due to the last byte.
    pub from_due: Option<Latencies>,
    /// Good answers by the name of the server that gave them.
    pub per_server: BTreeMap<String, u64>,
    /// The `Server` header of the first answer.
    pub software: Option<String>,
    /// What the first failure was.
    pub first_failure: Option<String>,
}

impl LoadResult {
    pub fn requests_per_s(&self) -> f64 {
        rate(self.complete as f64, self.elapsed)
    }

    pub fn bytes_per_s(&self) -> f64 {
        rate(self.received_bytes as f64, self.elapsed)
    }

    pub fn transfer_kib_per_s(&self) -> f64 {
        self.bytes_per_s() / 1024.0
    }

    /// Total time by requests: `ab`'s "across all concurrent requests".
    pub fn time_per_request_ms(&self) -> f64 {
        match self.complete {
            0 => 0.0,
            complete => milliseconds(self.elapsed) / complete as f64,
        }
    }

    /// What clients feel: from when a request was due, or began.
    pub fn latency(&self) -> &Latencies {
        self.from_due.as_ref().unwrap_or(&self.total)
    }

    pub(crate) fn new(longest: Duration) -> Self {
        LoadResult {
            requests: 0,
            complete: 0,
            failures: Failures::default(),
            non_2xx: 0,
            elapsed: Duration::ZERO,
            sent_bytes: 0,
            received_bytes: 0,
            documents_bytes: 0,
            document_bytes: 0,
            connections: 0,
            kept: 0,
            closes: Closes::default(),
            late: 0,
            connect: Latencies::new(longest),
            waiting: Latencies::new(longest),
            processing: Latencies::new(longest),
            total: Latencies::new(longest),
            from_due: None,
            per_server: BTreeMap::new(),
            software: None,
            first_failure: None,
        }
    }

    /// Requests that have ended.
    pub(crate) fn ended(&self) -> u64 {
        self.complete + self.failures.total()
    }

    pub(crate) fn failed(&mut self, failure: Failure, told: impl FnOnce() -> String) {
        self.failures.count(failure);
        if self.first_failure.is_none() {
            self.first_failure = Some(told());
        }
    }

    pub(crate) fn answered_by(&mut self, server: &str) {
        match self.per_server.get_mut(server) {
            Some(count) => *count += 1,
            None => drop(self.per_server.insert(server.to_owned(), 1)),
        }
    }

    /// Takes what another thread of the same run measured.
    pub(crate) fn merge(&mut self, other: LoadResult) {
        self.requests += other.requests;
        self.complete += other.complete;
        self.failures.add(&other.failures);
        self.non_2xx += other.non_2xx;
        self.elapsed = self.elapsed.max(other.elapsed);
        self.sent_bytes += other.sent_bytes;
        self.received_bytes += other.received_bytes;
        self.documents_bytes += other.documents_bytes;
        self.document_bytes = self.document_bytes.max(other.document_bytes);
        self.connections += other.connections;
        self.kept += other.kept;
        self.closes.by_server += other.closes.by_server;
        self.closes.by_client += other.closes.by_client;
        self.closes.by_reset += other.closes.by_reset;
        self.late += other.late;
        self.connect.merge(&other.connect);
        self.waiting.merge(&other.waiting);
        self.processing.merge(&other.processing);
        self.total.merge(&other.total);
        match (&mut self.from_due, other.from_due) {
            (Some(mine), Some(theirs)) => mine.merge(&theirs),
            (None, theirs) => self.from_due = theirs,
            (Some(_), None) => {}
        }
        for (server, count) in other.per_server {
            *self.per_server.entry(server).or_default() += count;
        }
        self.software = self.software.take().or(other.software);
        self.first_failure = self.first_failure.take().or(other.first_failure);
    }
}

fn rate(amount: f64, time: Duration) -> f64 {
    match time.as_secs_f64() {
        0.0 => 0.0,
        seconds => amount / seconds,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_those_of_ab() {
        let mut result = LoadResult::new(Duration::from_secs(1));
        result.complete = 100;
        result.received_bytes = 435_200;
        result.elapsed = Duration::from_secs(2);
        assert_eq!(result.requests_per_s(), 50.0);
        assert_eq!(result.time_per_request_ms(), 20.0);
        assert_eq!(result.transfer_kib_per_s(), 212.5);
    }

    #[test]
    fn nothing_done_is_no_division_by_zero() {
        let result = LoadResult::new(Duration::ZERO);
        assert_eq!(result.requests_per_s(), 0.0);
        assert_eq!(result.time_per_request_ms(), 0.0);
    }

    #[test]
    fn the_first_failure_is_told() {
        let mut result = LoadResult::new(Duration::ZERO);
        result.failed(Failure::Refused, || "first".to_owned());
        result.failed(Failure::Timeout, || "second".to_owned());
        assert_eq!(result.first_failure.as_deref(), Some("first"));
        assert_eq!((result.failures.refused, result.failures.timeout), (1, 1));
    }
}

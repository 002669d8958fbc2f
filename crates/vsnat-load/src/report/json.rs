//! A report for programs.

use std::collections::BTreeMap;

use serde::Serialize;

use super::Report;
use crate::{Closes, Connections, Drive, Failures, Latency};

/// A report as it is written. Units are the last words of names.
#[derive(Clone, Debug, Serialize)]
pub struct Written<'a> {
    host: &'a str,
    port: u16,
    path: &'a str,
    server_software: Option<&'a str>,
    connections_max: usize,
    keep_alive: bool,
    /// Absent in a closed loop.
    rate_per_s: Option<f64>,
    threads: usize,
    requests: u64,
    complete: u64,
    failed: u64,
    failures: Failures,
    first_failure: Option<&'a str>,
    non_2xx: u64,
    elapsed_s: f64,
    requests_per_s: f64,
    transfer_kib_per_s: f64,
    time_per_request_ms: f64,
    document_bytes: u64,
    documents_bytes: u64,
    received_bytes: u64,
    sent_bytes: u64,
    connections: u64,
    keep_alive_requests: u64,
    closes: Closes,
    connect: Latency,
    waiting: Latency,
    processing: Latency,
    total: Latency,
    /// From the moment each request was due; absent in a closed loop.
    corrected: Option<Latency>,
    per_server: &'a BTreeMap<String, u64>,
}

/// The report as a structure to serialise.
pub fn json<'a>(report: &Report<'a>) -> Written<'a> {
    let Report { url, plan, result } = *report;
    Written {
        host: &url.host,
        port: url.port,
        path: &url.path,
        server_software: result.software.as_deref(),
        connections_max: plan.load.connections_max(),
        keep_alive: plan.load.connections == Connections::KeptAlive,
        rate_per_s: match plan.load.drive {
            Drive::Closed { .. } => None,
            Drive::Open { requests_per_s, .. } => Some(requests_per_s),
        },
        threads: plan.load.threads_max(),
        requests: result.requests,
        complete: result.complete,
        failed: result.failures.total(),
        failures: result.failures,
        first_failure: result.first_failure.as_deref(),
        non_2xx: result.non_2xx,
        elapsed_s: result.elapsed.as_secs_f64(),
        requests_per_s: result.requests_per_s(),
        transfer_kib_per_s: result.transfer_kib_per_s(),
        time_per_request_ms: result.time_per_request_ms(),
        document_bytes: result.document_bytes,
        documents_bytes: result.documents_bytes,
        received_bytes: result.received_bytes,
        sent_bytes: result.sent_bytes,
        connections: result.connections,
        keep_alive_requests: result.kept,
        closes: result.closes,
        connect: result.connect.summary(),
        waiting: result.waiting.summary(),
        processing: result.processing.summary(),
        total: result.total.summary(),
        corrected: result
            .from_due
            .as_ref()
            .map(|latencies| latencies.summary()),
        per_server: &result.per_server,
    }
}

//! A report in the layout of `ab`, so that what reads one reads the other.
//!
//! It differs in two ways: only requests that were answered as expected count
//! as complete, and times have three digits behind the point.

use std::fmt::{self, Write};

use super::Report;
use crate::latency::milliseconds;
use crate::{Connections, Drive, Failures, Latencies, LoadResult};

/// `ab`'s, and one for the tail.
const SHARES: [(&str, f64); 9] = [
    ("50", 0.50),
    ("66", 0.66),
    ("75", 0.75),
    ("80", 0.80),
    ("90", 0.90),
    ("95", 0.95),
    ("98", 0.98),
    ("99", 0.99),
    ("99.9", 0.999),
];

/// The report as text.
pub fn text(report: &Report) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = write(&mut text, report);
    text
}

fn write(out: &mut String, report: &Report) -> fmt::Result {
    let Report { url, plan, result } = report;
    row(
        out,
        "Server Software",
        result.software.as_deref().unwrap_or(""),
    )?;
    row(out, "Server Hostname", &url.host)?;
    row(out, "Server Port", url.port)?;
    writeln!(out)?;
    row(out, "Document Path", &url.path)?;
    row(
        out,
        "Document Length",
        format_args!("{} bytes", result.document_bytes),
    )?;
    writeln!(out)?;
    let connections = plan.load.connections_max();
    row(out, "Concurrency Level", connections)?;
    let elapsed_s = result.elapsed.as_secs_f64();
    row(
        out,
        "Time taken for tests",
        format_args!("{elapsed_s:.3} seconds"),
    )?;
    row(out, "Complete requests", result.complete)?;
    failures(out, result)?;
    if result.non_2xx > 0 {
        row(out, "Non-2xx responses", result.non_2xx)?;
    }
    if plan.load.connections == Connections::KeptAlive {
        row(out, "Keep-Alive requests", result.kept)?;
    }
    row(
        out,
        "Total transferred",
        format_args!("{} bytes", result.received_bytes),
    )?;
    row(
        out,
        "HTML transferred",
        format_args!("{} bytes", result.documents_bytes),
    )?;
    rates(out, report, connections)?;
    ends(out, result)?;
    times(out, result)?;
    let title = "Percentage of the requests served within a certain time (ms)";
    shares(out, title, &result.total)?;
    if let Some(from_due) = &result.from_due {
        let title = "Corrected latency, from the moment each request was due (ms)";
        shares(out, title, from_due)?;
    }
    Ok(())
}

fn row(out: &mut String, name: &str, value: impl fmt::Display) -> fmt::Result {
    writeln!(out, "{:<23} {value}", format!("{name}:"))
}

fn failures(out: &mut String, result: &LoadResult) -> fmt::Result {
    let failures = &result.failures;
    row(out, "Failed requests", failures.total())?;
    if failures.total() == 0 {
        return Ok(());
    }
    writeln!(out, "   ({})", classes(failures))?;
    let named = failures.named().into_iter();
    let kinds: Vec<String> = named
        .filter(|(_, count)| *count > 0)
        .map(|(name, count)| format!("{name} {count}"))
        .collect();
    row(out, "Failures by kind", kinds.join(", "))?;
    match &result.first_failure {
        Some(first) => row(out, "First failure", first),
        None => Ok(()),
    }
}

/// The four kinds that `ab` knows.
fn classes(failures: &Failures) -> String {
    let connect = failures.refused + failures.unreachable + failures.local;
    let receive = failures.reset + failures.cut_short;
    let exceptions = failures.timeout + failures.malformed + failures.status + failures.not_sent;
    let length = failures.length;
    format!("Connect: {connect}, Receive: {receive}, Length: {length}, Exceptions: {exceptions}")
}

fn rates(out: &mut String, report: &Report, connections: usize) -> fmt::Result {
    let result = report.result;
    if let Drive::Open { requests_per_s, .. } = report.plan.load.drive {
        row(
            out,
            "Rate asked for",
            format_args!("{requests_per_s:.2} [#/sec]"),
        )?;
    }
    row(
        out,
        "Requests per second",
        format_args!("{:.2} [#/sec] (mean)", result.requests_per_s()),
    )?;
    let across = result.time_per_request_ms();
    let each = match report.plan.load.drive {
        Drive::Closed { .. } => across * connections as f64,
        // Connections that wait for their turn are no part of a request.
        Drive::Open { .. } => result.total.mean_ms(),
    };
    row(
        out,
        "Time per request",
        format_args!("{each:.3} [ms] (mean)"),
    )?;
    row(
        out,
        "Time per request",
        format_args!("{across:.3} [ms] (mean, across all concurrent requests)"),
    )?;
    row(
        out,
        "Transfer rate",
        format_args!("{:.2} [Kbytes/sec] received", result.transfer_kib_per_s()),
    )
}

fn ends(out: &mut String, result: &LoadResult) -> fmt::Result {
    let closes = &result.closes;
    row(out, "Connections opened", result.connections)?;
    row(
        out,
        "Closed first by",
        format_args!(
            "server {}, client {}, reset {}",
            closes.by_server, closes.by_client, closes.by_reset
        ),
    )
}

fn times(out: &mut String, result: &LoadResult) -> fmt::Result {
    writeln!(out, "\nConnection Times (ms)")?;
    writeln!(
        out,
        "{:<13}{:>8} {:>8}[+/-sd] {:>8} {:>8}",
        "", "min", "mean", "median", "max"
    )?;
    for (name, latencies) in [
        ("Connect:", &result.connect),
        ("Processing:", &result.processing),
        ("Waiting:", &result.waiting),
        ("Total:", &result.total),
    ] {
        writeln!(
            out,
            "{name:<13}{:>8.3} {:>8.3} {:>6.3} {:>8.3} {:>8.3}",
            milliseconds(latencies.min()),
            latencies.mean_ms(),
            latencies.deviation_ms(),
            milliseconds(latencies.at(0.5)),
            milliseconds(latencies.max())
        )?;
    }
    Ok(())
}

fn shares(out: &mut String, title: &str, latencies: &Latencies) -> fmt::Result {
    writeln!(out, "\n{title}")?;
    for (name, share) in SHARES {
        let within_ms = milliseconds(latencies.at(share));
        writeln!(out, "{name:>4}% {within_ms:>10.3}")?;
    }
    let longest_ms = milliseconds(latencies.max());
    writeln!(out, "{:>4}% {longest_ms:>10.3} (longest request)", "100")
}

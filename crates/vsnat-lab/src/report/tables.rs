//! The tables of the experiment, and everything it prints.

use std::fmt::Write as _;

use super::number::{decimal, whole};
use super::{Report, Run, Target};
use crate::experiment::original::{self, OriginalRun};

/// A table: columns belong to a group each, rows are labelled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Table {
    pub title: String,
    pub label: &'static str,
    /// Title of a group and the headings of its columns.
    pub groups: Vec<(String, Vec<String>)>,
    pub rows: Vec<(String, Vec<String>)>,
}

/// What the original did not print.
const ABSENT: &str = "–";

pub(crate) fn heading(report: &Report) -> String {
    let held = match report.per_request_ms {
        Some(per_request_ms) => {
            format!("held to one request at a time, {per_request_ms:.2} ms each")
        }
        None => "not held (only the embedded server can be)".to_owned(),
    };
    format!(
        "Real servers: {} × {}, {held}. {} requests at a time, a connection for each.\n\
         Kernel {}, {} CPUs.\n\n",
        report.servers.len(),
        report.server,
        report.concurrency,
        report.machine.kernel,
        report.machine.cpus,
    )
}

/// One line for a run that has ended.
pub(crate) fn run_line(run: &Run) -> String {
    format!(
        "{:<24} {:>10} requests/s {:>9} ms/request {:>7.1} s  {} failed\n",
        run.name,
        decimal(run.requests_per_s),
        format!("{:.3}", run.time_per_request_ms),
        run.elapsed_s,
        run.failed,
    )
}

pub(crate) fn commands(commands: &[String]) -> String {
    let lines = commands
        .iter()
        .map(|command| format!("director# {command}\n"));
    format!("\n{}\n", lines.collect::<String>())
}

/// What the held part has shown: the original's tables, the gain, who served
/// how many, and the director's own count.
pub(crate) fn served(report: &Report) -> String {
    let mut text = "\n".to_owned();
    for table in [alone(report), virtual_server(report), distribution(report)] {
        text.push_str(&render(&table));
        text.push('\n');
    }
    for line in gain_lines(report) {
        let _ = writeln!(text, "{line}");
    }
    let _ = writeln!(text, "\ndirector# ipvsadm -Ln --stats\n{}", report.listing);
    text.push_str("Now unheld, plain routing and the director in turn:\n");
    text
}

/// The comparison with plain routing, and what was expected.
pub(crate) fn conclusion(report: &Report) -> String {
    let mut text = format!("\n{}", render(&unheld(report)));
    if let Some(line) = comparison_line(report) {
        let _ = writeln!(text, "{line}");
    }
    text.push_str("\nExpected:\n");
    for expected in report.expectations() {
        let verdict = match expected.met {
            true => "met    ",
            false => "NOT MET",
        };
        let _ = writeln!(text, "  {verdict}  {}: {}", expected.what, expected.found);
    }
    text.push('\n');
    text
}

pub(super) fn alone(report: &Report) -> Table {
    let title = match report.per_request_ms {
        Some(ms) => format!("RS: one real server alone, held to {ms:.2} ms a request"),
        None => "RS: one real server alone".to_owned(),
    };
    beside_original(title, &report.table_runs(Target::Rs), &original::RS)
}

pub(super) fn virtual_server(report: &Report) -> Table {
    let count = report.servers.len();
    let title = format!("VS: the virtual server over {count} of them, round robin");
    beside_original(title, &report.table_runs(Target::Vs), &original::VS)
}

pub(super) fn distribution(report: &Report) -> Table {
    let runs = report.table_runs(Target::Vs);
    let row = |(name, address): &(String, String)| {
        let counts = runs.iter().map(|run| run.per_server.get(name));
        let cells = counts.map(|count| whole(count.copied().unwrap_or(0)));
        (format!("{name} {address}"), cells.collect())
    };
    Table {
        title: "Answers of each real server, as its header names it".to_owned(),
        label: "Requests",
        groups: vec![(
            "virtual server".to_owned(),
            runs.iter().map(|run| whole(run.requests)).collect(),
        )],
        rows: report.servers.iter().map(row).collect(),
    }
}

pub(super) fn unheld(report: &Report) -> Table {
    let routed = report.comparison_runs(Target::Routed);
    let vs = report.comparison_runs(Target::Vs);
    let requests = routed.first().map_or(0, |run| run.requests);
    let rate = |run: &&Run| decimal(run.requests_per_s);
    let rows = (1..).zip(routed.iter().zip(&vs));
    Table {
        title: format!(
            "Unheld: requests per second of {} requests by either path, in turn",
            whole(requests)
        ),
        label: "",
        groups: vec![(
            String::new(),
            vec![
                "plain routing".to_owned(),
                "through the director".to_owned(),
            ],
        )],
        rows: rows
            .map(|(number, (routed, vs))| (format!("run {number}"), vec![rate(routed), rate(vs)]))
            .collect(),
    }
}

/// The gain of this run, and both figures of the original.
pub(super) fn gain_lines(report: &Report) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(gain) = report.gain() {
        lines.push(format!(
            "Gain of VS over RS at {} requests: {:.1} % ({} against {} requests/s, {:.2} ×).",
            whole(gain.requests),
            gain.percent,
            decimal(gain.vs_requests_per_s),
            decimal(gain.rs_requests_per_s),
            gain.times,
        ));
    }
    lines.push(format!(
        "The original states {:.0} %; its own tables (131.60 against 55.24) give {:.0} %.",
        original::CLAIMED_GAIN_PERCENT,
        original::computed_gain_percent(),
    ));
    lines
}

pub(super) fn comparison_line(report: &Report) -> Option<String> {
    let comparison = report.comparison()?;
    Some(format!(
        "Medians: plain routing {}, through the director {} requests/s; ratio {:.3}.",
        decimal(comparison.routed_median_requests_per_s),
        decimal(comparison.vs_median_requests_per_s),
        comparison.ratio,
    ))
}

fn beside_original(title: String, runs: &[&Run], quoted: &[OriginalRun]) -> Table {
    let headings = |requests: Vec<u64>| requests.into_iter().map(whole).collect();
    let row = |name: &str, own: fn(&Run) -> String, original: fn(&OriginalRun) -> String| {
        let cells = runs.iter().map(|run| own(run));
        let cells = cells.chain(quoted.iter().map(original)).collect();
        (name.to_owned(), cells)
    };
    Table {
        title,
        label: "Requests",
        groups: vec![
            (
                "this run".to_owned(),
                headings(runs.iter().map(|run| run.requests).collect()),
            ),
            (
                "original experiment".to_owned(),
                headings(quoted.iter().map(|run| run.requests).collect()),
            ),
        ],
        rows: vec![
            row(
                "Transfer rate (KiB/s)",
                |run| decimal(run.transfer_kib_per_s),
                |run| run.transfer_kib_per_s.to_string(),
            ),
            row(
                "Requests per second",
                |run| decimal(run.requests_per_s),
                |run| decimal(run.requests_per_s),
            ),
            row(
                "Time per request (ms)",
                |run| format!("{:.3}", run.time_per_request_ms),
                |run| decimal(run.time_per_request_ms),
            ),
            row(
                "Document length (bytes)",
                |run| whole(run.document_bytes),
                |run| whole(run.document_bytes),
            ),
            row(
                "Failed requests",
                |run| whole(run.failed),
                |_| ABSENT.to_owned(),
            ),
        ],
    }
}

/// A table as text: the label left, numbers right, a bar between groups.
pub(super) fn render(table: &Table) -> String {
    let label_width = table
        .rows
        .iter()
        .map(|(label, _)| label.chars().count())
        .chain([table.label.len()])
        .max()
        .unwrap_or(0);
    let mut text = format!("{}\n", table.title);
    let titles = table.groups.iter().map(|(title, columns)| {
        let width = columns.len() * (cell_width(table, title) + GAP.len());
        format!(" │{title:^width$}")
    });
    let titles = format!("{:label_width$}{}", "", titles.collect::<String>());
    let named = table.groups.iter().any(|(title, _)| !title.is_empty());
    if named {
        let _ = writeln!(text, "{}", titles.trim_end());
    }
    let headings: Vec<&String> = table.groups.iter().flat_map(|(_, all)| all).collect();
    let head = std::iter::once((table.label, headings));
    let rows = table.rows.iter();
    let rows = rows.map(|(label, cells)| (label.as_str(), cells.iter().collect()));
    for (label, cells) in head.chain(rows) {
        let line = format!("{label:label_width$}{}", render_cells(table, &cells));
        let _ = writeln!(text, "{}", line.trim_end());
    }
    text
}

fn render_cells(table: &Table, cells: &[&String]) -> String {
    let mut text = String::new();
    let mut cells = cells.iter();
    for (title, columns) in &table.groups {
        let width = cell_width(table, title);
        text.push_str(" │");
        for cell in cells.by_ref().take(columns.len()) {
            let _ = write!(text, "{cell:>width$}{GAP}");
        }
    }
    text
}

/// Stands behind every cell.
const GAP: &str = "  ";

/// Wide enough for every cell of a group, and for its title.
fn cell_width(table: &Table, group: &str) -> usize {
    /// Columns of short numbers stay readable.
    const LEAST: usize = 10;
    let before = table.groups.iter().take_while(|(title, _)| title != group);
    let first: usize = before.map(|(_, columns)| columns.len()).sum();
    let columns = table.groups.iter().find(|(title, _)| title == group);
    let columns = columns.map_or(&[][..], |(_, columns)| columns);
    let cells = table
        .rows
        .iter()
        .flat_map(|(_, cells)| cells.iter().skip(first).take(columns.len()));
    let widest = cells.chain(columns).map(|cell| cell.chars().count()).max();
    let for_title = group.len().div_ceil(columns.len().max(1));
    widest.unwrap_or(0).max(for_title).max(LEAST)
}

//! The comparison as text: rows down, peers across.

use std::fmt::Write as _;

use super::peer::Peer;
use super::report::{Measured, Report, Run};
use super::verdict::Verdict;

const NAME_WIDTH: usize = 29;
const CELL_WIDTH: usize = 19;
/// Processes for each CPU that do not disturb much.
const QUIET: f64 = 0.25;

/// Head of the table of throughput, which is told row by row.
pub fn title(peers: &[Peer]) -> String {
    let mut text = String::from(
        "Throughput in that of plain routing over the same links: median, and 10 … 90 % of the \
         repetitions.\n\n",
    );
    head(&mut text, peers, "plain routing");
    text
}

/// A row of it, as soon as it is measured.
pub fn throughput(peers: &[Peer], row: &Measured) -> String {
    let plain = match row.is_bulk() {
        true => row
            .figure(Peer::Plain, |run| run.bytes_per_s)
            .map(|rate| format!("{:.0} MB/s", rate.median / 1e6)),
        false => row
            .figure(Peer::Plain, |run| run.requests_per_s)
            .map(|rate| format!("{:.0}/s", rate.median)),
    };
    let cells = others(peers).map(|peer| {
        let ratio = row.throughput(peer, peer.floor())?;
        Some(format!(
            "{:.2} {:.2}…{:.2}",
            ratio.median, ratio.low, ratio.high
        ))
    });
    let mut text = line(&row.name, std::iter::once(plain).chain(cells));
    for peer in peers.iter().filter(|peer| row.failed(**peer) > 0) {
        let failed = row.failed(*peer);
        // Writing to a String cannot fail, here and below.
        let _ = writeln!(text, "    {peer}: {failed} REQUESTS FAILED");
    }
    text
}

/// What follows from all rows: means, CPU, latency, and whether it is as it has to be.
pub fn rest(report: &Report, verdicts: &[Verdict]) -> String {
    let peers = &report.peers;
    let means = others(peers).map(|peer| {
        let mean = report.mean_ratio(peer, peer.floor())?;
        Some(format!("{mean:.2}"))
    });
    let mut text = line("geometric mean", std::iter::once(None).chain(means));
    text.push_str(
        "\nCPU of the whole machine, µs a request: plain routing, and what others take more.\n\n",
    );
    head(&mut text, peers, "plain routing");
    for row in &report.rows {
        text.push_str(&busy(peers, row));
    }
    text.push_str(
        "\nLatency: p50/p99/p999 in µs of plain routing, and in those of plain routing.\n\n",
    );
    head(&mut text, peers, "plain routing");
    for row in &report.rows {
        text.push_str(&latency(peers, row));
    }
    text.push_str(&notes(report));
    text.push('\n');
    for verdict in verdicts {
        text.push_str(&judged(verdict));
    }
    text
}

fn busy(peers: &[Peer], row: &Measured) -> String {
    let plain = row.figure(Peer::Plain, |run| run.busy_us_per_request);
    let plain = plain.map(|busy| format!("{:.1}", busy.median));
    let cells = others(peers).map(|peer| {
        let more = row.more_busy_us(peer)?;
        Some(format!(
            "{:+.1} {:+.1}…{:+.1}",
            more.median, more.low, more.high
        ))
    });
    line(&row.name, std::iter::once(plain).chain(cells))
}

fn latency(peers: &[Peer], row: &Measured) -> String {
    const FIGURES: [fn(&Run) -> f64; 3] = [|run| run.p50_us, |run| run.p99_us, |run| run.p999_us];
    let plain = FIGURES.map(|figure| row.figure(Peer::Plain, figure));
    let plain: Option<Vec<String>> = plain
        .into_iter()
        .map(|spread| Some(format!("{:.0}", spread?.median)))
        .collect();
    let cells = others(peers).map(|peer| {
        let ratios = FIGURES.map(|figure| row.ratio(peer, peer.floor(), figure));
        let ratios: Option<Vec<String>> = ratios
            .into_iter()
            .map(|ratio| Some(format!("{:.2}", ratio?.median)))
            .collect();
        Some(ratios?.join("/"))
    });
    let plain = plain.map(|figures| figures.join("/"));
    line(&row.name, std::iter::once(plain).chain(cells))
}

fn notes(report: &Report) -> String {
    let mut text = format!(
        "\nLinux {}, {} CPUs for everything: clients, director, four nginx as real servers. \
         {} repetitions of {} ms.\n",
        report.kernel, report.cpus, report.repetitions, report.run_ms
    );
    if report.load_before > QUIET * report.cpus as f64 {
        let _ = writeln!(
            text,
            "The machine was not quiet: in the minute before, {:.1} processes wanted a CPU. Figures \
             and spreads are those of a disturbed machine.",
            report.load_before
        );
    }
    if report.peers.contains(&Peer::PlainXdp) {
        text.push_str(
            "XDP links: clients and servers finish their checksums themselves and receive by GRO; \
             vsnat XDP is told in plain routing over such links, and that in plain routing over \
             the others.\n",
        );
    }
    text
}

fn judged(verdict: &Verdict) -> String {
    let said = match verdict.met {
        true => "met    ",
        false => "NOT MET",
    };
    let mut text = format!("{said} {}", verdict.what);
    match verdict.evidence.as_slice() {
        [] => text.push('\n'),
        [figure] if verdict.met => {
            let _ = writeln!(text, ": {figure}");
        }
        rows => {
            text.push_str(":\n");
            for row in rows {
                let _ = writeln!(text, "          {row}");
            }
        }
    }
    text
}

fn others(peers: &[Peer]) -> impl Iterator<Item = Peer> {
    peers.iter().copied().filter(|peer| *peer != Peer::Plain)
}

fn head(text: &mut String, peers: &[Peer], first: &str) {
    let names = others(peers).map(|peer| Some(peer.to_string()));
    text.push_str(&line(
        "",
        std::iter::once(Some(first.to_owned())).chain(names),
    ));
}

fn line(name: &str, cells: impl Iterator<Item = Option<String>>) -> String {
    let mut text = format!("{name:<NAME_WIDTH$}");
    for cell in cells {
        let cell = cell.unwrap_or_else(|| "-".to_owned());
        let _ = write!(text, " {cell:>CELL_WIDTH$}");
    }
    text.push('\n');
    text
}

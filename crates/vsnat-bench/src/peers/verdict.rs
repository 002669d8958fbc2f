//! What the comparison has to show, and whether it does.

use serde::Serialize;

use super::peer::Peer;
use super::report::{Measured, Report};
use super::rows::Manner;
use crate::path::Spread;

/// Ratios are told with two decimals, and judged as they are told.
const TOLD: f64 = 0.005;

/// One thing that has to be so.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Verdict {
    pub what: String,
    pub met: bool,
    /// The figure that it hangs on, or the rows where it is not so.
    pub evidence: Vec<String>,
}

/// Everything that has to be so, as far as it was measured.
pub fn verdicts(report: &Report) -> Vec<Verdict> {
    let rivals = || {
        let rivals = Peer::RIVALS.into_iter();
        rivals.filter(|rival| report.peers.contains(rival))
    };
    let mut verdicts = vec![answered(report), spread(report)];
    if !report.peers.contains(&Peer::VsnatTc) {
        return verdicts;
    }
    verdicts.extend(rivals().map(|rival| never_behind(report, rival)));
    verdicts.extend(rivals().filter_map(|rival| ahead_in_the_mean(report, rival)));
    verdicts.extend(rivals().map(|rival| ahead_per_request(report, rival)));
    verdicts.extend(not_behind_plain_routing(report));
    verdicts
}

fn answered(report: &Report) -> Verdict {
    let mut evidence = Vec::new();
    for row in &report.rows {
        for &peer in &report.peers {
            let failed = row.failed(peer);
            let idle = row.of(peer).filter(|run| run.requests == 0).count();
            if failed == 0 && idle == 0 {
                continue;
            }
            let first = row.of(peer).find_map(|run| run.first_failure.as_deref());
            evidence.push(format!(
                "{}: {peer}, {failed} failed, {idle} runs without an answer; first: {}",
                row.name,
                first.unwrap_or("nothing came")
            ));
        }
    }
    Verdict {
        what: "every request is answered".to_owned(),
        met: evidence.is_empty(),
        evidence,
    }
}

/// Whether everybody did what a director does. A lone connection has one server.
fn spread(report: &Report) -> Verdict {
    let mut evidence = Vec::new();
    for measured in report.rows.iter().filter(|row| row.row.connections > 1) {
        for run in &measured.runs {
            if run.server_packets.contains(&0) {
                let (name, peer) = (&measured.name, run.peer);
                evidence.push(format!("{name}: {peer}, {:?} packets", run.server_packets));
            }
        }
    }
    Verdict {
        what: "every real server takes part".to_owned(),
        met: evidence.is_empty(),
        evidence,
    }
}

fn never_behind(report: &Report, rival: Peer) -> Verdict {
    let behind = |ratio: &Spread| ratio.high < 1.0;
    rows_where(
        report,
        rival,
        format!("vsnat TC is behind {rival} by more than the spread in no row"),
        |_| true,
        behind,
    )
}

fn ahead_per_request(report: &Report, rival: Peer) -> Verdict {
    let per_request = |row: &Measured| match row.row.manner {
        Manner::PerRequest => true,
        Manner::KeepAlive | Manner::Udp => false,
    };
    rows_where(
        report,
        rival,
        format!("vsnat TC is ahead of {rival} in every connection-per-request row"),
        per_request,
        |ratio| ratio.median < 1.0 + TOLD,
    )
}

/// Met when no chosen row's ratio, vsnat TC in the rival, is a bad one.
fn rows_where(
    report: &Report,
    rival: Peer,
    what: String,
    chosen: impl Fn(&Measured) -> bool,
    bad: impl Fn(&Spread) -> bool,
) -> Verdict {
    let rows = report.rows.iter().filter(|row| chosen(row));
    let found = rows.filter_map(|row| {
        let ratio = row.throughput(Peer::VsnatTc, rival)?;
        bad(&ratio).then(|| format!("{}: {}", row.name, told(ratio)))
    });
    let evidence: Vec<String> = found.collect();
    Verdict {
        what,
        met: evidence.is_empty(),
        evidence,
    }
}

fn ahead_in_the_mean(report: &Report, rival: Peer) -> Option<Verdict> {
    let mean = report.mean_ratio(Peer::VsnatTc, rival)?;
    Some(Verdict {
        what: format!("vsnat TC is ahead of {rival} in the geometric mean"),
        met: mean >= 1.0 + TOLD,
        evidence: vec![format!("{mean:.2} of {rival}")],
    })
}

fn not_behind_plain_routing(report: &Report) -> Option<Verdict> {
    let ratios = report.rows.iter();
    let ratios = ratios.filter_map(|row| row.throughput(Peer::VsnatTc, Peer::Plain));
    let medians: Vec<f64> = ratios.map(|ratio| ratio.median).collect();
    let rows = Spread::of(&medians)?;
    Some(Verdict {
        what: "vsnat TC is not behind plain routing in the median row".to_owned(),
        met: rows.median >= 1.0 - TOLD,
        evidence: vec![format!("{:.2} of plain routing", rows.median)],
    })
}

fn told(ratio: Spread) -> String {
    format!("{:.2} ({:.2} … {:.2})", ratio.median, ratio.low, ratio.high)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::peers::report::Run;
    use crate::peers::rows::{Document, Row};

    fn run(peer: Peer, repetition: u32, requests_per_s: f64) -> Run {
        Run {
            peer,
            repetition,
            seconds: 1.0,
            requests: requests_per_s as u64,
            failed: 0,
            first_failure: None,
            requests_per_s,
            bytes_per_s: 0.0,
            p50_us: 1.0,
            p99_us: 1.0,
            p999_us: 1.0,
            busy_us_per_request: 1.0,
            server_packets: vec![1, 2, 3, 4],
        }
    }

    /// Plain routing at 100 requests a second, and others as told, twice.
    fn row(manner: Manner, rates: &[(Peer, [f64; 2])]) -> Measured {
        let row = Row {
            manner,
            connections: 32,
            document: Document::Bytes64,
        };
        let both =
            |(peer, [first, second]): (Peer, [f64; 2])| [run(peer, 0, first), run(peer, 1, second)];
        let plain = (Peer::Plain, [100.0, 100.0]);
        let all = std::iter::once(plain).chain(rates.iter().copied());
        Measured::new(row, all.flat_map(both).collect())
    }

    fn report(rows: Vec<Measured>) -> Report {
        Report {
            kernel: String::new(),
            cpus: 1,
            load_before: 0.0,
            repetitions: 2,
            run_ms: 1,
            peers: vec![Peer::Plain, Peer::VsnatTc, Peer::Nftables],
            rows,
        }
    }

    fn missed(rows: Vec<Measured>) -> Vec<String> {
        let verdicts = verdicts(&report(rows)).into_iter();
        let missed = verdicts.filter(|verdict| !verdict.met);
        missed.map(|verdict| verdict.what).collect()
    }

    #[test]
    fn whoever_is_ahead_everywhere_misses_nothing() {
        let rates = [
            (Peer::VsnatTc, [110.0, 101.0]),
            (Peer::Nftables, [90.0, 80.0]),
        ];
        let rows = vec![
            row(Manner::KeepAlive, &rates),
            row(Manner::PerRequest, &rates),
        ];
        assert_eq!(missed(rows), Vec::<String>::new());
    }

    #[test]
    fn behind_within_the_spread_is_not_behind() {
        let near = row(
            Manner::KeepAlive,
            &[
                (Peer::VsnatTc, [100.0, 100.0]),
                (Peer::Nftables, [90.0, 120.0]),
            ],
        );
        let far = row(
            Manner::Udp,
            &[
                (Peer::VsnatTc, [100.0, 100.0]),
                (Peer::Nftables, [110.0, 120.0]),
            ],
        );
        let good = row(
            Manner::Udp,
            &[
                (Peer::VsnatTc, [200.0, 200.0]),
                (Peer::Nftables, [50.0, 50.0]),
            ],
        );
        assert!(missed(vec![near, good.clone()]).is_empty());
        let found = missed(vec![far, good]);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].contains("by more than the spread"), "{found:?}");
    }

    #[test]
    fn per_request_it_has_to_be_ahead() {
        let even = [
            (Peer::VsnatTc, [100.0, 100.0]),
            (Peer::Nftables, [100.0, 100.0]),
        ];
        let ahead = [
            (Peer::VsnatTc, [130.0, 130.0]),
            (Peer::Nftables, [100.0, 100.0]),
        ];
        let rows = vec![
            row(Manner::PerRequest, &even),
            row(Manner::KeepAlive, &ahead),
        ];
        let found = missed(rows);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].contains("connection-per-request"), "{found:?}");
    }

    #[test]
    fn the_median_row_is_held_against_plain_routing() {
        let slow = [
            (Peer::VsnatTc, [90.0, 90.0]),
            (Peer::Nftables, [50.0, 50.0]),
        ];
        let found = missed(vec![row(Manner::KeepAlive, &slow)]);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].contains("median row"), "{found:?}");
    }

    #[test]
    fn failures_and_idle_servers_are_told() {
        let ahead = [
            (Peer::VsnatTc, [130.0, 130.0]),
            (Peer::Nftables, [100.0, 100.0]),
        ];
        let mut rows = vec![row(Manner::KeepAlive, &ahead)];
        rows[0].runs[1].failed = 3;
        rows[0].runs[1].first_failure = Some("reset".to_owned());
        rows[0].runs[2].server_packets[3] = 0;
        let verdicts = verdicts(&report(rows));
        let told: Vec<&String> = verdicts.iter().flat_map(|v| &v.evidence).collect();
        assert!(!verdicts[0].met && !verdicts[1].met);
        assert!(
            told[0].contains("3 failed") && told[0].contains("reset"),
            "{told:?}"
        );
        assert!(told[1].contains("vsnat TC"), "{told:?}");
    }
}

//! The three forms of a report, on figures made up for the test.

use std::collections::BTreeMap;
use std::time::Duration;

use super::*;
use crate::experiment::UNHELD_REQUESTS;

fn run(target: Target, held: bool, requests: u64, requests_per_s: f64) -> Run {
    let servers: &[&str] = match target {
        Target::Rs => &["server1"],
        Target::Vs | Target::Routed => &["server1", "server2", "server3", "server4"],
    };
    let share = requests / servers.len() as u64;
    let named = servers.iter().map(|name| (name.to_string(), share));
    Run {
        name: format!("{}-{requests}", target.name()),
        target,
        held,
        requests,
        failed: 0,
        requests_per_s,
        transfer_kib_per_s: requests_per_s * 4.2,
        time_per_request_ms: 1000.0 / requests_per_s,
        document_bytes: 4100,
        per_server: named.collect::<BTreeMap<_, _>>(),
        elapsed_s: requests as f64 / requests_per_s,
        latency: Latency::default(),
        failures: Failures::default(),
        connections_at_servers: Some(requests),
    }
}

fn report() -> Report {
    let capacity = Capacity::OneAtATime {
        per_request: Duration::from_millis(4),
    };
    let servers = (1..=4).map(|n| (format!("server{n}"), format!("10.0.100.1{n}:80")));
    let mut report = Report::new(ServerKind::Embedded, capacity, servers.collect());
    for (target, factor) in [(Target::Rs, 1.0), (Target::Vs, 3.96)] {
        for (requests, rate) in [(100, 244.0), (1000, 249.0), (10_000, 249.8)] {
            report.runs.push(run(target, true, requests, rate * factor));
        }
    }
    for number in 0..UNHELD_RUNS {
        let noise = (number * 97 % 5) as f64 * 100.0;
        for (target, rate) in [(Target::Routed, 9000.0), (Target::Vs, 9300.0)] {
            report
                .runs
                .push(run(target, false, UNHELD_REQUESTS, rate + noise));
        }
    }
    report.commands = vec!["ipvsadm -A -t 192.168.28.167:80 -s rr".to_owned()];
    report.listing = "a listing with <angle> & ampersand\n".to_owned();
    report
}

/// Every tag is closed by its own, in order; every ampersand starts an entity.
fn assert_well_formed(text: &str) {
    let mut open = Vec::new();
    for part in text.split('<').skip(1) {
        let (tag, after) = part.split_once('>').expect("a tag ends");
        assert!(!after.contains('>'), "stray > in {after:?}");
        for entity in after.split('&').skip(1) {
            let known = ["amp;", "lt;", "gt;", "quot;"];
            assert!(known.iter().any(|k| entity.starts_with(k)), "&{entity}");
        }
        match tag.strip_prefix('/') {
            Some(name) => assert_eq!(open.pop(), Some(name), "closed in order"),
            None if tag.starts_with('!') || tag.ends_with('/') => {}
            None => open.push(tag.split_whitespace().next().unwrap()),
        }
    }
    assert!(open.is_empty(), "left open: {open:?}");
}

#[test]
fn svg_and_html_are_well_formed() {
    let report = report();
    for text in [
        svg::comparison(&report),
        svg::unheld(&report),
        html::page(&report),
    ] {
        assert_well_formed(&text);
        assert!(!text.contains("NaN") && !text.contains("inf"), "{text}");
    }
    assert!(html::page(&report).contains("with &lt;angle&gt; &amp; ampersand"));
    assert!(!html::page(&report).contains("href="), "self-contained");
}

#[test]
fn an_empty_report_is_rendered_too() {
    let mut report = report();
    report.runs.clear();
    for text in [
        svg::comparison(&report),
        svg::unheld(&report),
        html::page(&report),
    ] {
        assert_well_formed(&text);
    }
    assert_eq!(report.gain(), None);
    assert_eq!(report.comparison(), None);
}

#[test]
fn json_has_the_promised_fields() {
    let text = json(&report()).unwrap();
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    let runs = value["runs"].as_array().unwrap();
    assert_eq!(runs.len(), 6 + 2 * UNHELD_RUNS);
    for run in runs {
        assert!(run["name"].is_string() && run["held"].is_boolean());
        assert!(["rs", "vs", "routed"].contains(&run["target"].as_str().unwrap()));
        for field in ["requests", "failed", "document_bytes"] {
            assert!(run[field].is_u64(), "{field}");
        }
        for field in [
            "requests_per_s",
            "transfer_kib_per_s",
            "time_per_request_ms",
        ] {
            assert!(run[field].is_f64(), "{field}");
        }
        assert!(run["per_server"].is_object());
    }
    assert!((value["gain"]["times"].as_f64().unwrap() - 3.96).abs() < 1e-9);
}

#[test]
fn medians_and_gain_follow_from_the_runs() {
    let report = report();
    let comparison = report.comparison().unwrap();
    assert_eq!(comparison.routed_median_requests_per_s, 9200.0);
    assert_eq!(comparison.vs_median_requests_per_s, 9500.0);
    assert_eq!(report.gain().unwrap().requests, 10_000);
    assert!(report.all_met(), "{:?}", report.expectations());
}

#[test]
fn what_was_not_met_is_said() {
    let mut report = report();
    report.runs[4].failed = 1;
    report.runs[4].per_server.insert("server1".to_owned(), 252);
    report.runs[4].connections_at_servers = Some(1001);
    let not_met = |report: &Report| {
        let all = report.expectations().into_iter();
        all.filter(|expected| !expected.met).count()
    };
    assert_eq!(not_met(&report), 3);
    assert!(tables::conclusion(&report).contains("NOT MET"));
}

#[test]
fn tables_show_the_original_beside_the_run() {
    let text = tables::served(&report());
    for quoted in [
        "315.783", "238.043", "580.75", "71.24", "55.24", "131.60", "154 %", "138 %",
    ] {
        assert!(text.contains(quoted), "{quoted} is missing in\n{text}");
    }
    let bars: Vec<usize> = text
        .lines()
        .skip_while(|line| !line.starts_with("RS:"))
        .skip(1)
        .take(7)
        .map(|line| line.chars().position(|c| c == '│').unwrap())
        .collect();
    assert!(bars.windows(2).all(|pair| pair[0] == pair[1]), "{text}");
}

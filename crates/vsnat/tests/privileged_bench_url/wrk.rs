//! The same job done by `wrk` and by `vsnat bench`.

use std::process::Command;

use super::site::{Site, URL};

/// How often each has its turn; the best turn counts, which a busy machine
/// spoils least.
const TURNS: usize = 3;
/// Machine and build differ from run to run, this build is not an optimised one,
/// and both programs share their CPUs with the server. What must not happen is
/// a generator that is the bottleneck by an order of magnitude.
const FACTOR: f64 = 3.0;
/// wrk rounds the bytes it has read to three digits.
const ROUNDED: f64 = 0.02;

/// What one turn measured.
#[derive(Clone, Copy, Debug, Default)]
struct Turn {
    requests_per_s: f64,
    bytes_per_request: f64,
}

#[test]
fn bytes_are_those_of_wrk_and_the_pace_is_of_its_order() {
    let site = Site::start("wrk");
    let (mut ours, mut theirs) = (Turn::default(), Turn::default());
    for _ in 0..TURNS {
        theirs = better(theirs, by_wrk(&site));
        ours = better(ours, by_vsnat(&site));
    }
    let bytes = ours.bytes_per_request / theirs.bytes_per_request;
    assert!((bytes - 1.0).abs() < ROUNDED, "{ours:?} {theirs:?}");
    let pace = ours.requests_per_s / theirs.requests_per_s;
    assert!(
        (1.0 / FACTOR..FACTOR).contains(&pace),
        "{ours:?} {theirs:?}"
    );
}

fn better(one: Turn, other: Turn) -> Turn {
    match other.requests_per_s > one.requests_per_s {
        true => other,
        false => one,
    }
}

fn by_vsnat(site: &Site) -> Turn {
    let words = ["-k", "-c", "8", "--threads", "2", "-d", "1s", "--json", URL];
    let output = site.run(&mut Site::vsnat(&words));
    assert!(output.status.success(), "{output:?}");
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let number = |name: &str| report[name].as_f64().expect(name);
    assert_eq!(number("failed"), 0.0);
    Turn {
        requests_per_s: number("requests_per_s"),
        bytes_per_request: number("received_bytes") / number("complete"),
    }
}

fn by_wrk(site: &Site) -> Turn {
    let words = ["-t", "2", "-c", "8", "-d", "1s", URL];
    let output = site.run(Command::new("wrk").args(words));
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    let line = text.lines().find(|line| line.contains(" requests in "));
    let line = line.unwrap_or_else(|| panic!("{text}"));
    // "  40032 requests in 1.10s, 165.66MB read"
    let mut words = line.split_whitespace();
    let requests: f64 = words.next().unwrap().parse().unwrap();
    let read = words.nth_back(1).unwrap();
    let (digits, unit) = read.split_at(read.find(char::is_alphabetic).unwrap());
    let unit_bytes = match unit {
        "KB" => 1024.0,
        "MB" => 1024.0 * 1024.0,
        "GB" => 1024.0 * 1024.0 * 1024.0,
        _ => panic!("{text}"),
    };
    let rate = text
        .lines()
        .find_map(|line| line.strip_prefix("Requests/sec:"));
    Turn {
        requests_per_s: rate.unwrap().trim().parse().unwrap(),
        bytes_per_request: digits.parse::<f64>().unwrap() * unit_bytes / requests,
    }
}

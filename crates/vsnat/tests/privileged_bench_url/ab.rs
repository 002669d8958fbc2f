//! The same job done by `ab` and by `vsnat bench`.

use std::process::{Command, Output};

use super::fields::Fields;
use super::site::{DOCUMENT_BYTES, Site, URL};

const REQUESTS: u64 = 2000;
const CONNECTIONS: u64 = 8;

/// Whether connections carry one request or many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Keep {
    Alive,
    No,
}

fn words(keep: Keep) -> Vec<String> {
    let mut words: Vec<String> = vec!["-n".into(), REQUESTS.to_string()];
    words.extend(["-c".into(), CONNECTIONS.to_string()]);
    if keep == Keep::Alive {
        words.push("-k".into());
    }
    words.push(URL.into());
    words
}

fn report(output: &Output) -> Fields {
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    Fields::of(str::from_utf8(&output.stdout).unwrap())
}

#[test]
fn counts_and_bytes_are_those_of_ab() {
    let site = Site::start("ab");
    for keep in [Keep::No, Keep::Alive] {
        let words = words(keep);
        let theirs = report(&site.run(Command::new("ab").arg("-q").args(&words)));
        let their_log = site.take_log(REQUESTS);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let ours = report(&site.run(&mut Site::vsnat(&words)));
        let our_log = site.take_log(REQUESTS);

        // The same words mean the same, and nginx has seen the same.
        assert_eq!(our_log.requests, REQUESTS, "{keep:?}");
        assert_eq!(our_log, their_log, "{keep:?}");
        let connections = match keep {
            Keep::No => REQUESTS,
            Keep::Alive => CONNECTIONS,
        };
        assert_eq!(our_log.connections, connections);

        let mut alike = vec![
            "Server Software",
            "Server Hostname",
            "Server Port",
            "Document Path",
            "Document Length",
            "Concurrency Level",
            "Complete requests",
            "Failed requests",
            "Total transferred",
            "HTML transferred",
        ];
        if keep == Keep::Alive {
            alike.push("Keep-Alive requests");
        }
        for name in alike {
            assert_eq!(ours.text(name), theirs.text(name), "{name} with {keep:?}");
        }
        assert_eq!(ours.number("Document Length"), DOCUMENT_BYTES as f64);
    }
}

#[test]
fn what_reads_abs_report_reads_ours() {
    let site = Site::start("layout");
    let words = words(Keep::No);
    let theirs = report(&site.run(Command::new("ab").arg("-q").args(&words)));
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let ours = report(&site.run(&mut Site::vsnat(&words)));

    // Figures that differ from run to run have the same names and units.
    for name in [
        "Time taken for tests",
        "Requests per second",
        "Time per request",
        "Transfer rate",
    ] {
        assert!(
            ours.number(name) > 0.0 && theirs.number(name) > 0.0,
            "{name}"
        );
        assert_eq!(ours.remarks(name), theirs.remarks(name), "{name}");
    }
    for share in theirs.shares.keys() {
        assert!(ours.shares.contains_key(share), "{share}");
    }
    assert_eq!(
        ours.times.keys().collect::<Vec<_>>(),
        theirs.times.keys().collect::<Vec<_>>()
    );
    for (name, values) in &ours.times {
        assert_eq!(values.len(), theirs.times[name].len(), "{name}");
    }

    // They belong together as in ab's.
    let elapsed_s = ours.number("Time taken for tests");
    let per_s = ours.number("Requests per second");
    assert!((per_s * elapsed_s - REQUESTS as f64).abs() < 0.01 * REQUESTS as f64);
    let kib_per_s = ours.number("Total transferred") / elapsed_s / 1024.0;
    assert!((ours.number("Transfer rate") / kib_per_s - 1.0).abs() < 0.01);
    assert!(ours.shares["50%"] <= ours.shares["99%"]);
    assert_eq!(ours.shares["100%"], ours.times["Total"][4]);
}

//! How the program ends, and what it asks for on the way.

use std::io::Read;
use std::process::Stdio;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::site::{SOURCES, Site, URL};

#[test]
fn an_open_loop_tells_both_latencies() {
    let site = Site::start("open");
    let words = ["-r", "400", "-n", "200", "-c", "10", "-k", URL];
    let output = site.run(&mut Site::vsnat(&words));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}");
    assert!(text.contains("Rate asked for:         400.00"), "{text}");
    assert!(
        text.contains("Corrected latency, from the moment"),
        "{text}"
    );
    let words = [&words[..], &["--json"]].concat();
    let output = site.run(&mut Site::vsnat(&words));
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["complete"], 200);
    assert_eq!(report["rate_per_s"], 400.0);
    assert!(report["corrected"]["p999_ms"].as_f64() >= report["total"]["p50_ms"].as_f64());
    assert_eq!(site.take_log(400).requests, 400);
}

#[test]
fn every_source_address_is_used() {
    let site = Site::start("sources");
    let words = ["-n", "140", "-c", "4", "--source", SOURCES, URL];
    let output = site.run(&mut Site::vsnat(&words));
    assert!(output.status.success(), "{output:?}");
    let log = site.take_log(140);
    // A network of 16 has 14 hosts.
    assert_eq!(log.clients.len(), 14, "{log:?}");
    assert!(
        log.clients.values().all(|requests| *requests == 10),
        "{log:?}"
    );
}

#[test]
fn failures_are_told_and_end_in_failure() {
    let site = Site::start("failures");
    let missing = URL.replace("document", "missing");
    let output = site.run(&mut Site::vsnat(&["-n", "10", &missing]));
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stdout).unwrap();
    for line in ["Failed requests:        10", "Non-2xx responses:      10"] {
        assert!(text.contains(line), "{text}");
    }
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("10 of 10 requests failed"), "{said}");
    assert!(said.contains("404"), "{said}");
    let expected = ["-n", "10", "--status", "404", &missing];
    assert!(site.run(&mut Site::vsnat(&expected)).status.success());

    let output = site.run(&mut Site::vsnat(&["-n", "3", "http://198.51.100.1:1/"]));
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        text.contains("(Connect: 3, Receive: 0, Length: 0"),
        "{text}"
    );
}

#[test]
fn an_interrupt_prints_what_was_measured() {
    let site = Site::start("interrupt");
    let mut command = Site::vsnat(&["-d", "10min", "-c", "2", URL]);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = site.spawn(&mut command);
    assert!(site.take_log(1).requests > 0, "nothing was sent");
    let interrupted = Instant::now();
    kill(Pid::from_raw(child.id() as i32), Signal::SIGINT).unwrap();
    let mut text = String::new();
    let mut out = child.stdout.take().unwrap();
    out.read_to_string(&mut text).unwrap();
    let mut said = String::new();
    let mut err = child.stderr.take().unwrap();
    err.read_to_string(&mut said).unwrap();
    let status = child.wait().unwrap();
    assert!(interrupted.elapsed() < Duration::from_secs(60));
    assert!(status.success(), "{said}");
    assert!(text.contains("Complete requests:"), "{text}");
    assert!(!text.contains("Complete requests:      0\n"), "{text}");
    // Progress is for terminals.
    assert_eq!(said, "");
}

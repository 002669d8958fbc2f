//! `vsnat plan` with given figures, which needs neither root nor a director.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

fn plan(words: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_vsnat"));
    // No director of this machine is asked.
    let command = command.env("VSNAT_SOCKET", "/nonexistent/vsnat.sock");
    let words = words.split_whitespace();
    command.arg("plan").args(words).output().unwrap()
}

fn text(words: &str) -> String {
    let output = plan(words);
    assert!(output.status.success(), "{words}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn refusal(words: &str) -> String {
    let output = plan(words);
    assert!(!output.status.success(), "{words}: {output:?}");
    String::from_utf8(output.stderr).unwrap()
}

fn json(words: &str) -> Value {
    serde_json::from_str(&text(&format!("{words} --json"))).unwrap()
}

/// The words of the line that begins like this.
fn line<'a>(text: &'a str, beginning: &str) -> Vec<&'a str> {
    let mut lines = text.lines();
    let line = lines.find_map(|line| line.strip_prefix(beginning));
    let line = line.unwrap_or_else(|| panic!("no line {beginning}: {text}"));
    line.split_whitespace().collect()
}

#[test]
fn the_originals_figures_give_its_result() {
    let text = text("--original");
    let cpu = line(&text, "the director's CPU ");
    assert_eq!(cpu, ["10,000", "14.3", "MiB/s", "48", "1.0", "x"]);
    assert!(
        text.contains("First to give out: the director's CPU, at 14.3 MiB/s, which is 48 servers"),
        "{text}"
    );
    assert!(
        text.contains("a bandwidth of 14.3 MB/s, which allows up to 48 real servers"),
        "{text}"
    );
    assert!(text.contains("the CPU: 48 servers"), "{text}");
}

#[test]
fn the_originals_servers_and_another_translation() {
    let text = text("--original --translation 100ns");
    let cpu = line(&text, "the director's CPU ");
    assert_eq!(cpu, ["10,000,000", "14.0", "GiB/s", "48,800", "1.0", "x"]);
    assert!(!text.contains("original's words"), "{text}");
    assert!(text.contains("by the programs alone"), "{text}");
}

#[test]
fn every_part_is_told_and_the_lowest_gives_out_first() {
    let text = text(
        "--path 2us --translation 120ns --packet-bytes 1500 --packets-back 0.5 --cpus 4 \
         --server-rate 60MB/s --outer-link 10Gbit/s --inner-link 25Gbps",
    );
    // 2 µs, and half of that for the packet back: 3 µs for 1,500 bytes.
    let one = line(&text, "the director's CPU ");
    assert_eq!(one, ["500,000", "500", "MB/s", "8"]);
    let four = line(&text, "the director's 4 CPUs ");
    assert_eq!(four, ["2,000,000", "2", "GB/s", "33", "1.6", "x"]);
    let outer = line(&text, "the outer link ");
    assert_eq!(outer, ["1,220,000", "1.22", "GB/s", "20", "1.0", "x"]);
    let alone = line(&text, "all CPUs, by the programs alone ");
    assert_eq!(alone, ["33,300,000", "33.3", "GB/s", "555", "27.3", "x"]);
    assert!(
        text.contains("First to give out: the outer link, at 1.22 GB/s, which is 20 servers"),
        "{text}"
    );
    assert!(text.contains("inner links: 50 servers"), "{text}");
}

#[test]
fn few_servers_give_out_first() {
    let text = text("--original --servers 4");
    let servers = line(&text, "the servers themselves ");
    assert_eq!(servers, ["819", "1.17", "MiB/s", "4", "1.0", "x"]);
    let cpu = line(&text, "the director's CPU ");
    assert_eq!(cpu[4..], ["12.2", "x"]);
    assert!(text.contains("The servers give out first: all 4"), "{text}");
    assert!(
        text.contains("beyond the picture: the CPU, 14.3 MiB/s"),
        "{text}"
    );
}

#[test]
fn links_that_are_not_known_are_no_limit_and_are_asked_for() {
    let text = text("--translation 100ns --cpus 2 --outer lo --inner vsnat-none0");
    assert_eq!(
        line(&text, "outer link  ").join(" "),
        "lo unknown, it is virtual; say it by --outer-link"
    );
    assert_eq!(
        line(&text, "inner links ").join(" "),
        "vsnat-none0 unknown, there is no such interface; say it by --inner-link"
    );
    assert!(text.contains("100 MB/s each (assumed"), "{text}");
    assert!(
        text.contains("First to give out: the director's 2 CPUs"),
        "{text}"
    );
}

#[test]
fn openings_of_connections_are_counted() {
    let long = json("--translation 100ns --cpus 1");
    let words = "--translation 100ns --cpus 1 --connection-bytes 3000 --opening 1500ns";
    let short = json(words);
    let carried = |json: &Value| json["answer"]["bytes_per_s"].as_f64().unwrap();
    // 150 ns for 1,500 bytes; 300 ns, 1,500 ns and seven packets for 3,000.
    assert_eq!(carried(&long).round(), 1e10);
    assert_eq!(carried(&short).round(), (3_000.0_f64 / 2.5e-6).round());
}

#[test]
fn json_is_in_base_units() {
    let json = json("--original --outer-link 100Mbit/s");
    assert_eq!(json["answer"]["first"], "outer_link");
    assert_eq!(json["answer"]["servers"], 39);
    assert_eq!(json["inputs"]["outer"]["bytes_per_s"], 12_500_000.0);
    let programs = &json["inputs"]["price"]["programs_alone"];
    assert_eq!(programs["to_client_ns"], 100_000.0);
    assert_eq!(programs["source"], "original");
    let kinds: Vec<&str> = json["answer"]["limits"]
        .as_array()
        .unwrap()
        .iter()
        .map(|limit| limit["kind"].as_str().unwrap())
        .collect();
    assert_eq!(kinds, ["outer_link", "one_cpu", "all_cpus"]);
}

#[test]
fn the_curve_is_drawn_into_a_file() {
    let file = std::env::temp_dir().join(format!("vsnat-plan-{}.svg", std::process::id()));
    text(&format!("--original --svg {}", file.display()));
    let figure = fs::read_to_string(&file).unwrap();
    fs::remove_file(&file).unwrap();
    assert!(figure.starts_with("<svg") && figure.ends_with("</svg>\n"));
    assert!(
        figure.contains("the CPU: 14.3 MiB/s, 48 servers"),
        "{figure}"
    );
    let said = refusal("--original --svg /nonexistent/curve.svg");
    assert!(
        said.contains("cannot write /nonexistent/curve.svg"),
        "{said}"
    );
}

#[test]
fn what_makes_no_sense_is_refused_with_advice() {
    let cases = [
        ("--original --server-rate 300", "300kB/s"),
        ("--original --server-rate 0kB/s", "300kB/s"),
        ("--translation 100", "100us"),
        ("--original --packet-bytes 39", "40..=65535"),
        ("--original --packets-back=-1", "0.5"),
        ("--original --cpus 0", "1.."),
        ("--original --servers 0", "1.."),
        ("--original --opening 1us", "--connection-bytes"),
        ("--original --connection-bytes 4100", "--opening"),
    ];
    for (words, advice) in cases {
        let said = refusal(words);
        assert!(said.contains(advice), "{words}: {said}");
    }
}

#[test]
fn the_documents_show_what_is_printed() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs");
    let mut compared = 0;
    for document in ["commands.md", "seed.md"] {
        let document = fs::read_to_string(root.join(document)).unwrap();
        for example in document.split("$ vsnat plan ").skip(1) {
            let (words, shown) = example.split_once('\n').unwrap();
            let until = shown.find(['$', '`']).unwrap_or(shown.len());
            let shown = shown[..until].trim_end();
            let printed = text(words);
            assert!(printed.starts_with(shown), "{words}:\n{shown}\n{printed}");
            compared += usize::from(!shown.is_empty());
        }
    }
    assert_eq!(compared, 2, "examples with their output");
}

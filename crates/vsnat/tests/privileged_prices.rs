//! What is measured for `vsnat plan`, and compared by `vsnat bench regression`.
//! Needs root and the built eBPF object.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};

fn vsnat(words: &[&str]) -> Output {
    assert!(
        nix::unistd::geteuid().is_root(),
        "this test loads eBPF programs and needs root: run it with sudo"
    );
    let mut command = Command::new(env!("CARGO_BIN_EXE_vsnat"));
    let command = command.env("VSNAT_SOCKET", "/nonexistent/vsnat.sock");
    command.args(words).output().unwrap()
}

fn committed() -> Vec<Value> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let text = fs::read_to_string(root.join("docs/performance/packet.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// Compares with figures that are so many times the committed ones.
fn compare(factor: f64) -> Output {
    let mut figures = committed();
    for figure in &mut figures {
        let multiple = figure["multiple"].as_f64().unwrap();
        figure["multiple"] = json!(multiple * factor);
    }
    compare_with(&figures)
}

fn compare_with(figures: &[Value]) -> Output {
    let file = Scratch::new();
    fs::write(&file.0, serde_json::to_string(figures).unwrap()).unwrap();
    vsnat(&["bench", "regression", file.0.to_str().unwrap()])
}

struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Self {
        let name = format!("vsnat-prices-{}.json", std::process::id());
        Scratch(std::env::temp_dir().join(name))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What is left over is a small file in the temporary folder.
        let _ = fs::remove_file(&self.0);
    }
}

#[test]
fn a_plan_measures_this_machine() {
    let output = vsnat(&["plan", "--json"]);
    assert!(output.status.success(), "{output:?}");
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    let programs = &json["inputs"]["price"]["programs_alone"];
    assert_eq!(programs["source"], "measured");
    for direction in ["to_client_ns", "to_server_ns"] {
        assert!(programs[direction].as_f64().unwrap() >= 1.0, "{json}");
    }
    let first = json["answer"]["first"].as_str().unwrap();
    assert_eq!(first, "all_cpus", "no link is known: {json}");
}

#[test]
fn what_is_not_slower_passes() {
    let output = compare(100.0);
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{said}");
    assert!(said.contains("no case is more than 20 % over"), "{said}");
    assert!(said.contains("more than 20 % faster"), "{said}");
}

#[test]
fn what_is_slower_each_time_fails_by_name() {
    let output = compare(0.01);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("established, to the client: "), "{said}");
    assert!(said.contains("in 3 measurements, committed 0."), "{said}");
    assert!(said.contains("commit a new whole run"), "{said}");
}

#[test]
fn cases_of_one_side_only_are_refused() {
    let mut figures = committed();
    figures.retain(|figure| figure["case"] != "established, to the client");
    let output = compare_with(&figures);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    let missing = "the committed run has no case \"established, to the client\"";
    assert!(said.contains(missing), "{said}");
}

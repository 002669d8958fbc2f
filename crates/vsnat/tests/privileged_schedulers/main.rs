//! Every recorded order of Linux IPVS, connection by connection, replayed
//! through the packet path of a running director. Needs root and the built
//! eBPF object.
//!
//! Each recording is a test of its own name. They share one cluster, with a
//! service of its own for each, and take turns.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod bench;
mod recording;
#[path = "../scenario/mod.rs"]
#[allow(dead_code, reason = "shared with the other scenarios")]
mod scenario;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use libtest_mimic::{Arguments, Failed, Trial};

use crate::bench::Bench;
use crate::recording::{Outcome, Recording, Row};

/// Built by the first test that runs, removed after the last.
type SharedBench = Arc<Mutex<Option<Bench>>>;

fn main() {
    let bench = SharedBench::default();
    let trials = recordings()
        .into_iter()
        .map(|path| {
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            let bench = bench.clone();
            Trial::test(name, move || replay(&bench, &path))
        })
        .collect();
    let conclusion = libtest_mimic::run(&Arguments::from_args(), trials);
    drop(locked(&bench).take());
    conclusion.exit();
}

fn recordings() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recorded/schedulers");
    let files = fs::read_dir(folder)
        .unwrap()
        .map(|file| file.unwrap().path());
    let mut paths: Vec<PathBuf> = files.collect();
    paths.sort();
    assert!(!paths.is_empty(), "the recordings are missing");
    paths
}

fn replay(bench: &SharedBench, path: &Path) -> Result<(), Failed> {
    let recording = Recording::parse(&fs::read_to_string(path).unwrap());
    let mut bench = locked(bench);
    let bench = bench.get_or_insert_with(Bench::new);
    bench.add_service(&recording);
    let (order, held) = bench.connect(&recording);
    if recording.is_random() {
        return plausible(bench, &recording, &order);
    }
    equal("order", &recording.order, &order)?;
    let rows = bench.settled_rows(&recording);
    drop(held);
    equal("servers", &recording.rows, &rows)
}

/// Where chance decides, the table has to agree with what the client saw.
fn plausible(bench: &Bench, recording: &Recording, order: &[Outcome]) -> Result<(), Failed> {
    let rows = recording.rows.iter().map(|row| {
        let number = row.server.ip().octets()[3] - 10;
        let reached = order.iter().filter(|o| **o == Outcome::Server(number));
        Row {
            inactive: reached.count() as u32,
            ..row.clone()
        }
    });
    let rows: Vec<Row> = rows.collect();
    let seen: u32 = rows.iter().map(|row| row.inactive).sum();
    equal("connections", &(recording.order.len() as u32), &seen)?;
    equal("servers", &rows, &bench.rows(recording))
}

fn equal<T: PartialEq + std::fmt::Debug>(what: &str, recorded: &T, ours: &T) -> Result<(), Failed> {
    if recorded == ours {
        return Ok(());
    }
    Err(format!("{what}: recorded {recorded:?}\nours {ours:?}").into())
}

/// A test that failed has left nothing half done that others would meet.
fn locked(bench: &SharedBench) -> std::sync::MutexGuard<'_, Option<Bench>> {
    bench.lock().unwrap_or_else(PoisonError::into_inner)
}

//! `vsnat bench scale` in small: every part can be measured, and what must be
//! exact is so. How fast it is, a test does not ask. Needs root, the built
//! eBPF object and two CPUs.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test fails by panicking and tells its figures"
)]

use std::path::PathBuf;
use std::time::Duration;

use vsnat_bench::scale::{Goal, Part, Row, Setup, Sizes, Verdict, scale};

#[test]
fn every_part_is_measured_in_small() {
    let setup = Setup {
        sizes: Sizes {
            connections: 20_000,
            expiring: 18_000,
            lead: Duration::from_secs(3),
            idle: Duration::from_millis(100),
            refused: 1_000,
            services: 200,
            servers_each: 10,
            servers_of_one: 64,
            changes: 20,
            flood_slices: 1,
            flood_slice: Duration::from_millis(200),
        },
        parts: Part::ALL.to_vec(),
        object: None,
        vsnat: PathBuf::from(env!("CARGO_BIN_EXE_vsnat")),
    };
    let mut tell = |row: &Row| println!("{}: {} {}", row.case, row.value, row.unit);
    let rows = scale(&setup, &mut tell).unwrap();
    for row in &rows {
        if matches!(row.goal, Some(Goal::Exactly(_))) {
            assert_eq!(row.verdict, Verdict::Met, "{row:?}");
        }
    }
    let bytes = |row: &&Row| row.unit == "B";
    assert!(rows.iter().filter(bytes).count() >= 3);
    let traffic = |row: &&Row| row.case.starts_with("bulk transfer") && row.unit == "B/s";
    assert!(rows.iter().filter(traffic).all(|row| row.value > 0.0));
}

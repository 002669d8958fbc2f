//! Many connections: each is counted, each goes one way, and each gives its
//! slot back. Needs root, the built eBPF object and two CPUs.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking and tells its figures"
)]

#[path = "../bed/mod.rs"]
mod bed;
mod changes;
mod churn;
mod clients;
mod closed;
mod cpus;
mod listing;
mod same_flows;
mod streams;
mod two_vips;

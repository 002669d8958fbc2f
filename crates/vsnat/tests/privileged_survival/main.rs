//! The data plane without its director, and under a change of directors: no
//! request may notice. Needs root and both built eBPF objects.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking and tells its figures"
)]

#[path = "../bed/mod.rs"]
mod bed;
mod held;
mod killed;
mod pinned;
mod replaced;
mod web;

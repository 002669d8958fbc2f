//! Other people's programs, as Debian packs them and unmodified, over a running
//! director: what drives ipvsadm, what saves its table, and what reads its
//! listings and IPVS's files. Needs root, the built eBPF object, and the
//! programs, which `cargo xtask setup` unpacks.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod counters;
mod host;
mod ldirectord;
mod munin;
mod netdata;
mod node_exporter;
mod process;
mod programs;
mod saving;
#[allow(dead_code, reason = "not every question is asked here")]
#[path = "../scenario/mod.rs"]
mod scenario;
mod site;

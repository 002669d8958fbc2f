//! Services of every kind with real clients and real servers: persistence,
//! thresholds, marks, single packets, SCTP, and the settings that change what
//! becomes of a packet. Needs root and the built eBPF object.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod all_ports;
mod marks;
mod one_packet;
mod peers;
mod persistence;
mod reuse;
#[path = "../scenario/mod.rs"]
#[allow(dead_code, reason = "shared with the other scenarios")]
mod scenario;
mod sctp;
mod settings;
mod thresholds;

//! Real TCP and UDP peers in namespaces, with a running director between them:
//! what arrives, unchanged or translated, and what is refused. Needs root and
//! the built eBPF object.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod addresses;
mod all_ports;
mod assorted;
mod beyond;
mod bulk;
mod by_mark;
mod divided;
mod frame;
mod greeting;
mod links;
mod packet_socket;
mod pieces;
mod refusals;
mod routed;
#[path = "../scenario/mod.rs"]
#[allow(dead_code, reason = "shared with the other scenarios")]
mod scenario;
mod six;
mod strangers;
mod untouched;
mod within;
mod xdp;

//! The host's own translation: masquerade and forwarded ports, with real
//! traffic. Needs root and the built eBPF object.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod bench;
mod forwards;
mod masquerade;

//! `vsnat doctor` in set-ups that are broken on purpose: it finds what is
//! wrong, names it, and the command that it prints mends it, which is tried by
//! running that command where it says. Needs root and the built eBPF object.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod cases;
mod patient;
#[path = "../scenario/mod.rs"]
#[allow(dead_code, reason = "shared with the other scenarios")]
mod scenario;

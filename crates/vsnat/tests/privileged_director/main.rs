//! The executable as a director: started, asked, ended in every way, on a host
//! of its own made of namespaces. Needs root and the built eBPF object.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod addresses;
mod bench;
mod crashes;
mod ending;
mod proc;
mod refusing;
mod serving;
mod settings;
mod six;
mod unit;
mod xdp;

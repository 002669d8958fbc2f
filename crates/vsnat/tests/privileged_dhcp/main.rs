//! Addresses by DHCP for real clients on a link of namespaces. Needs root, the
//! built eBPF object, and the clients of Debian.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod bench;
mod clients;
mod enrolling;
mod load;
mod refusing;
mod serving;

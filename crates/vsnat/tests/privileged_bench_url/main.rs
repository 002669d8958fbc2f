//! `vsnat bench URL` beside `ab` and `wrk`, each loading the same nginx: what
//! they count must be the same, and a program that reads ab's report reads ours.
//! Needs root, for a network namespace, and these three programs: `cargo xtask
//! setup` brings them.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod ab;
mod endings;
mod fields;
mod site;
mod wrk;

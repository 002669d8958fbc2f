//! FTP through the director with clients and servers that are not ours: every
//! way of opening data connections, and what happens to them when something
//! else ends. Needs root, the built eBPF object, and the programs, which
//! `cargo xtask setup` brings.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking, and says what a client cannot do"
)]

mod cells;
mod clients;
mod control;
mod endings;
mod lives;
#[allow(dead_code, reason = "not every question is asked here")]
#[path = "../privileged_others/process.rs"]
mod process;
#[allow(dead_code, reason = "perl is not needed here")]
#[path = "../privileged_others/programs.rs"]
mod programs;
#[allow(dead_code, reason = "not every question is asked here")]
#[path = "../scenario/mod.rs"]
mod scenario;
mod secrets;
mod site;

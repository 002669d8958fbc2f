//! Whether this process may do what a director does.

use std::fs;

use thiserror::Error;

/// Where the kernel tells the capabilities of the calling thread.
const STATUS: &str = "/proc/thread-self/status";

/// Name and number (linux/capability.h) of every capability without a stand-in.
const NEEDED: [(&str, u32); 2] = [("CAP_NET_ADMIN", 12), ("CAP_NET_RAW", 13)];
const CAP_SYS_ADMIN: u32 = 21;
const CAP_PERFMON: u32 = 38;
const CAP_BPF: u32 = 39;

/// The process lacks a capability.
#[derive(Debug, Error)]
#[error("this needs root; run it with sudo (missing: {missing})")]
pub struct PrivilegeError {
    missing: String,
}

/// Checks the capabilities rather than the user, so that a service manager may
/// grant just these.
pub(crate) fn check() -> Result<(), PrivilegeError> {
    let held = effective().unwrap_or(0);
    let has = |number: u32| held & (1 << number) != 0;
    let mut missing: Vec<&str> = NEEDED
        .into_iter()
        .filter(|(_, number)| !has(*number))
        .map(|(name, _)| name)
        .collect();
    let may_load = has(CAP_SYS_ADMIN) || (has(CAP_BPF) && has(CAP_PERFMON));
    if !may_load {
        missing.push("CAP_BPF with CAP_PERFMON");
    }
    if missing.is_empty() {
        return Ok(());
    }
    Err(PrivilegeError {
        missing: missing.join(", "),
    })
}

fn effective() -> Option<u64> {
    let status = fs::read_to_string(STATUS).ok()?;
    let line = status.lines().find_map(|l| l.strip_prefix("CapEff:"))?;
    u64::from_str_radix(line.trim(), 16).ok()
}

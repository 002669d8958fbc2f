//! The empty program that drops what comes in: the least that a packet can
//! cost a host that does not want it.

use std::io;
use std::process::Command;

use crate::scale::ScaleError;

/// "Return 2", in the kernel's classic notation: the verdict to drop.
const DROP: &str = "1,6 0 0 2,";

/// Drops everything that comes in by `interface`.
pub fn close(interface: &str) -> Result<(), ScaleError> {
    tc(&["qdisc", "replace", "dev", interface, "clsact"])?;
    let filter = ["bpf", "da", "bytecode", DROP];
    tc(&[&["filter", "add", "dev", interface, "ingress"][..], &filter].concat())
}

/// Lets it in again.
pub fn open(interface: &str) -> Result<(), ScaleError> {
    tc(&["filter", "del", "dev", interface, "ingress"])
}

fn tc(arguments: &[&str]) -> Result<(), ScaleError> {
    let doing = "drop the flood at its entry by tc (package iproute2)";
    let done = Command::new("tc").args(arguments).output();
    let done = done.map_err(ScaleError::io(doing))?;
    if done.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&done.stderr).trim().to_owned();
    Err(ScaleError::io(doing)(io::Error::other(said)))
}

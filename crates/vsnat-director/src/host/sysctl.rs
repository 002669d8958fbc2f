//! Settings of IPv4 and IPv6: read, written, and set back.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// The sysctls of IPv4; `/proc/sys/net` shows those of the reader's namespace.
const SYSCTL: &str = "/proc/sys/net/ipv4";

/// Those of IPv6, and how a switch of theirs begins.
const SYSCTL6: &str = "/proc/sys/net/ipv6";
const IPV6: &str = "ipv6/";

/// A switch and its value, the switch named relative to the IPv4 sysctls, or as
/// `ipv6/…`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Setting {
    pub switch: String,
    pub value: String,
}

pub(super) fn path_of(switch: &str) -> PathBuf {
    match switch.strip_prefix(IPV6) {
        Some(switch) => Path::new(SYSCTL6).join(switch),
        None => Path::new(SYSCTL).join(switch),
    }
}

pub(super) fn read(switch: String) -> io::Result<Setting> {
    let value = fs::read_to_string(path_of(&switch))?.trim().to_owned();
    Ok(Setting { switch, value })
}

/// Writes only what differs: a write of `ip_forward` has side effects.
pub(super) fn write(switch: &str, value: &str) -> io::Result<()> {
    let path = path_of(switch);
    if fs::read_to_string(&path)?.trim() == value {
        return Ok(());
    }
    fs::write(path, value)
}

/// Sets every switch back; one whose interface is gone needs nothing.
pub fn restore(settings: &[Setting]) -> io::Result<()> {
    for Setting { switch, value } in settings {
        match write(switch, value) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            result => result?,
        }
    }
    Ok(())
}

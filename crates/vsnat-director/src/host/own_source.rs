//! Servers' packets that the host divides for a narrower link.
//!
//! The packet path hands them to the host translated, so they come in by an
//! inner interface and from the VIP, an address of the host's own. The host
//! believes that only where `accept_local` is on.

use std::io;

use super::sysctl::{self, Setting};

const ON: &str = "1";

/// The switches of these interfaces as they are now.
pub fn found<'a>(interfaces: impl Iterator<Item = &'a str>) -> io::Result<Vec<Setting>> {
    interfaces
        .map(|interface| sysctl::read(switch_of(interface)))
        .collect()
}

/// Has the host route what comes from an address of its own.
pub fn accept(interface: &str) -> io::Result<()> {
    sysctl::write(&switch_of(interface), ON)
}

fn switch_of(interface: &str) -> String {
    format!("conf/{interface}/accept_local")
}

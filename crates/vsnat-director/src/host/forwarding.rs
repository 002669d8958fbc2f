//! IPv4 forwarding, globally and for each interface.
//!
//! Writing `ip_forward` overwrites the switch of every interface
//! (`inet_forward_change`), so all of them are noted before and set back after.

use std::fs;
use std::io;

use super::sysctl::{self, Setting};

const GLOBAL: &str = "ip_forward";
const ON: &str = "1";

/// Every forwarding switch as it is now, the global one first.
pub fn found() -> io::Result<Vec<Setting>> {
    let mut settings = vec![sysctl::read(GLOBAL.to_owned())?];
    let mut interfaces: Vec<String> = fs::read_dir(sysctl::path_of("conf"))?
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        // `all` is `ip_forward` under another name.
        .filter(|name| name != "all")
        .collect();
    interfaces.sort();
    for interface in interfaces {
        settings.push(sysctl::read(switch_of(&interface))?);
    }
    Ok(settings)
}

/// Switches forwarding on, for the host and for these interfaces.
pub fn enable(interfaces: &[&str]) -> io::Result<()> {
    sysctl::write(GLOBAL, ON)?;
    for interface in interfaces {
        sysctl::write(&switch_of(interface), ON)?;
    }
    Ok(())
}

/// The first switch that is off and cannot be written; changes nothing.
pub fn refused<'a>(
    found: &[Setting],
    interfaces: impl Iterator<Item = &'a str>,
) -> Option<(String, io::Error)> {
    let switches = std::iter::once(GLOBAL.to_owned()).chain(interfaces.map(switch_of));
    let is_on = |switch: &String| {
        let is_on = |setting: &&Setting| setting.switch == *switch && setting.value == ON;
        found.iter().any(|setting| is_on(&setting))
    };
    let mut off = switches.filter(|switch| !is_on(switch));
    off.find_map(|switch| {
        let path = sysctl::path_of(&switch);
        let opened = fs::OpenOptions::new().write(true).open(&path);
        opened
            .err()
            .map(|error| (path.display().to_string(), error))
    })
}

fn switch_of(interface: &str) -> String {
    format!("conf/{interface}/forwarding")
}

//! IPv4 forwarding, globally and for each interface.
//!
//! Writing `ip_forward` overwrites the switch of every interface
//! (`inet_forward_change`), so all of them are noted before and set back after.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// The sysctls of IPv4; `/proc/sys/net` shows those of the reader's namespace.
const SYSCTL: &str = "/proc/sys/net/ipv4";
const GLOBAL: &str = "ip_forward";
const ON: &str = "1";

/// A switch and its value, the switch named relative to the IPv4 sysctls.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Setting {
    pub switch: String,
    pub value: String,
}

/// Every forwarding switch as it is now, the global one first.
pub fn found() -> io::Result<Vec<Setting>> {
    let mut settings = vec![read(GLOBAL.to_owned())?];
    let mut interfaces: Vec<String> = fs::read_dir(Path::new(SYSCTL).join("conf"))?
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        // `all` is `ip_forward` under another name.
        .filter(|name| name != "all")
        .collect();
    interfaces.sort();
    for interface in interfaces {
        settings.push(read(switch_of(&interface))?);
    }
    Ok(settings)
}

/// Switches forwarding on, for the host and for these interfaces.
pub fn enable(interfaces: &[&str]) -> io::Result<()> {
    write(GLOBAL, ON)?;
    for interface in interfaces {
        write(&switch_of(interface), ON)?;
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
        let path = path_of(&switch);
        let opened = fs::OpenOptions::new().write(true).open(&path);
        opened
            .err()
            .map(|error| (path.display().to_string(), error))
    })
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

fn switch_of(interface: &str) -> String {
    format!("conf/{interface}/forwarding")
}

fn path_of(switch: &str) -> PathBuf {
    Path::new(SYSCTL).join(switch)
}

fn read(switch: String) -> io::Result<Setting> {
    let value = fs::read_to_string(path_of(&switch))?.trim().to_owned();
    Ok(Setting { switch, value })
}

/// Writes only what differs: a write of `ip_forward` has side effects.
fn write(switch: &str, value: &str) -> io::Result<()> {
    let path = path_of(switch);
    if fs::read_to_string(&path)?.trim() == value {
        return Ok(());
    }
    fs::write(path, value)
}

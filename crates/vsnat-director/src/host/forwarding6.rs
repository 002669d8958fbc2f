//! IPv6 forwarding, and what goes with it.
//!
//! Writing `all/forwarding` overwrites the switch of every interface. An
//! interface that forwards takes no more router advertisements, by which a host
//! may have its own default route: those that did are told to go on (2). The
//! neighbour timers are shortened as those of IPv4 are, see
//! [`super::neighbours`]. Nothing of this is done for a director of IPv4 alone.

use std::fs;
use std::io;

use super::neighbours;
use super::sysctl::{self, Setting};

const INTERFACES: &str = "ipv6/conf";
/// Sets that of every interface.
const GLOBAL: &str = "ipv6/conf/all/forwarding";
const ON: &str = "1";

/// Values of `accept_ra`: only where nothing is forwarded, and anyhow.
const ACCEPT_AS_HOST: &str = "1";
const ACCEPT_ANYHOW: &str = "2";

/// Every switch as it is now, in the order in which they are to be set back.
pub fn found<'a>(inner: impl Iterator<Item = &'a str>) -> io::Result<Vec<Setting>> {
    let mut settings = vec![sysctl::read(GLOBAL.to_owned())?];
    let interfaces = interfaces()?;
    for switch in ["forwarding", "accept_ra"] {
        for interface in &interfaces {
            settings.push(sysctl::read(switch_of(interface, switch))?);
        }
    }
    for interface in inner {
        settings.extend(neighbours::found6(interface)?);
    }
    Ok(settings)
}

/// Switches forwarding on, for the host and for these interfaces.
pub fn enable<'a>(all: impl Iterator<Item = &'a str>) -> io::Result<()> {
    for interface in interfaces()? {
        let accept = switch_of(&interface, "accept_ra");
        if sysctl::read(accept.clone())?.value == ACCEPT_AS_HOST {
            sysctl::write(&accept, ACCEPT_ANYHOW)?;
        }
    }
    sysctl::write(GLOBAL, ON)?;
    for interface in all {
        sysctl::write(&switch_of(interface, "forwarding"), ON)?;
    }
    Ok(())
}

fn interfaces() -> io::Result<Vec<String>> {
    let entries = fs::read_dir(sysctl::path_of(INTERFACES))?.flatten();
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    let mut names: Vec<String> = names.filter(|name| name != "all").collect();
    names.sort();
    Ok(names)
}

fn switch_of(interface: &str, switch: &str) -> String {
    format!("{INTERFACES}/{interface}/{switch}")
}

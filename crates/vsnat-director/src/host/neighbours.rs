//! How soon a real server's new hardware address is noticed.
//!
//! The kernel believes in a neighbour for up to 45 s after its last answer,
//! whatever is sent to it meanwhile, and probes for another 8 s before it asks
//! everybody. A server that comes back with another card would be lost for as
//! long. On the inner interfaces the kernel therefore asks every few seconds;
//! it does so for the packet path's look-ups too, daemon or none.

use std::io;

use super::sysctl::{self, Setting};

/// The longest sum of these, half of the first added since the kernel varies
/// it, is below four seconds: an open connection's own retransmission, which
/// doubles its pause each time, then falls within ten.
const TIMERS: [(&str, &str); 3] = [
    ("base_reachable_time_ms", "1000"),
    ("delay_first_probe_time", "1"),
    // Probes of the old address, a second each, before everybody is asked.
    ("ucast_solicit", "1"),
];

/// The timers of these interfaces as they are now.
pub fn found<'a>(interfaces: impl Iterator<Item = &'a str>) -> io::Result<Vec<Setting>> {
    let switches = interfaces.flat_map(|interface| {
        let timers = TIMERS.into_iter();
        timers.map(move |(timer, _)| switch_of(interface, timer))
    });
    switches.map(sysctl::read).collect()
}

/// Has the kernel ask the neighbours on an interface more often.
pub fn watch(interface: &str) -> io::Result<()> {
    for (timer, value) in TIMERS {
        sysctl::write(&switch_of(interface, timer), value)?;
    }
    Ok(())
}

/// The same timers of IPv6.
pub(super) fn found6(interface: &str) -> io::Result<Vec<Setting>> {
    let timers = TIMERS.into_iter();
    timers
        .map(|(timer, _)| sysctl::read(switch_of6(interface, timer)))
        .collect()
}

/// Has the kernel ask the neighbours of IPv6 more often.
pub fn watch6(interface: &str) -> io::Result<()> {
    for (timer, value) in TIMERS {
        sysctl::write(&switch_of6(interface, timer), value)?;
    }
    Ok(())
}

fn switch_of6(interface: &str, timer: &str) -> String {
    format!("ipv6/{}", switch_of(interface, timer))
}

fn switch_of(interface: &str, timer: &str) -> String {
    format!("neigh/{interface}/{timer}")
}

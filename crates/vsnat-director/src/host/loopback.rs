//! What the host's own programs need to be clients of a VIP.
//!
//! Their packets are taken from the loopback interface and sent to a server.
//! Its answers are put there again, from a VIP, which is an address of this very
//! host: only with `accept_local` the kernel takes such packets in.

use std::io;

use super::sysctl::{self, Setting};

/// Packets that come from an address of this host are taken in.
const ACCEPT_LOCAL: &str = "conf/lo/accept_local";
/// The way to a server is asked for as that of a packet that is passed on.
const FORWARDING: &str = "conf/lo/forwarding";
const ON: &str = "1";

/// The switch as it is now. That of forwarding is noted with all others.
pub fn found() -> io::Result<Vec<Setting>> {
    Ok(vec![sysctl::read(ACCEPT_LOCAL.to_owned())?])
}

/// Lets servers' answers in.
pub fn open() -> io::Result<()> {
    sysctl::write(FORWARDING, ON)?;
    sysctl::write(ACCEPT_LOCAL, ON)
}

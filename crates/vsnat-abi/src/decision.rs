//! What one program of the packet path leaves to the next.
//!
//! A packet passes its programs on one CPU, one after the other; what the
//! first has decided, the second finds in a place of that CPU.

use crate::flow::FlowKey4;
use crate::net::Be32;
use crate::service::ServiceKey4;

/// Written and read by the packet path only.
#[repr(C, align(8))]
#[derive(Clone, Copy, Debug, Default)]
pub struct Decision {
    /// Of the packet that is meant.
    pub key: FlowKey4,
    pub service_key: ServiceKey4,
    /// Bits of [`crate::service::service_flag`]; the upper half is the server's
    /// port where that is told, or zero.
    pub service_flags: u32,
    /// The chosen server.
    pub dest: u32,
    /// Its template; see [`crate::slot::Slot::control`].
    pub control: u32,
    /// One of [`decided`].
    pub what: u32,
    /// What the sender is told, if the packet is refused: one of [`told`], by
    /// whom, and the MTU of the next link where that is told.
    pub told: u32,
    pub teller: Be32,
    pub mtu: u32,
    /// [`crate::service::service_flag::SOURCE`] while the packet on its way to
    /// the choice of a server is one of a client within, else 0.
    pub within: u32,
    /// The connection that was opened for the packet: a [`crate::flow::FlowRef`],
    /// or zero.
    pub opened: u64,
}

const _: () = assert!(size_of::<Decision>() == 64);

pub mod decided {
    /// The packet opens a connection.
    pub const OPEN: u32 = 2;
    /// It opens one in the place of a connection whose port is used again.
    pub const REOPEN: u32 = 3;
    /// It opens one in the place of a connection whose server was deleted.
    pub const REPLACE: u32 = 4;
}

/// ICMP messages; see `vsnat_core::icmp`.
pub mod told {
    pub const PORT_UNREACHABLE: u32 = 0;
    pub const FRAGMENTATION_NEEDED: u32 = 1;
    pub const TIME_EXCEEDED: u32 = 2;
}

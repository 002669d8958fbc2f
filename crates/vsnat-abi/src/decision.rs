//! What one program of the packet path leaves to the next.
//!
//! A packet passes its programs on one CPU, one after the other; what the
//! first has decided, the second finds in a place of that CPU.

use crate::flow::FlowKey4;
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
}

const _: () = assert!(size_of::<Decision>() == 40);

pub mod decided {
    /// The packet opens a connection.
    pub const OPEN: u32 = 2;
    /// It opens one in the place of a connection whose port is used again.
    pub const REOPEN: u32 = 3;
    /// It opens one in the place of a connection whose server was deleted.
    pub const REPLACE: u32 = 4;
}

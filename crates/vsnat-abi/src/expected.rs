//! Connections that are expected: what a helper learnt of them from another
//! connection, before their first packet.
//!
//! The daemon writes an entry, the first packet that meets it uses it up. The
//! port that the connection will come from is the one thing nobody knows.

use crate::net::{Be16, Be32};
use crate::service::ServiceKey4;
use crate::time::Coarse;

/// Entries of the table. A client has one file under way at a time, and an
/// entry is gone when that begins: as many as there may be control
/// connections.
pub const EXPECTED: u32 = 4_096;

/// The two ends of the first packet that are known.
#[repr(C, align(8))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ExpectedKey4 {
    /// Whoever opens the connection.
    pub src: Be32,
    pub dst: Be32,
    pub dst_port: Be16,
    /// IP protocol number.
    pub protocol: u8,
    /// Always zero: the kernel hashes all sixteen bytes.
    pub zero: [u8; 5],
}

const _: () = assert!(size_of::<ExpectedKey4>() == 16);

impl ExpectedKey4 {
    #[inline(always)]
    pub const fn new(protocol: u8, src: Be32, dst: Be32, dst_port: Be16) -> Self {
        ExpectedKey4 {
            src,
            dst,
            dst_port,
            protocol,
            zero: [0; 5],
        }
    }

    /// As the map of the kernel takes it.
    pub const fn words(&self) -> [u64; 2] {
        // SAFETY: sixteen bytes without padding, aligned as words.
        unsafe { core::mem::transmute(*self) }
    }

    pub const fn from_words(words: [u64; 2]) -> Self {
        // SAFETY: any sixteen bytes are a key.
        unsafe { core::mem::transmute(words) }
    }
}

/// What becomes of it. Written and cleaned by the daemon, used up by the packet
/// path.
#[repr(C, align(8))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Expected {
    /// The service whose server it is: proves the index below.
    pub service: ServiceKey4,
    /// Index of the server.
    pub dest: u32,
    /// Not after this.
    pub deadline: Coarse,
    /// The address that the client knows.
    pub vip: Be32,
    /// A client opens: the port of the server. A server opens: the port that the
    /// client is to see it come from.
    pub port: Be16,
    pub zero: u16,
}

const _: () = assert!(size_of::<Expected>() == 24);

impl Expected {
    /// As the map of the kernel takes it.
    pub const fn words(&self) -> [u64; 3] {
        // SAFETY: 24 bytes without padding, aligned as words.
        unsafe { core::mem::transmute(*self) }
    }
}

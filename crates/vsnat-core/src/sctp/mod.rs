//! SCTP: what a packet says, where it takes its association, and how its
//! checksum follows a changed port.
//!
//! Nothing here knows of packets or tables: numbers in, numbers out. The
//! common header is twelve bytes (source port, destination port, verification
//! tag, checksum: RFC 9260, section 3.1); chunks follow.

pub mod chunk;
pub mod crc32c;
pub mod state;

pub use chunk::{Event, abort_may_follow, second_chunk};
pub use state::sctp_next;

/// IP protocol number (RFC 9260, section 3).
pub const SCTP: u8 = 132;
/// Length of the common header: where the first chunk begins.
pub const HEADER_LEN: u32 = 12;
/// Distance of the checksum from the start of the common header.
pub const CHECKSUM: u32 = 8;
/// The shortest packet that says anything: the common header and the header
/// of one chunk.
pub const LEN_MIN: u32 = HEADER_LEN + chunk::HEADER_LEN;

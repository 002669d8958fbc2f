//! SCTP peers out of raw sockets, for kernels without SCTP of their own.
//!
//! They speak as much of RFC 9260 as one association with one stream and one
//! message under way needs, and are strict where a middle box may err: both
//! ends verify the CRC32c of every packet, ports and verification tags. One
//! association can be held open, so that its states can be looked at from
//! outside.

mod checksum;
mod chunk;
mod client;
mod conversation;
mod packet;
mod random;
mod server;
mod socket;

pub use checksum::crc32c;
pub use chunk::{Chunk, Start, TagOf};
pub use client::{Association, Exchange, exchange};
pub use packet::{Packet, Unreadable};
pub use server::{SctpCounts, SctpServer, run_server};

/// Most bytes of a message: with the server's name before it, its echo still
/// fits into one packet on an Ethernet.
pub const MESSAGE_MAX_BYTES: usize = 1_350;

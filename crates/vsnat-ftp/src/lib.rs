//! FTP's control connection, seen by somebody in the middle.
//!
//! A [`Dialogue`] is told what client and server say, byte by byte if need be,
//! and says what to pass on and which data connections to expect (RFC 959, RFC
//! 2428). It knows no socket, no clock and no table: the same bytes, cut
//! wherever you like, lead to the same steps.

mod command;
mod dialogue;
mod line;
mod reply;
mod telnet;

pub use dialogue::{Dialogue, Ends, Expectation, Step};
pub use line::LINE_MAX;

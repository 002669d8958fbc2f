//! The file that says what a director shall be, and what follows from it.
//!
//! [`parse`] turns the text of a file into a validated [`Config`], or into all
//! of its [`Mistakes`] at once, each with its line and what to do about it.
//! [`diff`] says which commands bring the running tables to what the file asks
//! for. Nothing here reads a file, a clock or a socket.

mod address;
mod attach;
mod config;
mod describe;
mod desired;
mod dhcp;
mod diff;
mod director;
mod duration;
mod forward;
mod limits;
mod marks;
mod masquerade;
mod merge;
mod mistake;
mod name;
mod parse;
mod persistence;
mod protocol;
mod section;
mod servers;
mod services;
mod settings;
mod suggest;
mod timeouts;

pub use config::{Config, DesiredService, Limits, Masquerade, VipsInUse};
pub use describe::describe;
pub use desired::{Desired, Running};
pub use dhcp::{Dhcp, DhcpNetwork, Enrolled, Enrolment, OtherServers, Pattern};
pub use diff::diff;
pub use forward::taken_by;
pub use masquerade::NetworkMasquerade;
pub use merge::merge;
pub use mistake::{Mistake, Mistakes};
pub use name::{DirectorName, NameError};
pub use parse::parse;
pub use timeouts::{DEFAULT_TIMEOUTS, SETTABLE_STATES};

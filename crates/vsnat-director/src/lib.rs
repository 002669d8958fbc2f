//! The daemon: it brings a host and its data plane to what a file asks for,
//! answers the API, and leaves the host as it was found when it is taken down.
//!
//! [`run`] is `vsnat run`, [`down`] is `vsnat down`, [`Client`] talks to a
//! running director. Packets do not need this process: everything here may
//! stop at any moment, and whatever it changed by then is written down in a
//! record before the first change, so that it can be taken back.

// Hidden modules are open to this crate's privileged tests, which are programs
// of their own, and `host` to `vsnat doctor`; they promise nothing to anybody
// else.
mod announcements;
mod api;
mod check;
mod client;
mod dhcp;
mod down;
mod engine;
mod enrol;
mod estimator;
mod ftp;
#[doc(hidden)]
pub mod host;
mod lanes;
mod lock;
mod nat;
#[doc(hidden)]
pub mod netns;
mod paths;
#[doc(hidden)]
pub mod preflight;
mod privilege;
mod reconcile;
#[doc(hidden)]
pub mod record;
#[doc(hidden)]
pub mod restore;
mod run;
mod serve;
mod six;
#[doc(hidden)]
pub mod start;
mod watch;

pub use api::socket::SocketError;
pub use client::{Client, ClientError};
pub use dhcp::DhcpError;
pub use down::{DownError, DownOptions, DownOutcome, down};
pub use lock::LockError;
pub use netns::NetnsError;
pub use paths::Paths;
pub use preflight::PreflightError;
pub use privilege::PrivilegeError;
pub use record::RecordError;
pub use restore::RestoreError;
pub use run::{Ending, RunError, RunOptions, run};
pub use start::StartError;
pub use vsnat_dataplane::{ProgramInfo, program_infos};

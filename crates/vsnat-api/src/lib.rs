//! The words that the daemon and its clients share.
//!
//! Every type here is plain data with a JSON form: what a virtual service is,
//! what may be asked of the director, and what it answers. No logic, no I/O.
//! Units are in the names; addresses are IPv4 until services of the other
//! family exist.

mod command;
mod listing;
mod service;

pub use command::{Command, CommandError, CommandRequest, CommandResponse};
pub use listing::{
    ConnectionView, Connections, Counters, Deny, InterfaceView, Rates, ReasonCount, ServerView,
    ServiceView, Services, Side, Status, SweeperView, TableView,
};
pub use service::{
    ConnectionState, ParseNameError, Protocol, Scheduler, SchedulerFlags, ServerSpec, ServiceKey,
    ServiceSpec, Weight, WeightError,
};

/// Folder of the API sockets: one `NAME.sock` for each running director.
pub const RUN_DIR: &str = "/run/vsnat";

/// Name of a director that was given none.
pub const DEFAULT_NAME: &str = "default";

/// Environment variable by which clients find the socket.
pub const SOCKET_ENV: &str = "VSNAT_SOCKET";

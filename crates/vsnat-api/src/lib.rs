//! The words that the daemon and its clients share.
//!
//! Every type here is plain data with a JSON form: what a virtual service is,
//! what may be asked of the director, and what it answers. No logic, no I/O.
//! Units are in the names; addresses are of either family.

mod attach;
mod command;
mod connection;
mod dhcp;
mod listing;
mod mark;
mod nat;
mod scheduler;
mod segment;
mod service;
mod setting;
mod standing;

pub use attach::Attach;
pub use command::{Command, CommandError, CommandRequest, CommandResponse, SetTimeouts};
pub use connection::ConnectionState;
pub use dhcp::{DhcpCounters, DhcpLease, DhcpLeaseState, DhcpLeases, DhcpNetwork};
pub use listing::{
    ConnectionView, Connections, Counters, Deny, InterfaceView, Marks, Rates, ReasonCount,
    ServerView, ServiceView, Services, Settings, Side, Status, SweeperView, TableView, Timeouts,
};
pub use mark::{Mark, MarkError, MarkRule, PortRange, PortRangeError};
pub use nat::{
    Forward, Nat, NatCounters, NatDirection, NatEnd, NatFlow, NatFlows, NatForward, NatNetwork,
    NatSource,
};
pub use scheduler::{ParseNameError, Scheduler, SchedulerFlags};
pub use segment::{MssClamp, MssClampError, Segment};
pub use service::{
    Forwarding, Helper, Persistence, Protocol, ServerSpec, ServiceKey, ServiceSpec, Source, Weight,
    WeightError,
};
pub use setting::{Setting, SettingError, SettingName};
pub use standing::{Growing, ServerStanding, ServerStandings, Standing};

/// Folder of the API sockets: one `NAME.sock` for each running director.
pub const RUN_DIR: &str = "/run/vsnat";

/// Folder of what outlives a reboot: one `NAME.leases` for each director that
/// gives out addresses.
pub const STATE_DIR: &str = "/var/lib/vsnat";

/// Name of a director that was given none.
pub const DEFAULT_NAME: &str = "default";

/// Environment variable by which clients find the socket.
pub const SOCKET_ENV: &str = "VSNAT_SOCKET";

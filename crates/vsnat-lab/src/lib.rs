//! Clusters out of network namespaces, on one machine.
//!
//! A [`Cluster`] is a client, a director and real servers with links between
//! them. The director inside is the same program as on a real machine, as a
//! child process; the real servers are embedded ones, Apache or nginx. On top
//! of it stand a load generator, the experiment that compares one server with
//! four behind the director, and its reports. Everything it makes carries the
//! lab's name and is removed by that name.

pub mod cancel;
mod command;
pub mod director;
mod error;
pub mod experiment;
pub mod load;
mod names;
mod namespace;
mod process;
pub mod progress;
pub mod report;
pub mod sctp;
pub mod servers;
pub mod session;
mod six;
mod teardown;
mod topology;

pub use cancel::Cancel;
pub use director::{Director, DirectorOptions, Stop};
pub use error::LabError;
pub use names::{LabName, Node};
pub use namespace::Namespace;
pub use process::ProcessId;
pub use six::{GATEWAY6, VIP6, server_address6};
pub use teardown::{Removal, remove};
pub use topology::{
    CLIENTS, Cluster, DIRECTOR_OUTER, GATEWAY, INNER_INTERFACE, OUTER_INTERFACE, Offload,
    PlainRouting, Plan, SERVERS_MAX, SERVICE_PORT, VIP, server_address,
};

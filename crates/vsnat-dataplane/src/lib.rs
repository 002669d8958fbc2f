//! The data plane as the director sees it: services, servers, connections.
//!
//! [`Plane`] holds the rules of the tables and speaks the words of an
//! administrator. It runs over the kernel's maps ([`DataPlane`]) and over plain
//! memory ([`model::Model`]), where the same packet path can be tried without
//! a kernel.

mod backend;
pub mod kernel;
mod limits;
mod memory;
pub mod model;
pub mod plane;
mod region;
mod timeouts;

pub use backend::{Backend, BackendError};
pub use kernel::{
    Acceleration, AttachError, AttachedBy, DataPlane, Frame, Lane, MapFootprint, OpenError,
    OpenOptions, Origin, Program, ProgramInfo, RemoveError, RunBy, Timed, program_infos,
};
pub use limits::Limits;
pub use memory::Memory;
pub use plane::{ExpectError, Plane, Proxied, StandInError};
pub use region::Region;
pub use timeouts::Timeouts;

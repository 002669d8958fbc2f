//! The load generator: HTTP requests or datagrams, many at a time, every one
//! accounted for.
//!
//! Load is driven in one of two ways. A closed loop keeps so many requests
//! under way and sends the next when one has ended; a server that stalls then
//! also stalls the questions, and its worst moment is measured once. An open
//! loop has a rate: each request is due at a moment fixed beforehand, and its
//! latency counts from that moment, whether or not a connection was free.
//!
//! Every thread has its own connections and its own event loop. Nothing is
//! tried twice: a request succeeds or fails once.

mod engine;
mod error;
mod failure;
mod http;
mod latency;
mod limits;
mod plan;
pub mod report;
mod result;
mod socket;
mod sources;
mod udp;
mod url;

pub use error::LoadError;
pub use failure::Failures;
pub use http::{HttpRequest, run_http};
pub use latency::{Latencies, Latency};
pub use plan::{
    Amount, AtEnd, Connections, Drive, ExpectedLength, ExpectedStatus, HttpPlan, LoadPlan, UdpPlan,
};
pub use result::{Closes, LoadResult};
pub use sources::Sources;
pub use udp::run_udp;
pub use url::{Url, UrlError};

/// Looks on while a run goes on, from all of its threads.
pub trait Observer: Sync {
    /// So many more requests have ended, well or not.
    fn ended(&self, _requests: u64) {}

    /// Whether the run is to end now. Looked at every few milliseconds.
    fn is_over(&self) -> bool {
        false
    }
}

/// Nobody looks on.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unobserved;

impl Observer for Unobserved {}

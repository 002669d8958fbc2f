//! Why a run could not take place at all.

use std::io;

use thiserror::Error;

/// What keeps a run from beginning. A request that fails is no error but a
/// part of the result.
#[derive(Debug, Error)]
pub enum LoadError {
    #[error("there is nobody to ask; name at least one target")]
    NoTarget,
    #[error("{what} must be greater than 0")]
    Zero { what: &'static str },
    #[error("a request cannot be given more than {} s; use a shorter timeout", max.as_secs())]
    Timeout { max: std::time::Duration },
    #[error("a rate of {rate} requests per second cannot be kept; give one from {min} to {max}")]
    Rate { rate: f64, min: f64, max: f64 },
    #[error(
        "{address} cannot be the source of a connection to {target}; \
         give sources of the target's address family"
    )]
    Family {
        address: std::net::IpAddr,
        target: std::net::SocketAddr,
    },
    #[error(
        "{wanted} open connections are more than this process may have ({limit}); \
         raise the limit (`ulimit -n`) or use fewer connections"
    )]
    TooManyConnections { wanted: usize, limit: u64 },
    #[error("datagrams of {bytes} bytes are not possible; use {min} to {max}")]
    Datagram {
        bytes: usize,
        min: usize,
        max: usize,
    },
    #[error("could not {what}: {source}")]
    Io {
        what: &'static str,
        source: io::Error,
    },
    #[error("a thread of the load generator ended by a mistake of its own; please report it")]
    Thread,
}

impl LoadError {
    pub(crate) fn io(what: &'static str) -> impl FnOnce(io::Error) -> LoadError {
        move |source| LoadError::Io { what, source }
    }
}

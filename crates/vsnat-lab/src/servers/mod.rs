//! Real servers of a lab: the embedded HTTP server, Apache and nginx where
//! they are installed, and peers for scenarios.

pub mod apache;
pub mod bulk;
mod capacity;
mod document;
pub mod echo;
pub mod http;
pub mod nginx;
pub(crate) mod process;
mod runtime;

use std::fmt;
use std::net::SocketAddrV4;
use std::path::Path;
use std::str::FromStr;

pub use capacity::Capacity;
pub use document::{DOCUMENT_BYTES, document};
pub use process::ServerProcess;

use crate::LabError;
use crate::namespace::Namespace;

/// Header in which every web server of a lab names itself. Lower case, as header names
/// are compared.
pub const SERVER_HEADER: &str = "x-real-server";
/// Header in which the embedded server tells whom it answers.
pub const CLIENT_HEADER: &str = "x-client-address";

/// Which web server the nodes run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ServerKind {
    #[default]
    Embedded,
    Apache,
    Nginx,
}

impl ServerKind {
    pub const fn name(self) -> &'static str {
        match self {
            ServerKind::Embedded => "embedded",
            ServerKind::Apache => "apache",
            ServerKind::Nginx => "nginx",
        }
    }
}

impl fmt::Display for ServerKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for ServerKind {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let kinds = [ServerKind::Embedded, ServerKind::Apache, ServerKind::Nginx];
        kinds
            .into_iter()
            .find(|kind| kind.name() == name)
            .ok_or_else(|| {
                format!("unknown server \"{name}\"; known are embedded, apache and nginx")
            })
    }
}

/// What one web server has seen since it was started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub connections: u64,
    pub requests: u64,
}

/// Who a web server is and where it listens.
#[derive(Clone, Debug)]
pub struct ServerOptions {
    pub name: String,
    pub address: SocketAddrV4,
    /// Only the embedded server can be held to a capacity.
    pub capacity: Capacity,
}

/// A running web server. Dropping it stops it.
#[derive(Debug)]
pub enum RealServer {
    Embedded(http::HttpServer),
    Apache(apache::Apache),
    Nginx(nginx::Nginx),
}

impl RealServer {
    /// Starts a web server in a namespace and returns when it listens.
    /// `folder` takes configuration and logs of a real one.
    pub fn start(
        kind: ServerKind,
        namespace: &Namespace,
        options: &ServerOptions,
        folder: &Path,
    ) -> Result<Self, LabError> {
        match kind {
            ServerKind::Embedded => {
                http::HttpServer::start(namespace, options).map(RealServer::Embedded)
            }
            ServerKind::Apache => {
                apache::Apache::start(namespace, options, folder).map(RealServer::Apache)
            }
            ServerKind::Nginx => {
                nginx::Nginx::start(namespace, options, folder).map(RealServer::Nginx)
            }
        }
    }

    /// What the embedded server counted; others do not tell.
    pub fn counts(&self) -> Option<Counts> {
        match self {
            RealServer::Embedded(server) => Some(server.counts()),
            RealServer::Apache(_) | RealServer::Nginx(_) => None,
        }
    }
}

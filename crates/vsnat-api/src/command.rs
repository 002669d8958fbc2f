//! What may be asked of a director, and how it refuses.

use std::net::SocketAddr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::{MarkRule, ServerSpec, ServiceKey, ServiceSpec, Setting};

/// One change of the tables. Each is carried out wholly or not at all.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Command {
    AddService(ServiceSpec),
    /// Replaces the settings of a service; its servers and connections stay.
    EditService(ServiceSpec),
    /// Removes a service and its servers; open connections lose their server.
    DeleteService(ServiceKey),
    /// Removes every service.
    Clear,
    AddServer {
        service: ServiceKey,
        server: ServerSpec,
    },
    EditServer {
        service: ServiceKey,
        server: ServerSpec,
    },
    DeleteServer {
        service: ServiceKey,
        address: SocketAddr,
    },
    /// Sets the counters of one service, or of all, to zero.
    Zero(Option<ServiceKey>),
    /// Refuses service traffic from a source prefix.
    DenyAdd(IpNet),
    DenyDelete(IpNet),
    SetTimeouts(SetTimeouts),
    Set(Setting),
    /// Puts a marking rule behind the others.
    MarkAdd(MarkRule),
    MarkDelete(MarkRule),
}

/// New timeouts, in seconds; 0 keeps what is there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetTimeouts {
    /// Of established TCP connections.
    pub tcp_s: u32,
    /// After a FIN.
    pub tcp_fin_s: u32,
    pub udp_s: u32,
}

impl SetTimeouts {
    /// 31 days, as ipvsadm.
    pub const MAX_S: u32 = 31 * 24 * 60 * 60;
}

/// Why a command changed nothing.
///
/// The first seven read as ipvsadm prints the kernel's refusals.
#[derive(Clone, Debug, PartialEq, Eq, Error, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CommandError {
    #[error("Service already exists")]
    ServiceExists,
    /// A service named by -E, -D, -Z or -L is not there.
    #[error("No such service")]
    NoSuchService,
    /// The service of a server command is not there.
    #[error("Service not defined")]
    ServiceNotDefined,
    #[error("Destination already exists")]
    ServerExists,
    #[error("No such destination")]
    NoSuchServer,
    /// A server address that cannot be one: multicast, broadcast, zero.
    #[error("Invalid operation.  Possibly wrong module version, address not unicast, ...")]
    Invalid,
    /// A server whose lower threshold is above its upper one. IPVS looks at
    /// this after the service and before the server.
    #[error("Numerical result out of range")]
    OutOfRange,
    #[error("the director holds at most {limit} {what}; raise [limits] {what} and restart it")]
    Full { what: String, limit: u32 },
    #[error("{prefix} is denied already")]
    DenyExists { prefix: IpNet },
    #[error("{prefix} is not denied; `vsnat deny list` shows what is")]
    NoSuchDeny { prefix: IpNet },
    #[error("there is a rule \"{rule}\" already")]
    MarkExists { rule: Box<MarkRule> },
    #[error("there is no rule \"{rule}\"; `vsnat mark list` shows what is")]
    NoSuchMark { rule: Box<MarkRule> },
    #[error("{message}")]
    Failed { message: String },
}

/// Commands to be carried out in their order. Each is atomic; the list is not:
/// a refused command does not stop the next, as `ipvsadm -R` behaves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommandRequest {
    pub commands: Vec<Command>,
}

/// One result for each command, in their order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommandResponse {
    pub results: Vec<Result<(), CommandError>>,
}

//! Servers with how they came and why they are in or out.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use crate::{ServiceKey, Source, Weight};

/// Service by service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerStandings {
    pub servers: Vec<ServerStanding>,
}

/// Whether a server gets connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Standing {
    In,
    Out,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerStanding {
    pub service: ServiceKey,
    pub address: SocketAddr,
    pub weight: Weight,
    /// "file", "command", or the rule by which it was enrolled.
    pub came_by: String,
    pub standing: Standing,
    /// How long it has been in or out, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since_s: Option<u64>,
    pub why: String,
    /// Where its weight is still growing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub growing: Option<Growing>,
    /// Whose address it sees.
    #[serde(default, skip_serializing_if = "Source::is_client")]
    pub source: Source,
}

/// What a weight grows to, and how long it still does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Growing {
    pub to: Weight,
    pub within_s: u64,
}

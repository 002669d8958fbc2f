//! A lease: an address, who has it, and until when.

use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};

use crate::{Client, Hardware, HostName, UnixTime};

/// What became of an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LeaseState {
    /// Held for a client that has not asked for it yet; never stored.
    Offered,
    Active,
    /// Given back, or run out; kept so that the client finds it again.
    Over,
    /// In use by somebody without a lease: given to nobody for a while.
    Withdrawn,
}

/// An address that was given out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    pub address: Ipv4Addr,
    pub client: Client,
    /// Whose frame asked for it: the client's own, or a relay's or bridge's.
    /// Only that one can give the lease back.
    pub sender: Hardware,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host_name: Option<HostName>,
    /// What the client says of its kind (option 60).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vendor_class: Option<String>,
    pub state: LeaseState,
    /// Since when the client has it without a break.
    pub since: UnixTime,
    /// When it was asked for last.
    pub renewed: UnixTime,
    /// When the state ends; of one that is over, when it ended.
    pub ends: UnixTime,
}

impl Lease {
    /// Whether nobody else may have the address.
    pub fn is_held(&self) -> bool {
        match self.state {
            LeaseState::Offered | LeaseState::Active | LeaseState::Withdrawn => true,
            LeaseState::Over => false,
        }
    }

    pub fn is_active(&self) -> bool {
        self.state == LeaseState::Active
    }
}

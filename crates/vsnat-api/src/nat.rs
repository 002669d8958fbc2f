//! What leaves and enters by the host's own translation: the masquerade of the
//! real servers' own traffic, and ports that are forwarded to one of them.

use std::net::{Ipv4Addr, SocketAddrV4};

use ipnet::Ipv4Net;
use serde::{Deserialize, Serialize};

use crate::{PortRange, Protocol};

/// A port of the outer side that leads to one host inside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Forward {
    pub protocol: Protocol,
    /// What clients connect to.
    pub address: SocketAddrV4,
    pub to: SocketAddrV4,
}

/// By which address the traffic of a network leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NatSource {
    /// The one that the host chooses on the outer interface.
    Auto,
    /// Its own: it is not masqueraded.
    Keep,
    Address(Ipv4Addr),
}

/// The host's translation, with its counters and open flows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Nat {
    pub outer: String,
    /// Source ports of masqueraded connections; none without a masquerade.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ports: Option<PortRange>,
    pub networks: Vec<NatNetwork>,
    pub forwards: Vec<NatForward>,
    pub flows: NatFlows,
}

/// A network behind the director and what it sends by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NatNetwork {
    pub network: Ipv4Net,
    pub source: NatSource,
    #[serde(flatten)]
    pub counters: NatCounters,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NatForward {
    #[serde(flatten)]
    pub forward: Forward,
    #[serde(flatten)]
    pub counters: NatCounters,
}

/// Since the rule was made. A firewall that is flushed loses them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NatCounters {
    pub connections: u64,
    /// Towards the outer side.
    pub out_packets: u64,
    pub out_bytes: u64,
    /// Towards the inner side.
    pub in_packets: u64,
    pub in_bytes: u64,
}

/// The flows that the kernel translates for these rules.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NatFlows {
    /// All of them, listed or not.
    pub total: u64,
    pub listed: Vec<NatFlow>,
    /// Why they are not known, where they are not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unknown: Option<String>,
}

/// Which way a flow was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NatDirection {
    /// By a host inside; its source is translated.
    Out,
    /// By a forwarded port; its destination is translated.
    In,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NatFlow {
    pub direction: NatDirection,
    /// As the kernel calls it: tcp, udp, icmp.
    pub protocol: String,
    pub source: NatEnd,
    pub destination: NatEnd,
    /// What the translated end looks like on the other side.
    pub translated: NatEnd,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    pub expires_s: u64,
}

/// An end of a flow; protocols without ports have none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NatEnd {
    pub address: Ipv4Addr,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
}

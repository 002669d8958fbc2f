//! What a director answers when it is asked what is there.

use std::net::SocketAddr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::{ConnectionState, MarkRule, Protocol, ServerSpec, ServiceSpec, Setting};

/// Totals since the counters were last set to zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counters {
    pub connections: u64,
    pub in_packets: u64,
    pub out_packets: u64,
    pub in_bytes: u64,
    pub out_bytes: u64,
}

/// Smoothed rates per second: every 2 s, 3/4 of the old and 1/4 of the new.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rates {
    pub connections: u64,
    pub in_packets: u64,
    pub out_packets: u64,
    pub in_bytes: u64,
    pub out_bytes: u64,
}

/// A real server and what it is doing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerView {
    #[serde(flatten)]
    pub spec: ServerSpec,
    /// Connections in an active state (ESTABLISHED, SYN_SENT, SYN_RECV, SYNACK).
    pub active: u32,
    /// All other connections.
    pub inactive: u32,
    /// Templates of persistent services.
    #[serde(default)]
    pub persistent: u32,
    pub counters: Counters,
    pub rates: Rates,
}

/// A virtual service, its servers newest first as the schedulers see them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceView {
    #[serde(flatten)]
    pub spec: ServiceSpec,
    pub counters: Counters,
    pub rates: Rates,
    pub servers: Vec<ServerView>,
}

/// All services, oldest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Services {
    /// Capacity of the connection table: the `size=` of ipvsadm's first line.
    pub capacity: u32,
    pub services: Vec<ServiceView>,
}

/// One connection of the table, or one template: that has client port 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConnectionView {
    /// None for the template of a service by mark, whose mark stands in place
    /// of the virtual address.
    pub protocol: Option<Protocol>,
    pub client: SocketAddr,
    pub virtual_address: SocketAddr,
    pub server: SocketAddr,
    pub state: ConnectionState,
    pub expires_ms: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Connections {
    pub connections: Vec<ConnectionView>,
}

/// Timeouts that `ipvsadm --set` changes, in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timeouts {
    pub tcp_s: u32,
    pub tcp_fin_s: u32,
    pub udp_s: u32,
}

/// Every setting and its value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    pub settings: Vec<Setting>,
}

/// The marking rules, in the order in which they are tried.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Marks {
    pub rules: Vec<MarkRule>,
}

/// The denied source prefixes, sorted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deny {
    pub prefixes: Vec<IpNet>,
}

/// Which way an interface looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// Towards the clients; carries the VIPs.
    Outer,
    /// Towards the real servers.
    Inner,
}

/// An interface the packet path is attached to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InterfaceView {
    pub name: String,
    pub side: Side,
    /// "tcx" or "clsact".
    pub attached_by: String,
    /// "xdp (driver)" or "xdp (generic)" where XDP stands in front, else empty.
    #[serde(default)]
    pub accelerated_by: String,
    /// Why XDP stands there or does not.
    #[serde(default)]
    pub why: String,
}

/// A verdict of the packet path and how often it was given.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReasonCount {
    /// Name of the reason, as in the documentation of the packet path.
    pub reason: String,
    pub packets: u64,
}

/// Filling of the connection table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableView {
    pub capacity: u32,
    /// Connections that are alive.
    pub live: u32,
    /// Slots that wait out the second before they may be used again.
    pub dying: u32,
    pub free: u32,
}

/// What the in-kernel sweeper reports of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SweeperView {
    /// Identifies the program that ticks: it changes with every changed program.
    pub version: u64,
    /// Version of the program this daemon carries.
    pub expected_version: u64,
    pub ticks: u64,
    pub expired: u64,
    pub longest_tick_us: u64,
}

/// The director in one answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    pub name: String,
    pub version: String,
    pub pid: u32,
    pub uptime_s: u64,
    pub interfaces: Vec<InterfaceView>,
    pub table: TableView,
    pub sweeper: SweeperView,
    /// Kernel memory of all tables, which are made whole at the start.
    #[serde(default)]
    pub memory_bytes: u64,
    /// Those that differ from their defaults.
    #[serde(default)]
    pub settings: Vec<Setting>,
    /// Every reason, zero counts included.
    pub reasons: Vec<ReasonCount>,
}

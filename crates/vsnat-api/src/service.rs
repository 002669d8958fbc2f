//! Virtual services and real servers, as an administrator names them.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::{Mark, MssClamp, Scheduler, SchedulerFlags};

/// Transport protocol of a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    Tcp,
    Udp,
    Sctp,
}

impl Protocol {
    pub const ALL: [Protocol; 3] = [Protocol::Tcp, Protocol::Udp, Protocol::Sctp];

    /// IP protocol number (RFC 790, RFC 9260).
    pub const fn number(self) -> u8 {
        match self {
            Protocol::Tcp => 6,
            Protocol::Udp => 17,
            Protocol::Sctp => 132,
        }
    }

    pub const fn from_number(number: u8) -> Option<Self> {
        match number {
            6 => Some(Protocol::Tcp),
            17 => Some(Protocol::Udp),
            132 => Some(Protocol::Sctp),
            _ => None,
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Protocol::Tcp => "TCP",
            Protocol::Udp => "UDP",
            Protocol::Sctp => "SCTP",
        })
    }
}

/// Share of new connections that a server takes, relative to the others.
///
/// Zero takes no new connection and keeps the open ones. The upper bound is
/// IPVS's, whose weights are C `int`s.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Default,
)]
#[serde(try_from = "u32", into = "u32")]
pub struct Weight(u32);

impl Weight {
    pub const MAX: u32 = i32::MAX as u32;
    pub const ONE: Weight = Weight(1);

    pub const fn new(weight: u32) -> Result<Self, WeightError> {
        if weight > Self::MAX {
            return Err(WeightError { weight });
        }
        Ok(Weight(weight))
    }

    pub const fn get(self) -> u32 {
        self.0
    }
}

/// A weight beyond [`Weight::MAX`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("weight {weight} is too large; the largest is {}", Weight::MAX)]
pub struct WeightError {
    pub weight: u32,
}

impl TryFrom<u32> for Weight {
    type Error = WeightError;

    fn try_from(weight: u32) -> Result<Self, Self::Error> {
        Weight::new(weight)
    }
}

impl From<Weight> for u32 {
    fn from(weight: Weight) -> u32 {
        weight.0
    }
}

/// What identifies a virtual service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(untagged)]
pub enum ServiceKey {
    /// Packets to a VIP and port; port 0 stands for every port that no other
    /// service has.
    Address {
        protocol: Protocol,
        address: SocketAddr,
    },
    /// Packets that the marking rules give this mark, whatever their
    /// protocol and destination.
    Mark { mark: Mark },
}

impl ServiceKey {
    /// The VIP and its port; a service by mark has none.
    pub const fn address(&self) -> Option<SocketAddr> {
        match self {
            ServiceKey::Address { address, .. } => Some(*address),
            ServiceKey::Mark { .. } => None,
        }
    }

    pub const fn protocol(&self) -> Option<Protocol> {
        match self {
            ServiceKey::Address { protocol, .. } => Some(*protocol),
            ServiceKey::Mark { .. } => None,
        }
    }
}

impl fmt::Display for ServiceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ServiceKey::Address { protocol, address } => write!(f, "{protocol} {address}"),
            ServiceKey::Mark { mark } => write!(f, "FWM {mark}"),
        }
    }
}

/// How long, and how many clients together, stay with one server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Persistence {
    /// Since the last new connection, at most [`Persistence::MAX_TIMEOUT_S`].
    pub timeout_s: u32,
    /// Clients that are equal under it are one.
    #[serde(default = "every_client", skip_serializing_if = "is_every_client")]
    pub netmask: IpAddr,
}

impl Persistence {
    /// ipvsadm's, where `-p` has no number: 360, though its manual says 300.
    pub const DEFAULT_TIMEOUT_S: u32 = 360;
    /// 31 days, as ipvsadm.
    pub const MAX_TIMEOUT_S: u32 = 31 * 24 * 60 * 60;
    /// Each client by itself, of either family.
    pub const EVERY_CLIENT: IpAddr = IpAddr::V4(Ipv4Addr::BROADCAST);

    /// The mask of an IPv6 prefix; none is longer than 128 bits, and one of 128
    /// is [`Persistence::EVERY_CLIENT`].
    pub const fn netmask_of_prefix6(length: u8) -> IpAddr {
        let length = length as u32;
        if length >= Ipv6Addr::BITS {
            return Persistence::EVERY_CLIENT;
        }
        IpAddr::V6(Ipv6Addr::from_bits(!(u128::MAX >> length)))
    }

    /// The prefix length of an IPv6 mask; none of one that is no prefix, or is
    /// an IPv4 mask.
    pub const fn prefix6(&self) -> Option<u8> {
        match self.netmask {
            IpAddr::V4(Ipv4Addr::BROADCAST) => Some(Ipv6Addr::BITS as u8),
            IpAddr::V4(_) => None,
            IpAddr::V6(mask) => {
                let length = mask.to_bits().leading_ones();
                match mask.to_bits().count_ones() == length {
                    true => Some(length as u8),
                    false => None,
                }
            }
        }
    }

    /// Whether the mask is one for clients of a service by this address.
    pub const fn fits(&self, address: IpAddr) -> bool {
        match (address, self.netmask) {
            (_, IpAddr::V4(Ipv4Addr::BROADCAST)) | (IpAddr::V4(_), IpAddr::V4(_)) => true,
            (IpAddr::V6(_), IpAddr::V6(_)) => self.prefix6().is_some(),
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
        }
    }
}

const fn every_client() -> IpAddr {
    Persistence::EVERY_CLIENT
}

fn is_every_client(netmask: &IpAddr) -> bool {
    *netmask == Persistence::EVERY_CLIENT
}

/// What stands by a protocol whose connections speak of others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Helper {
    /// The daemon reads the control connections, and tells the packet path of
    /// the data connections to come.
    Ftp,
}

impl Helper {
    pub const ALL: [Helper; 1] = [Helper::Ftp];
    /// The port of FTP's control connections, where services have the helper by
    /// the setting `ftp_helper` alone.
    pub const FTP_PORT: u16 = 21;

    pub const fn name(self) -> &'static str {
        match self {
            Helper::Ftp => "ftp",
        }
    }
}

impl fmt::Display for Helper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Whose address servers see.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// The client's: their answers must come back through the director.
    #[default]
    Client,
    /// The director's own: for servers whose answers would go another way.
    Director,
}

impl Source {
    pub const ALL: [Source; 2] = [Source::Client, Source::Director];

    pub const fn name(self) -> &'static str {
        match self {
            Source::Client => "client",
            Source::Director => "director",
        }
    }

    pub(crate) fn is_client(&self) -> bool {
        *self == Source::Client
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A virtual service as it is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceSpec {
    #[serde(flatten)]
    pub key: ServiceKey,
    pub scheduler: Scheduler,
    #[serde(default, skip_serializing_if = "SchedulerFlags::is_empty")]
    pub flags: SchedulerFlags,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub persistence: Option<Persistence>,
    /// Every datagram finds a server of its own; UDP and marks only.
    #[serde(default, skip_serializing_if = "is_false")]
    pub one_packet: bool,
    /// TCP services of an IPv4 address and a port only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub helper: Option<Helper>,
    /// TCP: what a SYN announces is lowered to it, in both directions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mss_clamp: Option<MssClamp>,
    #[serde(default, skip_serializing_if = "Source::is_client")]
    pub source: Source,
}

impl ServiceSpec {
    /// A service without anything that is not asked for.
    pub const fn new(key: ServiceKey, scheduler: Scheduler) -> Self {
        ServiceSpec {
            key,
            scheduler,
            flags: SchedulerFlags::from_bits(0),
            persistence: None,
            one_packet: false,
            helper: None,
            mss_clamp: None,
            source: Source::Client,
        }
    }

    /// Whether the helper that it asks for can help it. FTP's speaks to servers
    /// as their clients, and would have to speak as the director.
    pub fn may_be_helped(&self) -> bool {
        match (self.helper, self.key) {
            (None, _) => true,
            (Some(Helper::Ftp), ServiceKey::Address { protocol, address }) => {
                protocol == Protocol::Tcp
                    && address.port() != 0
                    && address.is_ipv4()
                    && self.source == Source::Client
            }
            (Some(Helper::Ftp), ServiceKey::Mark { .. }) => false,
        }
    }
}

fn is_false(value: &bool) -> bool {
    !value
}

/// How packets reach a real server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Forwarding {
    /// Translated, and its answers too: `Masq` in listings.
    #[default]
    Masquerade,
    /// As they are, in a frame of its own: the server has the VIP itself, and
    /// answers past the director. `Route` in listings.
    Route,
}

impl Forwarding {
    pub const ALL: [Forwarding; 2] = [Forwarding::Masquerade, Forwarding::Route];

    pub const fn name(self) -> &'static str {
        match self {
            Forwarding::Masquerade => "masquerade",
            Forwarding::Route => "route",
        }
    }
}

/// A real server as it is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerSpec {
    /// Private address; port 0 stands for the port of the service.
    pub address: SocketAddr,
    #[serde(default, skip_serializing_if = "is_default")]
    pub forwarding: Forwarding,
    pub weight: Weight,
    /// With so many connections it takes no new one; 0: no limit.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub upper_threshold: u32,
    /// With fewer it takes new ones again; 0: three quarters of the upper one.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub lower_threshold: u32,
}

impl ServerSpec {
    /// The largest threshold: IPVS's are C `int`s.
    pub const MAX_THRESHOLD: u32 = i32::MAX as u32;

    /// A server without thresholds.
    pub fn new(address: impl Into<SocketAddr>, weight: Weight) -> Self {
        ServerSpec {
            address: address.into(),
            forwarding: Forwarding::Masquerade,
            weight,
            upper_threshold: 0,
            lower_threshold: 0,
        }
    }

    /// Whether the lower threshold is not above the upper one; a server for
    /// which it is cannot be ([`crate::CommandError::OutOfRange`]).
    pub const fn has_ordered_thresholds(&self) -> bool {
        self.lower_threshold <= self.upper_threshold
    }
}

fn is_default(forwarding: &Forwarding) -> bool {
    *forwarding == Forwarding::default()
}

fn is_zero(value: &u32) -> bool {
    *value == 0
}

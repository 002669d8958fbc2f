//! A director as its file describes it, checked.

use std::collections::BTreeMap;
use std::time::Duration;

use ipnet::{IpNet, Ipv4Net};
use vsnat_api::{Attach, ConnectionState, Forward, MarkRule, ServerSpec, ServiceSpec, Setting};

use crate::timeouts::{self, SETTABLE_STATES};
use crate::{Desired, Dhcp, DirectorName, NetworkMasquerade, desired};

/// Everything a file says. What it leaves out has its default here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    pub name: DirectorName,
    /// The interface towards the clients; it carries the VIPs.
    pub outer: String,
    /// The interfaces towards the real servers, at least one.
    pub inner: Vec<String>,
    /// Each VIP with the prefix it is put on the outer interface with.
    pub vips: Vec<IpNet>,
    pub vips_in_use: VipsInUse,
    pub masquerade: Masquerade,
    /// Networks whose traffic leaves in another way than `masquerade` says.
    pub network_masquerades: Vec<NetworkMasquerade>,
    /// Outer ports that lead to one host inside.
    pub forwards: Vec<Forward>,
    /// By which way packets are taken from each of the interfaces.
    pub attach: BTreeMap<String, Attach>,
    /// Source prefixes whose service traffic is refused.
    pub deny: Vec<IpNet>,
    pub limits: Limits,
    /// Only the states the file names; all others keep IPVS's timeout.
    pub timeouts: BTreeMap<ConnectionState, Duration>,
    /// Only what the file names; all others keep their default.
    pub settings: Vec<Setting>,
    /// Marking rules, in the order in which they are tried.
    pub marks: Vec<MarkRule>,
    pub services: Vec<DesiredService>,
    /// Addresses for the real servers; none when nobody shall get one here.
    pub dhcp: Option<Dhcp>,
}

impl Config {
    /// What the file wants in the tables.
    pub fn desired(&self) -> Desired {
        Desired {
            services: self.services.clone(),
            deny: self.deny.clone(),
            marks: self.marks.clone(),
            settings: desired::unlike_default(&self.settings),
            timeouts: timeouts::settable(&self.timeouts),
        }
    }

    /// The keys outside limits and what [`Config::desired`] gives in which the
    /// other file differs.
    pub fn settings_unlike(&self, other: &Config) -> Vec<&'static str> {
        let compared = [
            ("name", self.name == other.name),
            ("outer", self.outer == other.outer),
            ("inner", self.inner == other.inner),
            ("vips", self.vips == other.vips),
            ("masquerade", self.masquerade == other.masquerade),
            (
                "[[masquerade]]",
                self.network_masquerades == other.network_masquerades,
            ),
            ("[[forward]]", self.forwards == other.forwards),
            ("attach", self.attach == other.attach),
            ("[dhcp]", self.dhcp == other.dhcp),
            (
                "[timeouts]",
                self.other_timeouts() == other.other_timeouts(),
            ),
        ];
        let different = compared.into_iter().filter(|(_, same)| !same);
        different.map(|(key, _)| key).collect()
    }

    /// By which way packets are taken from an interface.
    pub fn attach_of(&self, interface: &str) -> Attach {
        self.attach.get(interface).copied().unwrap_or_default()
    }

    /// Whether anything of IPv6 is asked for.
    pub fn has_ipv6(&self) -> bool {
        let is_six = |service: &DesiredService| {
            let address = service.spec.key.address();
            let mut servers = service.servers.iter();
            address.is_some_and(|address| address.is_ipv6())
                || servers.any(|server| server.address.is_ipv6())
        };
        let mut vips = self.vips.iter();
        vips.any(|vip| vip.addr().is_ipv6()) || self.services.iter().any(is_six)
    }

    /// The timeouts that the file alone decides.
    fn other_timeouts(&self) -> BTreeMap<ConnectionState, Duration> {
        let mut timeouts = self.timeouts.clone();
        timeouts.retain(|state, _| !SETTABLE_STATES.contains(state));
        timeouts
    }
}

/// What to do about a VIP that a neighbour has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VipsInUse {
    Refuse,
    Take,
}

/// Whose own traffic leaves by the address of the outer interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Masquerade {
    /// Nobody's.
    Off,
    /// That of every network an inner interface has an address in.
    InnerNetworks,
    /// That of these networks.
    Networks(Vec<Ipv4Net>),
}

/// Sizes of the tables; they are fixed while the data plane lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    pub connections: u32,
    pub services: u32,
    pub servers: u32,
}

impl Default for Limits {
    /// A quarter of a million connections is an hour of 70 new ones a second
    /// and 64 megabytes; services and servers cost next to nothing.
    fn default() -> Self {
        Limits {
            connections: 262_144,
            services: 1_024,
            servers: 8_192,
        }
    }
}

/// A service and its servers, in the order they are to be added.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct DesiredService {
    pub spec: ServiceSpec,
    pub servers: Vec<ServerSpec>,
}

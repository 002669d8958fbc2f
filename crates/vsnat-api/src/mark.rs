//! Marks, and the rules that give them to packets.
//!
//! The packet path comes before the host's firewall, so no mark of netfilter
//! is there yet: the director marks by rules of its own. The first rule that
//! matches counts.

use std::fmt;

use ipnet::Ipv4Net;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::Protocol;

/// What a service by mark is found by. Zero means "no mark".
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
pub struct Mark(u32);

impl Mark {
    pub const fn new(mark: u32) -> Result<Self, MarkError> {
        if mark == 0 {
            return Err(MarkError);
        }
        Ok(Mark(mark))
    }

    pub const fn get(self) -> u32 {
        self.0
    }
}

/// A mark of zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a mark of 0 means no mark; use 1 to {}", u32::MAX)]
pub struct MarkError;

impl TryFrom<u32> for Mark {
    type Error = MarkError;

    fn try_from(mark: u32) -> Result<Self, MarkError> {
        Mark::new(mark)
    }
}

impl From<Mark> for u32 {
    fn from(mark: Mark) -> u32 {
        mark.0
    }
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Ports from the first to the last, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PortRange {
    first: u16,
    last: u16,
}

impl PortRange {
    pub const ALL: PortRange = PortRange {
        first: 0,
        last: u16::MAX,
    };

    pub const fn new(first: u16, last: u16) -> Result<Self, PortRangeError> {
        if first > last {
            return Err(PortRangeError);
        }
        Ok(PortRange { first, last })
    }

    pub const fn first(self) -> u16 {
        self.first
    }

    pub const fn last(self) -> u16 {
        self.last
    }
}

/// Neither a port nor two with a dash between them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a port (80) or a range of ports (8000-8099) is wanted, the smaller one first")]
pub struct PortRangeError;

impl TryFrom<String> for PortRange {
    type Error = PortRangeError;

    fn try_from(text: String) -> Result<Self, PortRangeError> {
        let port = |text: &str| text.trim().parse().map_err(|_| PortRangeError);
        match text.split_once('-') {
            Some((first, last)) => PortRange::new(port(first)?, port(last)?),
            None => port(&text).and_then(|port| PortRange::new(port, port)),
        }
    }
}

impl From<PortRange> for String {
    fn from(range: PortRange) -> String {
        range.to_string()
    }
}

impl fmt::Display for PortRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.first == self.last {
            true => self.first.fmt(f),
            false => write!(f, "{}-{}", self.first, self.last),
        }
    }
}

/// Which packets from the outer side get a mark. What is left out matches
/// everything.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct MarkRule {
    pub mark: Mark,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protocol: Option<Protocol>,
    /// Source prefix.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Ipv4Net>,
    /// Destination prefix.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub destination: Option<Ipv4Net>,
    /// Destination ports; none stands for all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ports: Vec<PortRange>,
    /// The interface by which a packet comes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interface: Option<String>,
}

impl fmt::Display for MarkRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "mark {}", self.mark)?;
        if let Some(protocol) = self.protocol {
            write!(f, " protocol {}", protocol.to_string().to_lowercase())?;
        }
        if let Some(source) = self.source {
            write!(f, " source {source}")?;
        }
        if let Some(destination) = self.destination {
            write!(f, " destination {destination}")?;
        }
        if !self.ports.is_empty() {
            let ports: Vec<String> = self.ports.iter().map(PortRange::to_string).collect();
            write!(f, " ports {}", ports.join(","))?;
        }
        match &self.interface {
            Some(interface) => write!(f, " interface {interface}"),
            None => Ok(()),
        }
    }
}

//! The real servers' own traffic leaves by the director's address, and some of
//! its ports lead to one host inside.
//!
//! One nftables table of our own, applied and removed in one transaction each.
//! Its source ports leave out those of the services: a reply to a masqueraded
//! connection must never look like a packet to a service.

use std::collections::BTreeSet;
use std::fs;

use ipnet::Ipv4Net;
use vsnat_api::{Forward, NatSource};
use vsnat_config::DirectorName;
use vsnat_dataplane::DataPlane;

use super::ruleset::{self, Counts};
use super::tool::{Tool, ToolError};

/// Ports below are for services with privileges; a client never has them.
const LOWEST_PORT: u16 = 1024;

const EPHEMERAL_PORTS: &str = "/proc/sys/net/ipv4/ip_local_port_range";

/// The kernel's default.
const DEFAULT_EPHEMERAL: PortRange = PortRange {
    low: 32_768,
    high: 60_999,
};

/// What the table holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    pub table: String,
    pub outer: String,
    /// Networks behind the director; the first that fits a packet counts.
    pub networks: Vec<(Ipv4Net, NatSource)>,
    pub forwards: Vec<Forward>,
    /// Source ports of what is masqueraded.
    pub ports: PortRange,
}

impl Rules {
    /// Whether some network's sources are hidden.
    pub fn hide(&self) -> bool {
        let is_hidden = |source: &NatSource| match source {
            NatSource::Auto | NatSource::Address(_) => true,
            NatSource::Keep => false,
        };
        self.networks.iter().any(|(_, source)| is_hidden(source))
    }

    /// Whether sources are to be hidden and no port is left for them.
    pub fn lack_ports(&self) -> bool {
        self.hide() && self.ports.is_empty()
    }
}

/// Source ports, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PortRange {
    pub low: u16,
    pub high: u16,
}

impl PortRange {
    /// The ports that a client may have.
    pub const UNPRIVILEGED: PortRange = PortRange {
        low: LOWEST_PORT,
        high: u16::MAX,
    };

    /// The ports that programs of this host get when they ask for none: what a
    /// service on all ports leaves to others.
    pub fn ephemeral() -> Self {
        let text = fs::read_to_string(EPHEMERAL_PORTS).unwrap_or_default();
        let ports: Vec<u16> = text
            .split_whitespace()
            .filter_map(|port| port.parse().ok())
            .collect();
        match ports[..] {
            [low, high] if low < high && high > LOWEST_PORT => PortRange {
                low: low.max(LOWEST_PORT),
                high,
            },
            _ => DEFAULT_EPHEMERAL,
        }
    }

    /// The largest gap in it that holds no service port.
    pub fn without(self, services: impl IntoIterator<Item = u16>) -> Self {
        let is_inside = |port: &u16| (self.low..=self.high).contains(port);
        let taken: BTreeSet<u16> = services.into_iter().filter(is_inside).collect();
        let mut largest = PortRange { low: 1, high: 0 };
        let mut low = u32::from(self.low);
        let ends = taken.iter().map(|port| u32::from(*port));
        for end in ends.chain([u32::from(self.high) + 1]) {
            // A gap needs at least one port; both ends fit into 16 bits then.
            if end > low && end - low > largest.size() {
                largest = PortRange {
                    low: low as u16,
                    high: (end - 1) as u16,
                };
            }
            low = end + 1;
        }
        largest
    }

    pub fn is_empty(self) -> bool {
        self.size() == 0
    }

    fn size(self) -> u32 {
        (u32::from(self.high) + 1).saturating_sub(u32::from(self.low))
    }
}

/// Tells the packet path which ports of the director's own addresses answer
/// masqueraded connections, so that a service on all ports leaves them alone.
pub fn spare_ports(data_plane: &mut DataPlane, rules: Option<&Rules>) {
    let ports = rules.filter(|rules| rules.hide()).map(|rules| rules.ports);
    let ports = ports.filter(|ports| !ports.is_empty());
    data_plane.spare_ports(ports.map(|ports| (ports.low, ports.high)));
}

/// Name of the table of a director.
pub fn table_of(name: &DirectorName) -> String {
    format!("vsnat_{name}")
}

/// Whether the kernel takes these rules; changes nothing.
pub fn check(rules: &Rules) -> Result<(), ToolError> {
    let arguments = ["--check", "--file", "-"];
    Tool::Nft
        .run_with_input(&arguments, &ruleset::script(rules, &counts(&rules.table)))
        .map(drop)
}

/// Makes the table hold exactly these rules, whatever it held.
pub fn apply(rules: &Rules) -> Result<(), ToolError> {
    let arguments = ["--file", "-"];
    Tool::Nft
        .run_with_input(&arguments, &ruleset::script(rules, &counts(&rules.table)))
        .map(drop)
}

/// Removes the table; it need not be there.
pub fn remove(table: &str) -> Result<(), ToolError> {
    let script = format!("add table ip {table}\ndelete table ip {table}\n");
    Tool::Nft
        .run_with_input(&["--file", "-"], &script)
        .map(drop)
}

pub fn exists(table: &str) -> Result<bool, ToolError> {
    let tables = Tool::Nft.run(&["list", "tables", "ip"])?;
    let line = format!("table ip {table}");
    Ok(tables.lines().any(|l| l.trim() == line))
}

/// The table's counters; none where there is no table.
pub fn counts(table: &str) -> Counts {
    let listed = Tool::Nft.run(&["list", "counters", "table", "ip", table]);
    ruleset::read_counters(&listed.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(services: &[u16]) -> (u16, u16) {
        let PortRange { low, high } = PortRange::UNPRIVILEGED.without(services.iter().copied());
        (low, high)
    }

    #[test]
    fn the_range_is_the_largest_gap() {
        assert_eq!(range(&[]), (1024, 65535));
        assert_eq!(range(&[80, 443]), (1024, 65535));
        assert_eq!(range(&[1024]), (1025, 65535));
        assert_eq!(range(&[65535]), (1024, 65534));
        assert_eq!(range(&[8080]), (8081, 65535));
        assert_eq!(range(&[60000, 8080]), (8081, 59999));
        assert_eq!(range(&[8080, 8080, 8081]), (8082, 65535));
    }

    #[test]
    fn the_range_keeps_within_what_is_asked_for() {
        let PortRange { low, high } = DEFAULT_EPHEMERAL.without([80, 32_768, 60_999, 61_000]);
        assert_eq!((low, high), (32_769, 60_998));
    }

    #[test]
    fn no_service_port_is_ever_inside() {
        let services: Vec<u16> = (0..200u32)
            .map(|n| (1024 + n * 977 % 64_000) as u16)
            .collect();
        let (low, high) = range(&services);
        assert!(low <= high);
        assert!(services.iter().all(|port| !(low..=high).contains(port)));
    }
}

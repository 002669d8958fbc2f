//! The interfaces of the host, as `ip` tells them.

use std::fs;

use serde::Deserialize;

use super::tool::{Tool, ToolError};

/// An Ethernet device (ARPHRD_ETHER), as `ip` calls it.
const ETHERNET: &str = "ether";

/// Kinds of master under which a device carries frames of somebody else's
/// interface: packets belong to the master there.
const AGGREGATES: [&str; 4] = ["bridge", "bond", "team", "openvswitch"];

/// Whether every bridge's frames pass nftables; there with br_netfilter loaded.
const FILTER_BRIDGES: &str = "/proc/sys/net/bridge/bridge-nf-call-iptables";

/// What keeps them from it.
pub const UNFILTER_BRIDGES: &str = "sysctl -w net.bridge.bridge-nf-call-iptables=0";

/// An interface.
#[derive(Clone, Debug, Deserialize)]
pub struct Link {
    #[serde(rename = "ifindex")]
    pub index: u32,
    #[serde(rename = "ifname")]
    pub name: String,
    #[serde(rename = "address", default)]
    mac: String,
    #[serde(default)]
    link_type: String,
    #[serde(default)]
    pub flags: Vec<String>,
    #[serde(default)]
    master: Option<String>,
    #[serde(default)]
    linkinfo: Option<LinkInfo>,
}

#[derive(Clone, Debug, Deserialize)]
struct LinkInfo {
    #[serde(default)]
    info_kind: Option<String>,
    #[serde(default)]
    info_slave_kind: Option<String>,
}

impl Link {
    pub fn is_ethernet(&self) -> bool {
        self.link_type == ETHERNET
    }

    /// The bridge or bond this is a port of.
    pub fn aggregate(&self) -> Option<&str> {
        let master = self.master.as_deref()?;
        let kind = self.linkinfo.as_ref()?.info_slave_kind.as_deref()?;
        AGGREGATES.contains(&kind).then_some(master)
    }

    /// A bridge whose ports' frames pass nftables and connection tracking.
    pub fn is_filtered_bridge(&self) -> bool {
        let kind = self.linkinfo.as_ref().and_then(|i| i.info_kind.as_deref());
        let setting = fs::read_to_string(FILTER_BRIDGES).unwrap_or_default();
        kind == Some("bridge") && setting.trim() == "1"
    }

    /// Administratively up, and with a carrier.
    pub fn is_running(&self) -> bool {
        let has = |flag: &str| self.flags.iter().any(|f| f == flag);
        has("UP") && has("LOWER_UP")
    }

    pub fn mac(&self) -> Option<[u8; 6]> {
        let bytes = self.mac.split(':').map(|b| u8::from_str_radix(b, 16).ok());
        let bytes: Vec<u8> = bytes.collect::<Option<_>>()?;
        bytes.try_into().ok()
    }
}

/// All interfaces of this network namespace.
pub fn all() -> Result<Vec<Link>, ToolError> {
    let arguments = ["-json", "-details", "link", "show"];
    let text = Tool::Ip.run(&arguments)?;
    serde_json::from_str(&text).map_err(|error| ToolError::Failed {
        command: "ip -json -details link show".to_owned(),
        message: format!("its answer cannot be read: {error}"),
    })
}

//! The interfaces of the host, as `ip` tells them.

use std::fs;

use serde::Deserialize;

use super::tool::{Tool, ToolError};

/// An Ethernet device (ARPHRD_ETHER), as `ip` calls it.
const ETHERNET: &str = "ether";

/// Kinds of master under which a device carries frames of somebody else's
/// interface: packets belong to the master there.
const AGGREGATES: [&str; 4] = ["bridge", "bond", "team", "openvswitch"];

/// The bus of paravirtual hardware.
const VIRTIO: &str = "virtio";

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
    /// The interface below this one.
    #[serde(default)]
    link: Option<String>,
    /// The bus its hardware is on.
    #[serde(default)]
    parentbus: Option<String>,
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

    /// Why XDP does not pay here, or would not be right.
    pub fn xdp_obstacle(&self, all: &[Link]) -> Option<String> {
        let kind = self.linkinfo.as_ref().and_then(|i| i.info_kind.as_deref());
        if let Some(kind) = kind {
            return Some(format!("it is a {kind}, where XDP is slower than TC"));
        }
        match self.parentbus.as_deref() {
            None => return Some("it has no hardware of its own".to_owned()),
            Some(VIRTIO) => {
                let why = "it is a virtio interface, which loses its offloads to XDP";
                return Some(why.to_owned());
            }
            Some(_) => {}
        }
        let is_on_this = |link: &&Link| link.link.as_deref() == Some(self.name.as_str());
        let above = all.iter().find(is_on_this)?;
        Some(format!(
            "{} is on it, and its driver may take VLAN tags off before XDP sees them",
            above.name
        ))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn xdp_is_for_hardware_that_carries_no_vlan() {
        let text = r#"[
            {"ifindex":2,"ifname":"eth0","link_type":"ether","parentbus":"pci"},
            {"ifindex":3,"ifname":"eth1","link_type":"ether","parentbus":"pci"},
            {"ifindex":4,"ifname":"eth1.7","link_type":"ether","link":"eth1",
             "linkinfo":{"info_kind":"vlan"}},
            {"ifindex":5,"ifname":"eth2","link_type":"ether","parentbus":"virtio"},
            {"ifindex":6,"ifname":"eth3","link_type":"ether","linkinfo":{"info_kind":"veth"}},
            {"ifindex":7,"ifname":"eth4","link_type":"ether"}]"#;
        let links: Vec<Link> = serde_json::from_str(text).unwrap();
        let obstacles = links.iter().map(|link| link.xdp_obstacle(&links));
        let told: Vec<String> = obstacles.map(Option::unwrap_or_default).collect();
        let expected = ["", "eth1.7", "vlan", "virtio", "veth", "no hardware"];
        for (told, expected) in told.iter().zip(expected) {
            assert!(told.contains(expected), "{told}");
        }
        assert!(told[0].is_empty());
    }
}

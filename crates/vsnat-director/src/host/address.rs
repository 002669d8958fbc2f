//! The VIPs on the outer interface, and which networks an interface is in.

use std::fs;
use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net};
use nix::ifaddrs::getifaddrs;
use nix::sys::socket::SockaddrStorage;
use serde::{Deserialize, Serialize};

use super::sysctl::{self, Setting};
use super::tool::{Tool, ToolError};

/// An address on an interface.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct InterfaceAddress {
    pub interface: String,
    pub address: IpNet,
}

impl InterfaceAddress {
    pub fn ipv4(&self) -> Option<Ipv4Net> {
        match self.address {
            IpNet::V4(address) => Some(address),
            IpNet::V6(_) => None,
        }
    }
}

/// Every address of this network namespace, but for IPv6's link-local ones,
/// which mean another host on each link.
pub fn all() -> std::io::Result<Vec<InterfaceAddress>> {
    let mut found = Vec::new();
    for entry in getifaddrs()? {
        let ip = entry.address.as_ref().and_then(ip_of);
        let mask = entry.netmask.as_ref().and_then(ip_of);
        let (Some(ip), Some(mask)) = (ip, mask) else {
            continue;
        };
        let Some(address) = with_mask(ip, mask).filter(is_of_more_than_a_link) else {
            continue;
        };
        // An alias label like eth0:1 is not a device of its own.
        let name = entry.interface_name;
        let interface = name.split(':').next().unwrap_or(&name).to_owned();
        found.push(InterfaceAddress { interface, address });
    }
    Ok(found)
}

/// The IPv4 networks that the addresses of an interface are in.
pub fn networks_of(interface: &str, all: &[InterfaceAddress]) -> Vec<Ipv4Net> {
    let here = all.iter().filter(|a| a.interface == interface);
    let here = here.filter_map(InterfaceAddress::ipv4);
    let mut networks: Vec<Ipv4Net> = here.map(|address| address.trunc()).collect();
    networks.sort();
    networks.dedup();
    networks
}

/// Whether an interface promotes its other addresses when the first one of a
/// network is taken off.
pub fn promotion(interface: &str) -> std::io::Result<Setting> {
    sysctl::read(format!("conf/{interface}/promote_secondaries"))
}

/// Puts an address on an interface; it must not be there.
pub fn add(wanted: &InterfaceAddress) -> Result<(), ToolError> {
    let InterfaceAddress { interface, address } = wanted;
    let text = address.to_string();
    let mut arguments = vec!["address", "add", &text, "dev", interface];
    match address {
        IpNet::V4(address) if address.prefix_len() < 31 => arguments.extend(["broadcast", "+"]),
        IpNet::V4(_) => {}
        // It serves at once, as one of IPv4 does.
        IpNet::V6(_) => arguments.push("nodad"),
    }
    Tool::Ip.run(&arguments).map(drop)
}

/// Takes an address off again and nothing else.
///
/// Deleting the first address of a subnet deletes all others of that subnet
/// with it (`__inet_del_ifa`), unless they are promoted: an address that, say,
/// DHCP added later must survive.
pub fn remove(unwanted: &InterfaceAddress) -> Result<(), ToolError> {
    let InterfaceAddress { interface, address } = unwanted;
    let setting = format!("/proc/sys/net/ipv4/conf/{interface}/promote_secondaries");
    let found = fs::read_to_string(&setting).ok();
    let found = found.filter(|_| unwanted.ipv4().is_some());
    let promote = found.as_deref().is_some_and(|value| value.trim() == "0");
    if promote {
        let _ = fs::write(&setting, "1");
    }
    let removed = Tool::Ip.run(&["address", "del", &address.to_string(), "dev", interface]);
    if promote {
        let _ = fs::write(&setting, "0");
    }
    removed.map(drop)
}

fn ip_of(address: &SockaddrStorage) -> Option<IpAddr> {
    let four = address.as_sockaddr_in().map(|a| a.ip().into());
    four.or_else(|| address.as_sockaddr_in6().map(|a| a.ip().into()))
}

fn with_mask(ip: IpAddr, mask: IpAddr) -> Option<IpNet> {
    IpNet::with_netmask(ip, mask).ok()
}

fn is_of_more_than_a_link(address: &IpNet) -> bool {
    match address.addr() {
        IpAddr::V4(_) => true,
        IpAddr::V6(address) => !address.is_unicast_link_local(),
    }
}

//! The VIPs on the outer interface, and which networks an interface is in.

use std::fs;
use std::net::Ipv4Addr;

use ipnet::{Ipv4Net, ipv4_mask_to_prefix};
use nix::ifaddrs::getifaddrs;
use nix::sys::socket::SockaddrIn;
use serde::{Deserialize, Serialize};

use super::sysctl::{self, Setting};
use super::tool::{Tool, ToolError};

/// An address on an interface.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct InterfaceAddress {
    pub interface: String,
    pub address: Ipv4Net,
}

/// Every IPv4 address of this network namespace.
pub fn all() -> std::io::Result<Vec<InterfaceAddress>> {
    let mut found = Vec::new();
    for entry in getifaddrs()? {
        let ip = entry.address.as_ref().and_then(|a| a.as_sockaddr_in());
        let mask = entry.netmask.as_ref().and_then(|a| a.as_sockaddr_in());
        let (Some(ip), Some(mask)) = (ip.map(SockaddrIn::ip), mask.map(SockaddrIn::ip)) else {
            continue;
        };
        let Some(address) = with_mask(ip, mask) else {
            continue;
        };
        // An alias label like eth0:1 is not a device of its own.
        let name = entry.interface_name;
        let interface = name.split(':').next().unwrap_or(&name).to_owned();
        found.push(InterfaceAddress { interface, address });
    }
    Ok(found)
}

/// The networks that the addresses of an interface are in.
pub fn networks_of(interface: &str, all: &[InterfaceAddress]) -> Vec<Ipv4Net> {
    let here = all.iter().filter(|a| a.interface == interface);
    let mut networks: Vec<Ipv4Net> = here.map(|a| a.address.trunc()).collect();
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
    let address = address.to_string();
    let mut arguments = vec!["address", "add", &address, "dev", interface];
    if wanted.address.prefix_len() < 31 {
        arguments.extend(["broadcast", "+"]);
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

fn with_mask(ip: Ipv4Addr, mask: Ipv4Addr) -> Option<Ipv4Net> {
    let prefix = ipv4_mask_to_prefix(mask).ok()?;
    Ipv4Net::new(ip, prefix).ok()
}

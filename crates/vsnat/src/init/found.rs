//! What this machine has: interfaces, their addresses, the default route.

use std::fs;

use anyhow::Context;
use ipnet::Ipv4Net;
use vsnat_director::host::address::{self, InterfaceAddress};
use vsnat_director::host::link;

/// The IPv4 routes of the reader's namespace.
const ROUTES: &str = "/proc/net/route";

const LOOPBACK: &str = "lo";

/// Interfaces that a director can have, and their addresses.
#[derive(Clone, Debug, Default)]
pub struct Found {
    pub interfaces: Vec<String>,
    pub addresses: Vec<InterfaceAddress>,
    /// The interface of the default route.
    pub outwards: Option<String>,
}

impl Found {
    pub fn here() -> anyhow::Result<Self> {
        let links = link::all().context("cannot look at the interfaces of this machine")?;
        // A port of a bridge or bond has no packets of its own.
        let fits = |link: &&link::Link| link.is_ethernet() && link.aggregate().is_none();
        let names = links.iter().filter(fits).map(|link| link.name.clone());
        let addresses = address::all().context("cannot look at the addresses of this machine")?;
        Ok(Found {
            interfaces: names.filter(|name| name != LOOPBACK).collect(),
            addresses,
            outwards: default_route(&fs::read_to_string(ROUTES).unwrap_or_default()),
        })
    }

    /// The addresses of an interface, with their prefixes.
    pub fn addresses_of(&self, interface: &str) -> Vec<Ipv4Net> {
        let here = self.addresses.iter().filter(|a| a.interface == interface);
        here.filter_map(|a| a.ipv4()).collect()
    }

    pub fn networks_of(&self, interface: &str) -> Vec<Ipv4Net> {
        address::networks_of(interface, &self.addresses)
    }
}

/// The interface whose route has neither destination nor mask.
fn default_route(routes: &str) -> Option<String> {
    routes.lines().skip(1).find_map(|line| {
        let columns: Vec<&str> = line.split_whitespace().collect();
        match columns[..] {
            [interface, "00000000", _, _, _, _, _, "00000000", ..] => Some(interface.to_owned()),
            _ => None,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_route() {
        let routes = "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\n\
                      eth1\t0064000A\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n\
                      eth0\t00000000\t0101A8C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n";
        assert_eq!(default_route(routes).as_deref(), Some("eth0"));
        assert_eq!(default_route("Iface\n"), None);
    }
}

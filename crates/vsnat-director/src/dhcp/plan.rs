//! The networks to serve: what the file says, and which addresses are there.

use std::net::Ipv4Addr;

use vsnat_config::{Dhcp, DhcpNetwork};
use vsnat_dhcp::{Link, Network};

use super::DhcpError;
use crate::host::address::InterfaceAddress;

/// Each network with the director's address in it, or towards its relay agent.
pub(super) fn networks(
    dhcp: &Dhcp,
    inner: &[String],
    addresses: &[InterfaceAddress],
) -> Result<Vec<Network>, DhcpError> {
    let planned = dhcp.networks.iter().map(|network| {
        let (link, server) = place(network, inner, addresses)?;
        Ok(Network {
            network: network.network,
            link,
            server,
            router: network.router.unwrap_or(server),
            pools: network.pools.clone(),
            lease_time_s: network.lease_time_s,
            dns: network.dns.clone(),
            domain: network.domain.clone(),
            mtu: network.mtu,
            ntp: network.ntp.clone(),
            routes: network.routes.clone(),
        })
    });
    planned.collect()
}

fn place(
    network: &DhcpNetwork,
    inner: &[String],
    addresses: &[InterfaceAddress],
) -> Result<(Option<Link>, Ipv4Addr), DhcpError> {
    let of = |name: &String| {
        let name = name.clone();
        addresses.iter().filter(move |a| a.interface == name)
    };
    for (index, name) in inner.iter().enumerate() {
        let mut here = of(name).filter_map(|a| Some(a.ipv4()?.addr()));
        if let Some(own) = here.find(|own| network.network.contains(own)) {
            return Ok((Some(Link(index)), own));
        }
    }
    let any = inner.iter().flat_map(of);
    let mut any = any.filter_map(|a| Some(a.ipv4()?.addr()));
    match (network.router, any.next()) {
        // Behind a relay agent: reached by routing.
        (Some(_), Some(own)) => Ok((None, own)),
        (Some(_), None) | (None, _) => Err(DhcpError::NoAddress {
            network: network.network,
        }),
    }
}

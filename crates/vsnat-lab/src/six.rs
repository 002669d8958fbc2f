//! IPv6 beside the IPv4 of a cluster, for whoever asks for it.
//!
//! Clients are on one link with the director, real servers on another, each
//! with an address that ends as its IPv4 address does.

use std::net::{Ipv4Addr, Ipv6Addr};

use crate::LabError;
use crate::names::Node;
use crate::namespace::Namespace;
use crate::topology::{
    CLIENTS, Cluster, DIRECTOR_OUTER, GATEWAY, INNER_INTERFACE, OUTER_INTERFACE, VIP,
};

/// Prefixes of 64 bits: documentation addresses outside, local ones inside.
const OUTER: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0x28, 0, 0, 0, 0, 0);
const INNER: Ipv6Addr = Ipv6Addr::new(0xfd00, 0x100, 0, 0, 0, 0, 0, 0);

/// The VIP of IPv6.
pub const VIP6: Ipv6Addr = beside(OUTER, VIP);
/// The real servers' gateway of IPv6.
pub const GATEWAY6: Ipv6Addr = beside(INNER, GATEWAY);

/// The IPv6 address of a real server.
pub const fn server_address6(address: Ipv4Addr) -> Ipv6Addr {
    beside(INNER, address)
}

impl Cluster {
    /// Gives every node an IPv6 address beside that of IPv4.
    pub fn add_ipv6(&self) -> Result<(), LabError> {
        let director = self.director();
        switch_on(&director)?;
        director.ip_batch(&format!(
            "address add {}/64 dev {OUTER_INTERFACE} nodad\n\
             address add {GATEWAY6}/64 dev {INNER_INTERFACE} nodad\n",
            beside(OUTER, DIRECTOR_OUTER)
        ))?;
        let client = self.client();
        switch_on(&client)?;
        let addresses = CLIENTS.map(|client| address_line(beside(OUTER, client)));
        client.ip_batch(&addresses.concat())?;
        for (node, address) in self.servers() {
            self.add_server_ipv6(node, *address.ip())?;
        }
        Ok(())
    }

    fn add_server_ipv6(&self, node: Node, address: Ipv4Addr) -> Result<(), LabError> {
        let server = self.namespace(node);
        switch_on(&server)?;
        let address = address_line(server_address6(address));
        server.ip_batch(&format!("{address}route add ::/0 via {GATEWAY6}\n"))
    }
}

/// Nobody solicits routers: that would only disturb captures and counters.
fn switch_on(namespace: &Namespace) -> Result<(), LabError> {
    for scope in ["all", "default"] {
        namespace.set_sysctl(&format!("net/ipv6/conf/{scope}/router_solicitations"), "0")?;
        namespace.set_sysctl(&format!("net/ipv6/conf/{scope}/accept_dad"), "0")?;
        namespace.set_sysctl(&format!("net/ipv6/conf/{scope}/disable_ipv6"), "0")?;
    }
    Ok(())
}

fn address_line(address: Ipv6Addr) -> String {
    format!("address add {address}/64 dev eth0 nodad\n")
}

/// The address of a prefix that ends with the last byte of another, written
/// with the same digits: 192.0.2.167 and …::167.
const fn beside(prefix: Ipv6Addr, address: Ipv4Addr) -> Ipv6Addr {
    let [_, _, _, last] = address.octets();
    let (hundreds, tens, ones) = (last / 100, last / 10 % 10, last % 10);
    let digits = (hundreds as u128) << 8 | (tens as u128) << 4 | ones as u128;
    Ipv6Addr::from_bits(prefix.to_bits() | digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_end_alike() {
        assert_eq!(VIP6.to_string(), "2001:db8:28::167");
        assert_eq!(GATEWAY6.to_string(), "fd00:100::1");
        let server = server_address6(Ipv4Addr::new(10, 0, 100, 15));
        assert_eq!(server.to_string(), "fd00:100::15");
    }
}

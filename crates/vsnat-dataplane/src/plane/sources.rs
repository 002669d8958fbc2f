//! The director's own addresses, as servers see them where they do not see the
//! client's.

use std::net::Ipv4Addr;

use ipnet::Ipv4Net;
use vsnat_abi::destination::dest_state;
use vsnat_abi::net::Be32;

use crate::Backend;
use crate::plane::Plane;

/// Addresses with their networks, the most suitable first.
#[derive(Debug, Default)]
pub(super) struct Sources(Vec<Ipv4Net>);

impl Sources {
    /// The address on the server's own network; else the first, to which the
    /// server needs a route. None at all is zero.
    pub fn towards(&self, server: Ipv4Addr) -> Be32 {
        let on_link = self.0.iter().filter(|net| net.contains(&server));
        let nearest = on_link.reduce(|best, net| match net.prefix_len() > best.prefix_len() {
            true => net,
            false => best,
        });
        let chosen = nearest.or(self.0.first());
        chosen.map_or(Be32::ZERO, |net| Be32::from_bytes(net.addr().octets()))
    }
}

impl<B: Backend> Plane<B> {
    /// The addresses that servers may see in the place of a client's, those on
    /// the servers' side first. Connections keep what they were opened with.
    pub fn set_sources(&mut self, addresses: &[Ipv4Net]) {
        self.sources = Sources(addresses.to_vec());
        let dests = self.backend.memory().dests;
        let stale: Vec<_> = dests
            .iter()
            .filter(|(_, dest)| dest.state != dest_state::FREE)
            .filter_map(|(index, mut dest)| {
                let before = dest.source;
                dest.source = self.sources.towards(Ipv4Addr::from(dest.address.bytes()));
                (dest.source != before).then_some((index, dest))
            })
            .collect();
        for (index, dest) in stale {
            self.write_dest(index, dest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_address_or_the_first() {
        let nets = ["10.9.0.1/24", "10.8.0.1/16", "10.8.7.1/24"];
        let sources = Sources(nets.map(|net| net.parse().unwrap()).to_vec());
        let towards =
            |server: &str| Ipv4Addr::from(sources.towards(server.parse().unwrap()).bytes());
        assert_eq!(towards("10.9.0.11"), Ipv4Addr::new(10, 9, 0, 1));
        assert_eq!(towards("10.8.7.9"), Ipv4Addr::new(10, 8, 7, 1));
        assert_eq!(towards("10.8.1.9"), Ipv4Addr::new(10, 8, 0, 1));
        assert_eq!(towards("192.0.2.9"), Ipv4Addr::new(10, 9, 0, 1));
        assert_eq!(Sources::default().towards(Ipv4Addr::LOCALHOST), Be32::ZERO);
    }
}

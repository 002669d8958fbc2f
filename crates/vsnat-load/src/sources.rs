//! Where connections come from: addresses in turn, and ports.
//!
//! The kernel may choose the port, once it knows the destination: then a port
//! of an address is only taken for one destination. Or ports are taken in turn
//! here, each once before any is used again, for two reasons: the kernel
//! searches for a free port, slower with every one taken; and a port used again
//! soon would be a known connection to a director, not a new one to be
//! scheduled.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ipnet::IpNet;

use crate::LoadError;

/// Ports below are reserved for services.
const FIRST_PORT: u64 = 1024;
const PORTS: u64 = 65536 - FIRST_PORT;

/// Source addresses that runs share, so that the next goes on where one ended.
#[derive(Clone, Debug)]
pub struct Sources {
    ranges: Arc<[Range]>,
    addresses: u64,
    ports: Ports,
    next: Arc<AtomicU64>,
}

/// Who chooses the port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ports {
    ByKernel,
    InTurn,
}

/// Addresses that follow one another.
#[derive(Clone, Copy, Debug)]
struct Range {
    first: IpAddr,
    count: u64,
}

impl Sources {
    /// Address and port as the kernel likes.
    pub fn by_kernel() -> Self {
        Sources::of(Vec::new(), Ports::ByKernel)
    }

    /// All addresses of these networks in turn, with ports as the kernel likes.
    /// They must be this machine's own.
    pub fn addresses(networks: &[IpNet]) -> Self {
        let ranges = networks.iter().map(Range::of_network).collect();
        Sources::of(ranges, Ports::ByKernel)
    }

    /// These addresses with ports in turn: no pair of them is used again before
    /// all were.
    pub fn ports_in_turn(addresses: &[IpAddr]) -> Self {
        let range = |address: &IpAddr| Range {
            first: *address,
            count: 1,
        };
        Sources::of(addresses.iter().map(range).collect(), Ports::InTurn)
    }

    fn of(ranges: Vec<Range>, ports: Ports) -> Self {
        Sources {
            addresses: ranges.iter().map(|range| range.count).sum(),
            ranges: ranges.into(),
            ports,
            next: Arc::default(),
        }
    }

    /// The next source to bind to, with port 0 where the kernel chooses it;
    /// none where the kernel chooses the address too.
    pub fn next(&self) -> Option<SocketAddr> {
        if self.addresses == 0 {
            return None;
        }
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let address = self.address(number % self.addresses)?;
        let port = match self.ports {
            Ports::ByKernel => 0,
            Ports::InTurn => FIRST_PORT + number / self.addresses % PORTS,
        };
        Some(SocketAddr::new(address, port as u16))
    }

    pub(crate) fn check(&self, target: SocketAddr) -> Result<(), LoadError> {
        let foreign = |range: &&Range| range.first.is_ipv4() != target.is_ipv4();
        match self.ranges.iter().find(foreign) {
            None => Ok(()),
            Some(range) => Err(LoadError::Family {
                address: range.first,
                target,
            }),
        }
    }

    fn address(&self, mut number: u64) -> Option<IpAddr> {
        for range in self.ranges.iter() {
            if number < range.count {
                return Some(range.address(number));
            }
            number -= range.count;
        }
        None
    }
}

impl Range {
    /// The hosts of a network: not the network itself nor its broadcast.
    fn of_network(network: &IpNet) -> Self {
        let host_bits = network.max_prefix_len() - network.prefix_len();
        let all = 1u64.checked_shl(host_bits.into()).unwrap_or(u64::MAX);
        let range = Range {
            first: network.network(),
            count: all,
        };
        match network {
            IpNet::V4(_) if host_bits > 1 => Range {
                first: range.address(1),
                count: all - 2,
            },
            IpNet::V4(_) | IpNet::V6(_) => range,
        }
    }

    fn address(&self, number: u64) -> IpAddr {
        match self.first {
            IpAddr::V4(first) => Ipv4Addr::from_bits(first.to_bits() + number as u32).into(),
            IpAddr::V6(first) => Ipv6Addr::from_bits(first.to_bits() + u128::from(number)).into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn networks(texts: &[&str]) -> Vec<IpNet> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn no_source_repeats_before_all_were_used() {
        let addresses = [[10, 0, 0, 1], [10, 0, 0, 2]].map(IpAddr::from);
        let sources = Sources::ports_in_turn(&addresses);
        let total = 2 * PORTS;
        let seen: HashSet<_> = (0..total).map(|_| sources.next().unwrap()).collect();
        assert_eq!(seen.len() as u64, total);
        assert!(seen.iter().all(|source| source.port() >= 1024));
        assert!(seen.contains(&sources.next().unwrap()));
    }

    #[test]
    fn addresses_of_networks_come_in_turn() {
        let sources = Sources::addresses(&networks(&["10.0.0.0/30", "10.9.9.9/32"]));
        let seen: Vec<_> = (0..4)
            .map(|_| sources.next().unwrap().to_string())
            .collect();
        let expected = ["10.0.0.1:0", "10.0.0.2:0", "10.9.9.9:0", "10.0.0.1:0"];
        assert_eq!(seen, expected);
    }

    #[test]
    fn the_widest_networks_have_as_many_addresses_as_can_be_counted() {
        let sources = Sources::addresses(&networks(&["0.0.0.0/0"]));
        assert_eq!(sources.addresses, (1 << 32) - 2);
        let sources = Sources::addresses(&networks(&["::/0"]));
        assert_eq!(sources.addresses, u64::MAX);
    }

    #[test]
    fn without_addresses_the_kernel_chooses() {
        assert_eq!(Sources::by_kernel().next(), None);
        assert_eq!(Sources::ports_in_turn(&[]).next(), None);
    }
}

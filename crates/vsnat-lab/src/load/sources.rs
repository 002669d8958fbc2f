//! Source addresses and ports of connections, each used once before any is
//! used again.
//!
//! Chosen here and not by the kernel for two reasons: the kernel searches for a
//! free port, slower with every one taken; and a port used again soon would be
//! a known connection to the director, not a new one to be scheduled.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Ports below are reserved for services.
const FIRST_PORT: u64 = 1024;
const PORTS: u64 = 65536 - FIRST_PORT;

/// A pool that runs share, so that the next goes on where one ended.
#[derive(Clone, Debug)]
pub struct SourcePool {
    addresses: Arc<[Ipv4Addr]>,
    next: Arc<AtomicU64>,
}

impl SourcePool {
    pub fn new(addresses: &[Ipv4Addr]) -> Self {
        SourcePool {
            addresses: addresses.into(),
            next: Arc::default(),
        }
    }

    /// The next source; none if the pool has no address at all.
    pub fn next(&self) -> Option<SocketAddrV4> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let turn = (number / PORTS) % (self.addresses.len() as u64).max(1);
        let address = self.addresses.get(turn as usize)?;
        let port = FIRST_PORT + number % PORTS;
        Some(SocketAddrV4::new(*address, port as u16))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_source_repeats_before_all_were_used() {
        let pool = SourcePool::new(&[Ipv4Addr::new(10, 0, 0, 1), Ipv4Addr::new(10, 0, 0, 2)]);
        let total = 2 * PORTS;
        let seen: HashSet<_> = (0..total).map(|_| pool.next().unwrap()).collect();
        assert_eq!(seen.len() as u64, total);
        assert!(seen.iter().all(|source| source.port() >= 1024));
        assert!(seen.contains(&pool.next().unwrap()));
    }

    #[test]
    fn an_empty_pool_gives_nothing() {
        assert_eq!(SourcePool::new(&[]).next(), None);
    }
}

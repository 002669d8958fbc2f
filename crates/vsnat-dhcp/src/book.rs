//! The addresses of one network: which are held, which were, which never were.
//!
//! Every question of an exchange is answered without going through the pool:
//! with tens of thousands of addresses and an attacker who asks for all of them
//! each message must stay cheap. A lease that is over stays here, so that its
//! client finds it again, until its address is needed.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::Ipv4Addr;

use crate::{Client, Lease, LeaseState, UnixTime};

#[derive(Clone, Debug, Default)]
pub(crate) struct Book {
    leases: BTreeMap<Ipv4Addr, Lease>,
    /// The address each client has, or had last.
    of_client: HashMap<Client, Ipv4Addr>,
    /// The ends of those that are held.
    ends: BTreeSet<(UnixTime, Ipv4Addr)>,
    /// Pool addresses without any lease.
    spare: BTreeSet<Ipv4Addr>,
    /// Pool addresses whose lease is over, by its end.
    over: BTreeSet<(UnixTime, Ipv4Addr)>,
}

impl Book {
    /// With these addresses to be given to anybody.
    pub fn new(pool: impl IntoIterator<Item = Ipv4Addr>) -> Self {
        Book {
            spare: pool.into_iter().collect(),
            ..Book::default()
        }
    }

    pub fn at(&self, address: Ipv4Addr) -> Option<&Lease> {
        self.leases.get(&address)
    }

    pub fn of(&self, client: &Client) -> Option<&Lease> {
        self.leases.get(self.of_client.get(client)?)
    }

    pub fn leases(&self) -> impl Iterator<Item = &Lease> {
        self.leases.values()
    }

    /// The next address for a client that has none, the least recently used
    /// last, and whether anybody had it before.
    pub fn next_free(&self) -> Option<Ipv4Addr> {
        let spare = self.spare.first().copied();
        spare.or_else(|| self.over.first().map(|(_, address)| *address))
    }

    /// Whether it is in the pool and held by nobody.
    pub fn is_free_in_pool(&self, address: Ipv4Addr) -> bool {
        let ended = self.leases.get(&address).map(|lease| lease.ends);
        self.spare.contains(&address) || ended.is_some_and(|e| self.over.contains(&(e, address)))
    }

    /// Writes a lease in, in place of what its address and its client had.
    pub fn put(&mut self, lease: Lease, is_pooled: impl Fn(Ipv4Addr) -> bool) {
        self.remove(lease.address, &is_pooled);
        // Something that nobody leased is a client's only by accident.
        if lease.state != LeaseState::Withdrawn {
            let before = self.of_client.insert(lease.client.clone(), lease.address);
            // What a client is not known by any more, nobody looks for.
            if let Some(before) = before.filter(|before| *before != lease.address) {
                self.remove_over(before, &is_pooled);
            }
        }
        self.spare.remove(&lease.address);
        if lease.is_held() {
            self.ends.insert((lease.ends, lease.address));
        } else if is_pooled(lease.address) {
            self.over.insert((lease.ends, lease.address));
        }
        self.leases.insert(lease.address, lease);
    }

    /// Forgets the lease of an address, which is free then.
    pub fn remove(
        &mut self,
        address: Ipv4Addr,
        is_pooled: impl Fn(Ipv4Addr) -> bool,
    ) -> Option<Lease> {
        let lease = self.leases.remove(&address)?;
        self.ends.remove(&(lease.ends, address));
        self.over.remove(&(lease.ends, address));
        if self.of_client.get(&lease.client) == Some(&address) {
            self.of_client.remove(&lease.client);
        }
        if is_pooled(address) {
            self.spare.insert(address);
        }
        Some(lease)
    }

    /// Ends what has run out. Offers and withdrawals leave nothing behind.
    pub fn expire(&mut self, now: UnixTime, is_pooled: impl Fn(Ipv4Addr) -> bool) -> Vec<Lease> {
        let mut ended = Vec::new();
        while let Some((end, address)) = self.ends.first().copied().filter(|(e, _)| *e <= now) {
            let Some(lease) = self.remove(address, &is_pooled) else {
                // A lease that is gone has no end; none is left behind.
                self.ends.remove(&(end, address));
                continue;
            };
            if lease.is_active() {
                let over = Lease {
                    state: LeaseState::Over,
                    ..lease
                };
                self.put(over.clone(), &is_pooled);
                ended.push(over);
            }
        }
        ended
    }

    fn remove_over(&mut self, address: Ipv4Addr, is_pooled: impl Fn(Ipv4Addr) -> bool) {
        let is_over = self.leases.get(&address).is_some_and(|l| !l.is_held());
        if is_over {
            self.remove(address, is_pooled);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Hardware;

    const NOW: UnixTime = UnixTime::from_s(1_000);

    fn address(last: u8) -> Ipv4Addr {
        Ipv4Addr::new(10, 0, 0, last)
    }

    fn lease(last: u8, client: u8, state: LeaseState, ends_s: u32) -> Lease {
        let hardware = Hardware::new([2, 0, 0, 0, 0, client]);
        Lease {
            address: address(last),
            client: Client::new(hardware, None),
            sender: hardware,
            host_name: None,
            vendor_class: None,
            state,
            since: NOW,
            renewed: NOW,
            ends: NOW.plus_s(ends_s),
        }
    }

    #[test]
    fn what_is_over_is_used_last_and_the_oldest_of_it_first() {
        let pooled = |_| true;
        let mut book = Book::new((1..=3).map(address));
        book.put(lease(1, 1, LeaseState::Active, 20), pooled);
        book.put(lease(2, 2, LeaseState::Active, 10), pooled);
        assert_eq!(book.next_free(), Some(address(3)));
        book.put(lease(3, 3, LeaseState::Offered, 5), pooled);
        assert_eq!(book.next_free(), None);
        assert!(book.expire(NOW.plus_s(5), pooled).is_empty(), "an offer");
        assert_eq!(book.next_free(), Some(address(3)));
        book.put(lease(3, 3, LeaseState::Active, 99), pooled);
        assert_eq!(book.expire(NOW.plus_s(30), pooled).len(), 2);
        assert_eq!(book.next_free(), Some(address(2)));
        let first = lease(1, 1, LeaseState::Over, 20);
        assert_eq!(book.of(&first.client), Some(&first));
    }

    #[test]
    fn a_client_is_known_by_its_last_address_only() {
        let pooled = |_| true;
        let mut book = Book::new((1..=2).map(address));
        book.put(lease(1, 7, LeaseState::Over, 0), pooled);
        book.put(lease(2, 7, LeaseState::Active, 10), pooled);
        assert_eq!(book.at(address(1)), None);
        assert_eq!(book.next_free(), Some(address(1)));
        book.remove(address(2), pooled);
        assert_eq!(book.of(&lease(2, 7, LeaseState::Active, 10).client), None);
    }

    #[test]
    fn an_address_outside_the_pools_is_never_free_for_all() {
        let pooled = |address: Ipv4Addr| address.octets()[3] < 10;
        let mut book = Book::new((1..=1).map(address));
        book.put(lease(1, 1, LeaseState::Active, 50), pooled);
        book.put(lease(20, 2, LeaseState::Active, 10), pooled);
        assert_eq!(book.expire(NOW.plus_s(10), pooled).len(), 1);
        assert_eq!(book.next_free(), None);
        assert!(!book.is_free_in_pool(address(20)));
    }
}

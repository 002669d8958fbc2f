//! Which indices are free, and which deleted servers are remembered: what
//! would otherwise be looked for through whole tables.

use std::collections::{BTreeMap, VecDeque};
use std::net::{Ipv4Addr, SocketAddrV4};

use vsnat_abi::destination::{Dest, dest_state};
use vsnat_abi::service::ServiceKey4;

/// Where destinations are found.
#[derive(Debug, Default)]
pub(super) struct Roster {
    pub free_services: FreeIndices,
    pub free_dests: FreeIndices,
    /// Deleted servers that are remembered; there is one at most for each
    /// service and address, since one that is added again is the same.
    gone: BTreeMap<(ServiceKey4, SocketAddrV4), u32>,
}

impl Roster {
    /// Follows a destination from one record to the next.
    pub fn follow(&mut self, index: u32, before: &Dest, after: &Dest) {
        match (before.state, after.state) {
            (dest_state::FREE, dest_state::FREE) => {}
            (dest_state::FREE, _) => self.free_dests.take(index),
            (_, dest_state::FREE) => self.free_dests.give(index),
            (_, _) => {}
        }
        if is_gone(before) {
            self.gone.remove(&name(before));
        }
        if is_gone(after) {
            self.gone.insert(name(after), index);
        }
    }

    pub fn find_gone(&self, service: ServiceKey4, at: SocketAddrV4) -> Option<u32> {
        self.gone.get(&(service, at)).copied()
    }

    /// Every deleted server that is remembered.
    pub fn all_gone(&self) -> impl Iterator<Item = u32> + '_ {
        self.gone.values().copied()
    }

    /// Deleted servers of one service.
    pub fn gone_of(&self, service: ServiceKey4) -> impl Iterator<Item = u32> + '_ {
        let first = SocketAddrV4::new([0; 4].into(), 0);
        let last = SocketAddrV4::new([u8::MAX; 4].into(), u16::MAX);
        let range = self.gone.range((service, first)..=(service, last));
        range.map(|(_, index)| *index)
    }
}

fn is_gone(dest: &Dest) -> bool {
    matches!(dest.state, dest_state::DELETED | dest_state::ORPHANED)
}

fn name(dest: &Dest) -> (ServiceKey4, SocketAddrV4) {
    (dest.service, end(dest))
}

fn end(dest: &Dest) -> SocketAddrV4 {
    SocketAddrV4::new(Ipv4Addr::from(dest.address.bytes()), dest.port.host())
}

/// Free indices, in the order in which they became free: one is not used again
/// while a packet may still hold it.
#[derive(Debug, Default)]
pub(super) struct FreeIndices {
    waiting: VecDeque<u32>,
}

impl FreeIndices {
    pub fn first(&self) -> Option<u32> {
        self.waiting.front().copied()
    }

    pub fn give(&mut self, index: u32) {
        self.waiting.push_back(index);
    }

    /// An index that is used now: the first, as a rule.
    pub fn take(&mut self, index: u32) {
        if self.first() == Some(index) {
            self.waiting.pop_front();
            return;
        }
        self.waiting.retain(|waiting| *waiting != index);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indices_come_back_in_the_order_of_leaving() {
        let mut free = FreeIndices::default();
        (0..3).for_each(|index| free.give(index));
        free.take(0);
        free.take(2);
        free.give(0);
        assert_eq!(free.first(), Some(1));
        free.take(1);
        assert_eq!(free.first(), Some(0));
    }

    #[test]
    fn a_deleted_server_is_found_until_it_is_freed() {
        let mut roster = Roster::default();
        roster.free_dests.give(5);
        let (none, mut dest) = (Dest::default(), Dest::default());
        dest.state = dest_state::AVAILABLE;
        let at = end(&dest);
        roster.follow(5, &none, &dest);
        assert_eq!(roster.find_gone(dest.service, at), None);
        let available = dest;
        dest.state = dest_state::DELETED;
        roster.follow(5, &available, &dest);
        assert_eq!(roster.find_gone(dest.service, at), Some(5));
        assert_eq!(roster.gone_of(dest.service).collect::<Vec<_>>(), [5]);
        roster.follow(5, &dest, &none);
        assert_eq!(roster.find_gone(dest.service, at), None);
        assert_eq!(roster.free_dests.first(), Some(5));
    }
}

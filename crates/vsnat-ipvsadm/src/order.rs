//! The order of listings, with IPVS's quirk.
//!
//! ipvsadm compares addresses and marks by the sign of a 32-bit difference, so
//! those more than 2^31 apart sort the wrong way round: 224.0.0.1 stands before
//! 10.0.1.100, and mark 4294967295 before mark 1. That is no total order. The standard library's sort may panic on
//! such a comparison; a merge sort that splits in halves gives what the C
//! library's gives ipvsadm.

use std::cmp::Ordering;
use std::net::{IpAddr, SocketAddr};

use vsnat_api::{ServerView, ServiceKey, ServiceView};

use crate::Order;

pub(crate) fn services(services: &[ServiceView], order: Order) -> Vec<&ServiceView> {
    let kept = services.iter().collect();
    match order {
        Order::Kept => kept,
        Order::Sorted => merge_sort(kept, &|a, b| compare_keys(a.spec.key, b.spec.key)),
    }
}

pub(crate) fn servers(servers: &[ServerView], order: Order) -> Vec<&ServerView> {
    let kept = servers.iter().collect();
    match order {
        Order::Kept => kept,
        Order::Sorted => merge_sort(kept, &|a, b| compare(a.spec.address, b.spec.address)),
    }
}

/// A service by address has mark 0, so it stands before the marks below 2^31
/// and behind the others.
fn compare_keys(a: ServiceKey, b: ServiceKey) -> Ordering {
    let mark = |key| match key {
        ServiceKey::Mark { mark } => mark.get(),
        ServiceKey::Address { .. } => 0,
    };
    let marks = signed_difference(mark(a), mark(b));
    match (a, b) {
        (
            ServiceKey::Address { protocol, address },
            ServiceKey::Address {
                protocol: other_protocol,
                address: other_address,
            },
        ) => {
            let protocols = protocol.number().cmp(&other_protocol.number());
            let keys = families(address, other_address).then(protocols);
            keys.then_with(|| compare(address, other_address))
        }
        (ServiceKey::Mark { .. }, _) | (_, ServiceKey::Mark { .. }) => marks,
    }
}

fn compare(a: SocketAddr, b: SocketAddr) -> Ordering {
    let words = words(a.ip()).into_iter().zip(words(b.ip()));
    let mut differences = words.map(|(a, b)| signed_difference(a, b));
    let address = differences.find(|difference| difference.is_ne());
    let address = address.unwrap_or(Ordering::Equal);
    let ends = families(a, b).then(address);
    ends.then_with(|| a.port().cmp(&b.port()))
}

/// IPv4 comes first. Of one service's servers, ipvsadm's order of families is
/// that of their bits; with it a server's place would hang on the others'.
fn families(a: SocketAddr, b: SocketAddr) -> Ordering {
    a.is_ipv6().cmp(&b.is_ipv6())
}

/// The words in which an address is compared; IPv4's is the first.
fn words(address: IpAddr) -> [u32; 4] {
    match address {
        IpAddr::V4(address) => [address.to_bits(), 0, 0, 0],
        IpAddr::V6(address) => {
            let bits = address.to_bits();
            [96, 64, 32, 0].map(|shift| (bits >> shift) as u32)
        }
    }
}

/// The sign of a C `int` that is a difference of two unsigned numbers.
fn signed_difference(a: u32, b: u32) -> Ordering {
    a.wrapping_sub(b).cast_signed().cmp(&0)
}

fn merge_sort<'a, T>(mut items: Vec<&'a T>, compare: &dyn Fn(&T, &T) -> Ordering) -> Vec<&'a T> {
    if items.len() < 2 {
        return items;
    }
    let right = items.split_off(items.len() / 2);
    let mut left = merge_sort(items, compare).into_iter().peekable();
    let mut right = merge_sort(right, compare).into_iter().peekable();
    let mut merged = Vec::new();
    while let (Some(a), Some(b)) = (left.peek(), right.peek()) {
        let next = match compare(a, b) {
            Ordering::Less | Ordering::Equal => left.next(),
            Ordering::Greater => right.next(),
        };
        merged.extend(next);
    }
    merged.extend(left);
    merged.extend(right);
    merged
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[test]
    fn sorting_keeps_every_item_though_the_comparison_goes_round_in_circles() {
        let step = |index: u32| {
            let address = Ipv4Addr::from_bits(index.wrapping_mul(0x5555_5555));
            SocketAddr::new(address.into(), 80)
        };
        let addresses: Vec<_> = (0..100).map(step).collect();
        let mut sorted = merge_sort(addresses.iter().collect(), &|a, b| compare(*a, *b));
        assert_eq!(sorted.len(), addresses.len());
        sorted.sort();
        let mut expected: Vec<_> = addresses.iter().collect();
        expected.sort();
        assert_eq!(sorted, expected);
    }
}

//! What the API tells of the leases.

use vsnat_api::{DhcpCounters, DhcpLease, DhcpLeaseState, DhcpLeases, DhcpNetwork};
use vsnat_dhcp::{Counters, Lease, LeaseState, Network, Server, UnixTime};

pub(super) fn of(server: &Server, now: UnixTime) -> DhcpLeases {
    let leases = server.leases(now);
    let networks = server
        .networks()
        .map(|network| of_network(network, &leases));
    DhcpLeases {
        networks: networks.collect(),
        counters: of_counters(server.counters()),
        leases: leases.iter().map(|lease| of_lease(lease, now)).collect(),
    }
}

fn of_network(network: &Network, leases: &[Lease]) -> DhcpNetwork {
    let own = leases
        .iter()
        .filter(|l| network.network.contains(&l.address));
    DhcpNetwork {
        network: network.network,
        pool_size: network.pools.iter().map(|pool| pool.size()).sum(),
        active: own.filter(|lease| lease.is_active()).count() as u64,
    }
}

fn of_lease(lease: &Lease, now: UnixTime) -> DhcpLease {
    let state = match lease.state {
        LeaseState::Offered => DhcpLeaseState::Offered,
        LeaseState::Active => DhcpLeaseState::Active,
        LeaseState::Over => DhcpLeaseState::Over,
        LeaseState::Withdrawn => DhcpLeaseState::Withdrawn,
    };
    DhcpLease {
        address: lease.address,
        mac: lease.client.hardware.to_string(),
        client_id: lease.client.id.as_ref().map(ToString::to_string),
        host_name: lease.host_name.as_ref().map(ToString::to_string),
        vendor_class: lease.vendor_class.clone(),
        state,
        held_s: lease.renewed.since_s(lease.since) + now.since_s(lease.renewed),
        ends_s: lease.ends.since_s(now),
    }
}

fn of_counters(counters: Counters) -> DhcpCounters {
    let Counters {
        discovers,
        requests,
        declines,
        releases,
        informs,
        offers,
        acks,
        naks,
        malformed,
        ignored,
        unknown_network,
        exhausted,
        conflicts,
    } = counters;
    DhcpCounters {
        discovers,
        requests,
        declines,
        releases,
        informs,
        offers,
        acks,
        naks,
        malformed,
        ignored,
        unknown_network,
        exhausted,
        conflicts,
    }
}

//! Who ought to serve: leases, seen with the rules of the file.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use vsnat_api::{DhcpLease, DhcpLeaseState, Weight};
use vsnat_config::{Enrolled, Enrolment};

use super::Place;

/// A machine that a rule is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Candidate {
    pub weight: Weight,
    /// How long its weight grows to that.
    pub slow_start: Duration,
    /// By which rule, for people.
    pub came_by: String,
    pub presence: Presence,
}

/// Whether its lease is active.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Presence {
    Here,
    Gone,
}

/// One for each lease that a rule is about; the first rule counts. Those whose
/// lease is over are among them: they may still be in the tables.
pub(super) fn of(leases: &[DhcpLease], rules: &[Enrolment]) -> BTreeMap<Place, Candidate> {
    let mut candidates = BTreeMap::new();
    for lease in leases {
        let presence = match lease.state {
            DhcpLeaseState::Active => Presence::Here,
            DhcpLeaseState::Over | DhcpLeaseState::Withdrawn => Presence::Gone,
            DhcpLeaseState::Offered => continue,
        };
        let Some(rule) = rules.iter().find(|rule| is_about(rule, lease)) else {
            continue;
        };
        let address = SocketAddr::new(lease.address.into(), rule.port);
        let candidate = Candidate {
            weight: rule.weight,
            slow_start: Duration::from_secs(rule.slow_start_s.into()),
            came_by: name_of(&rule.who),
            presence,
        };
        candidates.insert((rule.service, address), candidate);
    }
    candidates
}

fn is_about(rule: &Enrolment, lease: &DhcpLease) -> bool {
    let fits = |pattern: &vsnat_config::Pattern, text: &Option<String>| {
        text.as_deref().is_some_and(|text| pattern.matches(text))
    };
    match &rule.who {
        Enrolled::Reservation(address) => lease.address == *address,
        Enrolled::HostName(pattern) => fits(pattern, &lease.host_name),
        Enrolled::VendorClass(pattern) => fits(pattern, &lease.vendor_class),
    }
}

fn name_of(who: &Enrolled) -> String {
    match who {
        Enrolled::Reservation(address) => format!("reservation {address}"),
        Enrolled::HostName(pattern) => format!("host name {pattern}"),
        Enrolled::VendorClass(pattern) => format!("vendor class {pattern}"),
    }
}

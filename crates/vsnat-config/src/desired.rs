//! What the tables shall hold, from a file or merged with what runs.

use std::collections::BTreeSet;

use ipnet::Ipv4Net;
use serde::{Deserialize, Serialize};
use vsnat_api::{ServiceKey, ServiceView};

use crate::DesiredService;

/// Services in the order they are to be added, and the deny set.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Desired {
    pub services: Vec<DesiredService>,
    pub deny: Vec<Ipv4Net>,
}

impl Desired {
    /// What runs, as a wish: oldest service and oldest server first.
    pub fn of_running(services: &[ServiceView], deny: &[Ipv4Net]) -> Self {
        let services = services.iter().map(|view| DesiredService {
            spec: view.spec,
            servers: view
                .servers
                .iter()
                .rev()
                .map(|server| server.spec)
                .collect(),
        });
        Desired {
            services: services.collect(),
            deny: deny.to_vec(),
        }
    }

    fn service(&self, key: ServiceKey) -> Option<&DesiredService> {
        self.services.iter().find(|service| service.spec.key == key)
    }

    fn keys(&self) -> impl Iterator<Item = ServiceKey> {
        self.services.iter().map(|service| service.spec.key)
    }
}

/// The wish of `file` for a director that already runs.
///
/// `applied` is what the file said when it was last carried out. A service that
/// no longer equals it was changed at run time, and the run-time state wins;
/// any other follows the file. Denied prefixes are treated the same way.
pub fn merge(running: &Desired, applied: &Desired, file: &Desired) -> Desired {
    let in_order: Vec<ServiceKey> = file.keys().chain(running.keys()).collect();
    let mut seen = BTreeSet::new();
    let keys = in_order.into_iter().filter(|key| seen.insert(*key));
    let services = keys.filter_map(|key| {
        let unchanged = same(running.service(key), applied.service(key));
        let winner = if unchanged { file } else { running };
        winner.service(key).cloned()
    });
    Desired {
        services: services.collect(),
        deny: merge_deny(running, applied, file),
    }
}

fn merge_deny(running: &Desired, applied: &Desired, file: &Desired) -> Vec<Ipv4Net> {
    let all: BTreeSet<Ipv4Net> = running.deny.iter().chain(&file.deny).copied().collect();
    let wanted = |prefix: &Ipv4Net| {
        let runs = running.deny.contains(prefix);
        let unchanged = runs == applied.deny.contains(prefix);
        if unchanged {
            file.deny.contains(prefix)
        } else {
            runs
        }
    };
    all.into_iter().filter(wanted).collect()
}

/// Equal but for the order of the servers.
fn same(one: Option<&DesiredService>, other: Option<&DesiredService>) -> bool {
    let (Some(one), Some(other)) = (one, other) else {
        return one.is_none() && other.is_none();
    };
    let sorted = |service: &DesiredService| {
        let mut servers = service.servers.clone();
        servers.sort_by_key(|server| server.address);
        servers
    };
    one.spec == other.spec && sorted(one) == sorted(other)
}

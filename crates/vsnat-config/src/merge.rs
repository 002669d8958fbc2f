//! A file meets a director that already runs.

use std::collections::BTreeSet;

use ipnet::IpNet;
use vsnat_api::{MarkRule, ServiceKey, Setting, SettingName, Timeouts};

use crate::{Desired, DesiredService};

/// The wish of `file` for a director that already runs.
///
/// `applied` is what the file said when it was last carried out. A service that
/// no longer equals it was changed at run time, and the run-time state wins;
/// any other follows the file. Denied prefixes, marking rules, settings and
/// timeouts are treated the same way, each by itself.
pub fn merge(running: &Desired, applied: &Desired, file: &Desired) -> Desired {
    Desired {
        services: services(running, applied, file),
        deny: deny(running, applied, file),
        marks: marks(running, applied, file),
        settings: settings(running, applied, file),
        timeouts: timeouts(running.timeouts, applied.timeouts, file.timeouts),
    }
}

fn services(running: &Desired, applied: &Desired, file: &Desired) -> Vec<DesiredService> {
    let in_order = file.services.iter().chain(&running.services);
    let in_order = in_order.map(|service| service.spec.key);
    let mut seen = BTreeSet::new();
    let keys = in_order.filter(|key| seen.insert(*key));
    let [running, applied, file] = [running, applied, file].map(Desired::by_key);
    let winner = |key: ServiceKey| {
        let runs = running.get(&key).copied();
        let winner = match same(runs, applied.get(&key).copied()) {
            true => file.get(&key).copied(),
            false => runs,
        };
        winner.cloned()
    };
    keys.filter_map(winner).collect()
}

fn deny(running: &Desired, applied: &Desired, file: &Desired) -> Vec<IpNet> {
    let all: BTreeSet<IpNet> = running.deny.iter().chain(&file.deny).copied().collect();
    let [running, applied, file] = [running, applied, file].map(|state| &state.deny);
    let wanted = |prefix: &IpNet| is_wanted(prefix, running, applied, file);
    all.into_iter().filter(wanted).collect()
}

/// Rules of the file come first, in its order; those that were added at run
/// time follow. Where nobody changed the file, what runs is right as it is.
fn marks(running: &Desired, applied: &Desired, file: &Desired) -> Vec<MarkRule> {
    let [running, applied, file] = [running, applied, file].map(|state| &state.marks);
    if applied == file {
        return running.clone();
    }
    let mut seen = BTreeSet::new();
    let all = file.iter().chain(running).filter(|rule| seen.insert(*rule));
    let wanted = all.filter(|rule| is_wanted(*rule, running, applied, file));
    wanted.cloned().collect()
}

fn settings(running: &Desired, applied: &Desired, file: &Desired) -> Vec<Setting> {
    let winner = |name: SettingName| {
        let [running, applied, file] = [running, applied, file].map(|state| state.setting(name));
        let value = decided(running, applied, file);
        let is_unlike = value != name.default_value();
        // A value that is in one of the three is within the range.
        is_unlike.then(|| Setting::new(name, value).ok()).flatten()
    };
    SettingName::ALL.into_iter().filter_map(winner).collect()
}

fn timeouts(running: Timeouts, applied: Timeouts, file: Timeouts) -> Timeouts {
    Timeouts {
        tcp_s: decided(running.tcp_s, applied.tcp_s, file.tcp_s),
        tcp_fin_s: decided(running.tcp_fin_s, applied.tcp_fin_s, file.tcp_fin_s),
        udp_s: decided(running.udp_s, applied.udp_s, file.udp_s),
    }
}

fn decided(running: u32, applied: u32, file: u32) -> u32 {
    match running == applied {
        true => file,
        false => running,
    }
}

fn is_wanted<T: PartialEq>(element: &T, running: &[T], applied: &[T], file: &[T]) -> bool {
    let runs = running.contains(element);
    let unchanged = runs == applied.contains(element);
    match unchanged {
        true => file.contains(element),
        false => runs,
    }
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

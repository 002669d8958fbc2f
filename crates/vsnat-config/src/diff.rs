//! The commands that lead from one state of the tables to another.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use ipnet::IpNet;
use vsnat_api::{Command, MarkRule, ServerSpec, SetTimeouts, Setting, SettingName, Timeouts};

use crate::{Desired, DesiredService};

/// Commands that turn `actual` into `desired`.
///
/// What is equal is not touched, so established connections stay; removals come
/// first, so that a full table has room for what is added. Settings come before
/// the services whose packets they decide about.
pub fn diff(actual: &Desired, desired: &Desired) -> Vec<Command> {
    let mut commands = diff_settings(actual, desired);
    commands.extend(diff_timeouts(actual.timeouts, desired.timeouts));
    let (running, wanted) = (actual.by_key(), desired.by_key());
    for service in &actual.services {
        if !wanted.contains_key(&service.spec.key) {
            commands.push(Command::DeleteService(service.spec.key));
        }
    }
    for service in &desired.services {
        match running.get(&service.spec.key) {
            Some(runs) => change(runs, service, &mut commands),
            None => add(service, &mut commands),
        }
    }
    commands.extend(diff_marks(&actual.marks, &desired.marks));
    commands.extend(diff_deny(&actual.deny, &desired.deny));
    commands
}

/// Commands that turn one deny set into the other.
fn diff_deny(actual: &[IpNet], desired: &[IpNet]) -> Vec<Command> {
    let gone = actual.iter().filter(|prefix| !desired.contains(prefix));
    let new = desired.iter().filter(|prefix| !actual.contains(prefix));
    let gone = gone.map(|prefix| Command::DenyDelete(*prefix));
    let new = new.map(|prefix| Command::DenyAdd(*prefix));
    gone.chain(new).collect()
}

/// Commands that turn one list of rules into the other. A new rule goes behind
/// all others, so those that are to stay are the longest beginning of the
/// wanted list that is already in order.
fn diff_marks(actual: &[MarkRule], desired: &[MarkRule]) -> Vec<Command> {
    let mut commands = Vec::new();
    let mut kept = 0;
    for rule in actual {
        match desired.get(kept) == Some(rule) {
            true => kept += 1,
            false => commands.push(Command::MarkDelete(rule.clone())),
        }
    }
    let new = desired.iter().skip(kept);
    commands.extend(new.map(|rule| Command::MarkAdd(rule.clone())));
    commands
}

fn diff_settings(actual: &Desired, desired: &Desired) -> Vec<Command> {
    let set = |name: SettingName| {
        let wanted = desired.setting(name);
        let differs = wanted != actual.setting(name);
        // A value of a wish is within the range.
        let setting = Setting::new(name, wanted).ok().filter(|_| differs);
        setting.map(Command::Set)
    };
    SettingName::ALL.into_iter().filter_map(set).collect()
}

fn diff_timeouts(actual: Timeouts, desired: Timeouts) -> Option<Command> {
    let changed = |actual: u32, desired: u32| if actual == desired { 0 } else { desired };
    let timeouts = SetTimeouts {
        tcp_s: changed(actual.tcp_s, desired.tcp_s),
        tcp_fin_s: changed(actual.tcp_fin_s, desired.tcp_fin_s),
        udp_s: changed(actual.udp_s, desired.udp_s),
    };
    let is_change = timeouts != SetTimeouts::default();
    is_change.then_some(Command::SetTimeouts(timeouts))
}

fn add(service: &DesiredService, commands: &mut Vec<Command>) {
    commands.push(Command::AddService(service.spec));
    for server in &service.servers {
        commands.push(Command::AddServer {
            service: service.spec.key,
            server: *server,
        });
    }
}

fn change(runs: &DesiredService, wanted: &DesiredService, commands: &mut Vec<Command>) {
    let service = wanted.spec.key;
    if runs.spec != wanted.spec {
        commands.push(Command::EditService(wanted.spec));
    }
    let by_address = |servers: &[ServerSpec]| -> BTreeMap<SocketAddr, ServerSpec> {
        servers
            .iter()
            .map(|server| (server.address, *server))
            .collect()
    };
    let (running, desired) = (by_address(&runs.servers), by_address(&wanted.servers));
    for server in &runs.servers {
        if !desired.contains_key(&server.address) {
            let address = server.address;
            commands.push(Command::DeleteServer { service, address });
        }
    }
    for server in &wanted.servers {
        let server = *server;
        match running.get(&server.address) {
            None => commands.push(Command::AddServer { service, server }),
            Some(same) if *same == server => {}
            Some(_) => commands.push(Command::EditServer { service, server }),
        }
    }
}

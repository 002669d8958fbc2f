//! The commands that lead from one state of the tables to another.

use ipnet::Ipv4Net;
use vsnat_api::{Command, ServerSpec, ServiceKey};

use crate::{Desired, DesiredService};

/// Commands that turn `actual` into `desired`, for services and deny set.
///
/// What is equal is not touched, so established connections stay; removals come
/// first, so that a full table has room for what is added.
pub fn diff(actual: &Desired, desired: &Desired) -> Vec<Command> {
    let mut commands = Vec::new();
    for service in &actual.services {
        if find(desired, service.spec.key).is_none() {
            commands.push(Command::DeleteService(service.spec.key));
        }
    }
    for service in &desired.services {
        match find(actual, service.spec.key) {
            Some(runs) => change(runs, service, &mut commands),
            None => add(service, &mut commands),
        }
    }
    commands.extend(diff_deny(&actual.deny, &desired.deny));
    commands
}

/// Commands that turn one deny set into the other.
fn diff_deny(actual: &[Ipv4Net], desired: &[Ipv4Net]) -> Vec<Command> {
    let gone = actual.iter().filter(|prefix| !desired.contains(prefix));
    let new = desired.iter().filter(|prefix| !actual.contains(prefix));
    let gone = gone.map(|prefix| Command::DenyDelete(*prefix));
    let new = new.map(|prefix| Command::DenyAdd(*prefix));
    gone.chain(new).collect()
}

/// One readable line for a command, as a difference is shown.
pub fn describe(command: &Command) -> String {
    match command {
        Command::AddService(spec) => format!("+ service {} {}", spec.key, spec.scheduler),
        Command::EditService(spec) => {
            format!("~ service {} scheduler {}", spec.key, spec.scheduler)
        }
        Command::DeleteService(key) => format!("- service {key}"),
        Command::Clear => "- all services".to_owned(),
        Command::AddServer { service, server } => {
            format!(
                "+ server {} weight {} of {service}",
                server.address,
                server.weight.get()
            )
        }
        Command::EditServer { service, server } => {
            format!(
                "~ server {} weight {} of {service}",
                server.address,
                server.weight.get()
            )
        }
        Command::DeleteServer { service, address } => format!("- server {address} of {service}"),
        Command::Zero(Some(key)) => format!("~ counters of {key} to zero"),
        Command::Zero(None) => "~ all counters to zero".to_owned(),
        Command::DenyAdd(prefix) => format!("+ deny {prefix}"),
        Command::DenyDelete(prefix) => format!("- deny {prefix}"),
    }
}

fn find(state: &Desired, key: ServiceKey) -> Option<&DesiredService> {
    state
        .services
        .iter()
        .find(|service| service.spec.key == key)
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
    let in_list = |list: &[ServerSpec], server: &ServerSpec| {
        let found = list.iter().find(|other| other.address == server.address);
        found.copied()
    };
    for server in &runs.servers {
        if in_list(&wanted.servers, server).is_none() {
            let address = server.address;
            commands.push(Command::DeleteServer { service, address });
        }
    }
    for server in &wanted.servers {
        let server = *server;
        match in_list(&runs.servers, &server) {
            None => commands.push(Command::AddServer { service, server }),
            Some(same) if same == server => {}
            Some(_) => commands.push(Command::EditServer { service, server }),
        }
    }
}

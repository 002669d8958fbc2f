//! Taking everything back, from the record alone.
//!
//! Each part may have been changed or not, and may have been taken back before:
//! all of this can be repeated until it succeeds. A part that fails does not
//! keep the others from being restored.

use std::io;

use thiserror::Error;
use vsnat_config::DirectorName;
use vsnat_dataplane::DataPlane;

use crate::host::address::{self, InterfaceAddress};
use crate::host::{bpffs, diversion, masquerade, masquerade6, sysctl};
use crate::paths::Paths;
use crate::record::Record;

/// What could not be taken back. The record is kept, so it can be tried again.
#[derive(Clone, Debug, Error)]
#[error(
    "not everything could be restored: {}; put that right and run `vsnat down` again",
    failures.join("; ")
)]
pub struct RestoreError {
    failures: Vec<String>,
}

/// Takes back what the record of a director says, and forgets the record.
/// The calling thread is in the director's network namespace.
pub fn restore(name: &DirectorName, paths: &Paths, record: &Record) -> Result<(), RestoreError> {
    let mut failures = host(record);
    failures.extend(data_plane(name));
    for mount_point in &record.mounted {
        if let Err(error) = bpffs::unmount_if_empty() {
            failures.push(format!("unmounting {}: {error}", mount_point.display()));
        }
    }
    finish(paths, failures)
}

/// Removes what outlives a network namespace that is gone.
pub fn remove_leftovers(name: &DirectorName, paths: &Paths) -> Result<(), RestoreError> {
    finish(paths, data_plane(name))
}

/// Restores addresses, rules, masquerade, forwarding and neighbour timers: the reverse of their making.
pub fn host(record: &Record) -> Vec<String> {
    let mut failures = remove_addresses(record.added_addresses.iter().rev());
    if record.diversion.is_some()
        && let Err(error) = diversion::remove()
    {
        failures.push(format!("rules of FTP's helper: {error}"));
    }
    if let Some(table) = &record.table
        && let Err(error) = masquerade::remove(table)
    {
        failures.push(format!("nftables table {table}: {error}"));
    }
    // A removal that was cut short has left it switched on.
    if let Err(error) = sysctl::restore(&record.promotion) {
        failures.push(format!("promotion of addresses: {error}"));
    }
    if let Some(table) = &record.table6
        && let Err(error) = masquerade6::remove(table)
    {
        failures.push(format!("nftables table ip6 {table}: {error}"));
    }
    if let Err(error) = sysctl::restore(&record.forwarding) {
        failures.push(format!("IPv4 forwarding: {error}"));
    }
    if let Err(error) = sysctl::restore(&record.neighbours) {
        failures.push(format!("neighbour timers: {error}"));
    }
    if let Err(error) = sysctl::restore(&record.loopback) {
        failures.push(format!("the loopback interface: {error}"));
    }
    if let Err(error) = sysctl::restore(&record.own_sources) {
        failures.push(format!("accept_local: {error}"));
    }
    if let Err(error) = sysctl::restore(&record.ipv6) {
        failures.push(format!("IPv6 forwarding: {error}"));
    }
    failures
}

/// Takes these addresses off, those that are still there.
pub fn remove_addresses<'a>(unwanted: impl Iterator<Item = &'a InterfaceAddress>) -> Vec<String> {
    let present = match address::all() {
        Ok(present) => present,
        Err(error) => return vec![listing_failed(&error)],
    };
    let mut failures = Vec::new();
    for unwanted in unwanted.filter(|address| present.contains(address)) {
        if let Err(error) = address::remove(unwanted) {
            failures.push(error.to_string());
        }
    }
    failures
}

fn listing_failed(error: &io::Error) -> String {
    format!("listing the addresses of this host: {error}")
}

fn data_plane(name: &DirectorName) -> Vec<String> {
    match DataPlane::remove(name.as_str()) {
        Ok(()) => Vec::new(),
        Err(error) => vec![format!("data plane: {error}")],
    }
}

fn finish(paths: &Paths, mut failures: Vec<String>) -> Result<(), RestoreError> {
    if failures.is_empty()
        && let Err(error) = Record::delete(&paths.record)
    {
        failures.push(error.to_string());
    }
    if failures.is_empty() {
        return Ok(());
    }
    Err(RestoreError { failures })
}

//! From a checked host to a working director.
//!
//! The record is on disk before the first change. When a start fails, a host
//! that had no director before is left as it was found; one whose data plane
//! was forwarding already goes on forwarding.

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;
use vsnat_api::{InterfaceView, Side};
use vsnat_config::{Config, Desired, DirectorName, SETTABLE_STATES, describe};
use vsnat_dataplane::{DataPlane, LOOPBACK, Limits, OpenOptions, Origin, Timeouts};

use crate::engine::{Engine, Parts};
use crate::host::address::{self, InterfaceAddress};
use crate::host::bpffs::{self, Bpffs};
use crate::host::masquerade::{self, Rules};
use crate::host::masquerade6::{self, Rules6};
use crate::host::sysctl::Setting;
use crate::host::{advertise, arp, forwarding, link, loopback, neighbours, own_source};
use crate::lanes;
use crate::nat;
use crate::netns::Namespace;
use crate::paths::Paths;
use crate::preflight::{self, Host, PreflightError};
use crate::reconcile::{reconcile, running};
use crate::record::{Record, RecordError};
use crate::restore;
use crate::six;
use crate::watch::Seen;

/// What a director is started with.
#[derive(Clone, Debug)]
pub struct Setup {
    pub config: Config,
    pub name: DirectorName,
    pub paths: Paths,
    pub namespace: Namespace,
    pub object: Option<PathBuf>,
}

/// Why a director did not start.
#[derive(Debug, Error)]
pub enum StartError {
    #[error(transparent)]
    Preflight(#[from] PreflightError),
    #[error(transparent)]
    Record(#[from] RecordError),
    #[error("cannot load the packet path: {message}")]
    DataPlane { message: String },
    #[error("cannot attach to {interface}: {message}")]
    Attach { interface: String, message: String },
    #[error("cannot attach as the file asks: {message}")]
    Accelerate { message: String },
    #[error("the data plane refuses \"{what}\": {message}")]
    Refused { what: String, message: String },
    #[error("cannot change the host: {what}: {message}")]
    Host { what: String, message: String },
}

/// Checks, records, changes. Nothing is changed when a check fails.
pub(crate) fn start(setup: Setup) -> Result<Arc<Engine>, StartError> {
    let found = Record::load(&setup.paths.record)?;
    let host = preflight::check(&setup.config, &setup.name, found.as_ref())?;
    let is_new = found.is_none() && !DataPlane::is_pinned(setup.name.as_str());
    let record = record(&setup, found.clone(), &host);
    record.save(&setup.paths.record)?;
    let changed = change(&setup, record.clone(), &host);
    if let Err(error) = &changed {
        match (is_new, error) {
            (true, _) => undo(&setup, &record),
            // Nothing was changed yet, so what was recorded for it is not true.
            (false, StartError::DataPlane { .. }) => put_back(&setup, found.as_ref()),
            (false, _) => {}
        }
    }
    Ok(Arc::new(Engine::new(setup, changed?)))
}

fn undo(setup: &Setup, record: &Record) {
    if let Err(error) = restore::restore(&setup.name, &setup.paths, record) {
        tracing::error!("{error}");
    }
}

fn put_back(setup: &Setup, found: Option<&Record>) {
    let path = &setup.paths.record;
    let done = match found {
        Some(found) => found.save(path),
        None => Record::delete(path),
    };
    if let Err(error) = done {
        tracing::error!("{error}");
    }
}

/// The record of the director so far, or a new one, with what this start adds.
pub fn record(setup: &Setup, found: Option<Record>, host: &Host) -> Record {
    let namespace = setup.namespace.clone();
    let mut record = found.unwrap_or_else(|| Record::new(namespace, host.forwarding.clone()));
    let is_known = |known: &Setting| known.switch == host.promotion.switch;
    if !record.promotion.iter().any(is_known) {
        record.promotion.push(host.promotion.clone());
    }
    for address in &host.absent {
        if !record.added_addresses.contains(address) {
            record.added_addresses.push(address.clone());
        }
    }
    for timer in &host.neighbours {
        let is_known = |known: &Setting| known.switch == timer.switch;
        if !record.neighbours.iter().any(is_known) {
            record.neighbours.push(timer.clone());
        }
    }
    for switch in &host.loopback {
        if !record
            .loopback
            .iter()
            .any(|known| known.switch == switch.switch)
        {
            record.loopback.push(switch.clone());
        }
    }
    for switch in &host.own_sources {
        let is_known = |known: &Setting| known.switch == switch.switch;
        if !record.own_sources.iter().any(is_known) {
            record.own_sources.push(switch.clone());
        }
    }
    if record.ipv6.is_empty() {
        record.ipv6.clone_from(&host.ipv6);
    }
    if !masquerade6::hidden(&setup.config, &host.addresses).is_empty() {
        record.table6 = Some(masquerade::table_of(&setup.name));
    }
    for interface in interfaces(&setup.config) {
        if !record.interfaces.iter().any(|known| known == interface) {
            record.interfaces.push(interface.to_owned());
        }
    }
    if nat::wants_table(&setup.config) {
        record.table = Some(masquerade::table_of(&setup.name));
    }
    if host.bpffs == Bpffs::Mountable {
        record.mounted = vec![PathBuf::from(bpffs::MOUNT_POINT)];
    }
    record
}

fn change(setup: &Setup, mut record: Record, host: &Host) -> Result<Parts, StartError> {
    let config = &setup.config;
    if host.bpffs == Bpffs::Mountable {
        bpffs::mount_it().map_err(|error| host_error("mounting the BPF file system", error))?;
    }
    let (mut data_plane, origin) = open(setup)?;
    match origin {
        // In an empty data plane nothing was changed at run time.
        Origin::Loaded => record.applied = Desired::default(),
        Origin::Adopted { .. } => {}
    }
    settle(setup, &mut data_plane, &mut record, host)?;
    let views = attach(config, &mut data_plane)?;

    let keys = data_plane.service_keys();
    nat::warn_of_taken(config, &data_plane);
    let marks = data_plane.marks();
    let rules = preflight::masquerade_rules(config, &setup.name, &host.addresses, keys, &marks);
    masquerade::spare_ports(&mut data_plane, rules.as_ref());
    for change in host_changes(config, host, rules.as_ref(), &record) {
        change.make()?;
    }
    let keys = data_plane.service_keys();
    let rules6 = six::rules(config, &setup.name, &host.addresses, keys);
    hide_ipv6(rules6.as_ref(), &record)?;
    leave_old(config, &mut data_plane, &mut record);
    record.applied = config.desired();
    record.save(&setup.paths.record)?;
    // Those of a predecessor too: he may have died before he told anybody.
    let seen = Seen::now(config, &record.added_addresses);
    Ok(Parts {
        data_plane,
        record,
        estimator: Default::default(),
        interfaces: views,
        rules,
        rules6,
        seen,
    })
}

/// The servers' own traffic of IPv6.
fn hide_ipv6(rules: Option<&Rules6>, record: &Record) -> Result<(), StartError> {
    let Some(table) = &record.table6 else {
        return Ok(());
    };
    six::hide(rules, table).map_err(|error| host_error("masquerade of IPv6", error))
}

fn open(setup: &Setup) -> Result<(DataPlane, Origin), StartError> {
    let limits = setup.config.limits;
    let options = OpenOptions {
        name: setup.name.to_string(),
        limits: Limits {
            connections: limits.connections,
            services: limits.services,
            servers: limits.servers,
        },
        object: setup.object.clone(),
    };
    let (data_plane, origin) = DataPlane::open(&options).map_err(|error| {
        let message = error.to_string();
        StartError::DataPlane { message }
    })?;
    match origin {
        Origin::Loaded => tracing::info!("loaded the packet path"),
        Origin::Adopted { running, loaded } => {
            let connections = data_plane.table().live;
            tracing::info!("adopted the running packet path with {connections} connections");
            if running != loaded {
                tracing::info!("program {loaded:016x} replaces {running:016x}");
            }
        }
    }
    Ok((data_plane, origin))
}

/// Timeouts, martian sources, and everything that commands change too.
fn settle(
    setup: &Setup,
    data_plane: &mut DataPlane,
    record: &mut Record,
    host: &Host,
) -> Result<(), StartError> {
    let config = &setup.config;
    let actual = running(data_plane);
    data_plane.set_timeouts(&timeouts(config, actual.timeouts));

    let own = own_networks(config, &host.addresses);
    let set = data_plane.set_own_networks(&own);
    set.map_err(|error| refused("own networks", &error.to_string()))?;
    data_plane.set_sources(&sources(config, &host.addresses));

    let own = six::own_networks(config, &host.addresses);
    let set = data_plane.set_own_networks6(&own);
    set.map_err(|error| refused("own networks of IPv6", &error.to_string()))?;

    let is_new = actual == Desired::default();
    let file = config.desired();
    let refusals = reconcile(data_plane, &record.applied, &file);
    for refusal in refusals {
        let what = describe(&refusal.command);
        if is_new {
            return Err(refused(&what, &refusal.error.to_string()));
        }
        tracing::error!("the data plane refuses \"{what}\": {}", refusal.error);
    }
    Ok(())
}

/// Those of the file, but for the ones that are reconciled like services: they
/// stay as they run until then.
fn timeouts(config: &Config, running: vsnat_api::Timeouts) -> Timeouts {
    let mut timeouts = Timeouts::default();
    for (state, timeout) in &config.timeouts {
        timeouts.set(*state, *timeout);
    }
    let running = [running.tcp_s, running.tcp_fin_s, running.udp_s];
    for (state, seconds) in SETTABLE_STATES.into_iter().zip(running) {
        timeouts.set(state, Duration::from_secs(seconds.into()));
    }
    timeouts
}

fn attach(config: &Config, data_plane: &mut DataPlane) -> Result<Vec<InterfaceView>, StartError> {
    let mut views = Vec::new();
    for (interface, side) in sides(config) {
        let attached_by = data_plane.attach(interface, side);
        let attached_by = attached_by.map_err(|error| StartError::Attach {
            interface: interface.to_owned(),
            message: error.to_string(),
        })?;
        tracing::info!("attached to {interface} by {attached_by}");
        views.push(InterfaceView {
            name: interface.to_owned(),
            side,
            attached_by: attached_by.to_string(),
            accelerated_by: String::new(),
            why: String::new(),
        });
    }
    let attached_by = data_plane.attach_loopback();
    let attached_by = attached_by.map_err(|error| StartError::Attach {
        interface: LOOPBACK.to_owned(),
        message: error.to_string(),
    })?;
    tracing::info!("attached to {LOOPBACK} by {attached_by}");
    front(config, data_plane, &mut views)?;
    Ok(views)
}

/// XDP in front of TC, where it is asked for or pays.
fn front(
    config: &Config,
    data_plane: &mut DataPlane,
    views: &mut [InterfaceView],
) -> Result<(), StartError> {
    let links = link::all().map_err(|error| host_error("looking at the interfaces", error))?;
    let results = lanes::accelerate(config, &links, data_plane).map_err(|error| {
        let message = error.to_string();
        StartError::Accelerate { message }
    })?;
    lanes::show(&results, views);
    Ok(())
}

/// Leaves the interfaces and addresses of an earlier file. What fails here is
/// no reason not to serve the new one.
fn leave_old(config: &Config, data_plane: &mut DataPlane, record: &mut Record) {
    let wanted: Vec<&str> = interfaces(config).collect();
    let is_wanted = |name: &String| wanted.contains(&name.as_str());
    for old in record.interfaces.iter().filter(|name| !is_wanted(name)) {
        match data_plane.detach(old) {
            Ok(()) => tracing::info!("detached from {old}"),
            Err(error) => tracing::warn!("cannot detach from {old}: {error}"),
        }
    }
    record.interfaces.retain(is_wanted);
    record
        .added_addresses
        .retain(|address| preflight::is_wanted(config, address));
}

/// A change of the host outside the data plane.
#[derive(Debug)]
pub enum HostChange<'a> {
    Forwarding(Vec<&'a str>),
    Neighbours(&'a str),
    Loopback,
    OwnSource(&'a str),
    /// IPv6 forwarding, with the neighbour timers of the inner interfaces.
    Ipv6(&'a Config),
    Masquerade(&'a Rules),
    NoMasquerade(&'a str),
    RemoveAddress(&'a InterfaceAddress),
    AddAddress(&'a InterfaceAddress),
    Announce(&'a Host, &'a InterfaceAddress),
}

/// The changes in their order: the VIP comes last, when all behind it works.
pub fn host_changes<'a>(
    config: &'a Config,
    host: &'a Host,
    rules: Option<&'a Rules>,
    record: &'a Record,
) -> Vec<HostChange<'a>> {
    let mut changes = vec![HostChange::Forwarding(interfaces(config).collect())];
    let inner = config.inner.iter().map(String::as_str);
    changes.extend(inner.clone().map(HostChange::Neighbours));
    changes.extend(inner.map(HostChange::OwnSource));
    changes.push(HostChange::Loopback);
    if !record.ipv6.is_empty() {
        changes.push(HostChange::Ipv6(config));
    }
    match (rules, &record.table) {
        (Some(rules), _) => changes.push(HostChange::Masquerade(rules)),
        (None, Some(table)) => changes.push(HostChange::NoMasquerade(table)),
        (None, None) => {}
    }
    let added = record.added_addresses.iter();
    let unwanted = added.filter(|a| !preflight::is_wanted(config, a) && host.addresses.contains(a));
    changes.extend(unwanted.map(HostChange::RemoveAddress));
    for vip in &host.absent {
        changes.push(HostChange::AddAddress(vip));
        changes.push(HostChange::Announce(host, vip));
    }
    changes
}

impl HostChange<'_> {
    pub fn make(&self) -> Result<(), StartError> {
        match self {
            HostChange::Forwarding(interfaces) => {
                let enabled = forwarding::enable(interfaces);
                enabled.map_err(|error| host_error("switching on IPv4 forwarding", error))
            }
            HostChange::Neighbours(interface) => {
                let watched = neighbours::watch(interface);
                watched.map_err(|error| host_error("shortening the neighbour timers", error))
            }
            HostChange::Loopback => {
                loopback::open().map_err(|error| host_error("letting servers' answers in", error))
            }
            HostChange::OwnSource(interface) => {
                let accepted = own_source::accept(interface);
                accepted.map_err(|error| host_error("switching on accept_local", error))
            }
            HostChange::Ipv6(config) => {
                let enabled = six::enable(config);
                enabled.map_err(|error| host_error("switching on IPv6 forwarding", error))
            }
            HostChange::Masquerade(rules) => {
                masquerade::apply(rules).map_err(|error| host_error("masquerade", error))
            }
            HostChange::NoMasquerade(table) => {
                masquerade::remove(table).map_err(|error| host_error("masquerade", error))
            }
            HostChange::RemoveAddress(old) => {
                tracing::info!("removing {} from {}", old.address, old.interface);
                address::remove(old).map_err(|error| host_error("removing an address", error))
            }
            HostChange::AddAddress(vip) => {
                tracing::info!("putting VIP {} on {}", vip.address, vip.interface);
                address::add(vip).map_err(|error| host_error("adding a VIP", error))
            }
            HostChange::Announce(host, vip) => {
                announce(&host.outer, vip);
                Ok(())
            }
        }
    }
}

/// A neighbour that misses this learns the address a little later by itself.
pub fn announce(outer: &crate::host::link::Link, vip: &InterfaceAddress) {
    if !outer.is_running() {
        return;
    }
    let announced = match vip.address.addr() {
        IpAddr::V4(address) => arp::announce(outer, address),
        IpAddr::V6(address) => advertise::announce(outer, address),
    };
    if let Err(error) = announced {
        tracing::warn!(
            "cannot announce {} on its link: {error}",
            vip.address.addr()
        );
    }
}

/// Sources that nobody on the outer side may have: the inner networks and the
/// addresses of the director itself.
pub fn own_networks(config: &Config, addresses: &[InterfaceAddress]) -> Vec<ipnet::Ipv4Net> {
    let mut own = preflight::inner_networks(config, addresses);
    let here = addresses.iter().filter_map(|a| Some(a.ipv4()?.addr()));
    let vips = config.vips.iter().filter_map(|vip| match vip.addr() {
        IpAddr::V4(address) => Some(address),
        IpAddr::V6(_) => None,
    });
    let hosts = here.chain(vips).filter(|address| !address.is_loopback());
    own.extend(hosts.map(ipnet::Ipv4Net::from));
    ipnet::Ipv4Net::aggregate(&own)
}

/// The director's addresses as servers may see them: those on their side first,
/// and of one side those that are no VIP.
pub fn sources(config: &Config, addresses: &[InterfaceAddress]) -> Vec<ipnet::Ipv4Net> {
    let place = |a: &&InterfaceAddress| {
        let inner = config.inner.iter().position(|name| *name == a.interface);
        let is_vip = config.vips.iter().any(|vip| vip.addr() == a.address.addr());
        match inner {
            Some(index) => (index, is_vip),
            None if a.interface == config.outer => (config.inner.len(), is_vip),
            None => (usize::MAX, is_vip),
        }
    };
    let mut own: Vec<_> = addresses
        .iter()
        .filter(|a| place(a).0 != usize::MAX)
        .collect();
    own.sort_by_key(place);
    own.into_iter().filter_map(InterfaceAddress::ipv4).collect()
}

/// The configured interfaces, the outer one first.
pub fn sides(config: &Config) -> impl Iterator<Item = (&str, Side)> {
    let inner = config.inner.iter().map(|name| (name.as_str(), Side::Inner));
    std::iter::once((config.outer.as_str(), Side::Outer)).chain(inner)
}

fn interfaces(config: &Config) -> impl Iterator<Item = &str> {
    sides(config).map(|(name, _)| name)
}

fn refused(what: &str, message: &str) -> StartError {
    StartError::Refused {
        what: what.to_owned(),
        message: message.to_owned(),
    }
}

fn host_error(what: &str, error: impl std::fmt::Display) -> StartError {
    StartError::Host {
        what: what.to_owned(),
        message: error.to_string(),
    }
}

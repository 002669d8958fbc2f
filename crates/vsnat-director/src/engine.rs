//! The director at work: one owner of the data plane and of the host's state.
//!
//! All calls block (system calls, tools of the host); tasks make them through
//! [`Engine::blocking`]. A single lock keeps commands, samples and repairs in
//! one order.

use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use thiserror::Error;
use tokio::sync::Notify;
use vsnat_api::{
    Command, CommandError, ConnectionView, Deny, InterfaceView, Marks, Services, Settings, Status,
    Timeouts,
};
use vsnat_config::Config;
use vsnat_dataplane::DataPlane;

use crate::check::check;
use crate::estimator::Estimator;
use crate::host::address::{self, InterfaceAddress};
use crate::host::masquerade::{self, Rules};
use crate::host::masquerade6::Rules6;
use crate::nat;
use crate::preflight;
use crate::reconcile;
use crate::record::Record;
use crate::restore::{self, RestoreError};
use crate::six;
use crate::start::Setup;
use crate::watch::Seen;

/// Servers whose counters are read in one go, in a third of a millisecond.
const AT_ONCE: usize = 200;
/// So long the others may come in.
const LET_IN: Duration = Duration::from_micros(20);

/// A working director.
pub(crate) struct Engine {
    pub setup: Setup,
    started: Instant,
    /// None once everything is taken back.
    parts: Mutex<Option<Parts>>,
    /// Told of each round of commands.
    pub changed: Notify,
}

/// What the lock protects.
pub(crate) struct Parts {
    pub data_plane: DataPlane,
    pub record: Record,
    pub estimator: Estimator,
    pub interfaces: Vec<InterfaceView>,
    /// The masquerade as it is applied.
    pub rules: Option<Rules>,
    /// That of IPv6.
    pub rules6: Option<Rules6>,
    pub seen: Seen,
}

/// The data plane is being removed, or was.
#[derive(Clone, Copy, Debug, Error)]
#[error("the director is being taken down")]
pub(crate) struct Gone;

impl Engine {
    pub fn new(setup: Setup, parts: Parts) -> Self {
        Engine {
            setup,
            started: Instant::now(),
            parts: Mutex::new(Some(parts)),
            changed: Notify::new(),
        }
    }

    /// Makes a blocking call off the runtime's thread.
    pub async fn blocking<T: Send + 'static>(
        self: &Arc<Self>,
        call: impl FnOnce(&Engine) -> Result<T, Gone> + Send + 'static,
    ) -> Result<T, Gone> {
        let engine = Arc::clone(self);
        let called = tokio::task::spawn_blocking(move || call(&engine)).await;
        // The task is never cancelled; should it panic, its answer is gone.
        called.unwrap_or(Err(Gone))
    }

    pub fn status(&self) -> Result<Status, Gone> {
        self.with(|parts| Status {
            name: self.setup.name.to_string(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            uptime_s: self.started.elapsed().as_secs(),
            interfaces: parts.interfaces.clone(),
            table: parts.data_plane.table(),
            sweeper: parts.data_plane.sweeper(),
            memory_bytes: memory(&parts.data_plane),
            settings: reconcile::running(&parts.data_plane).settings,
            reasons: parts.data_plane.reasons(),
        })
    }

    pub fn services(&self) -> Result<Services, Gone> {
        self.with(|parts| {
            let mut services = parts.data_plane.services();
            parts.estimator.fill(&mut services);
            Services {
                capacity: parts.data_plane.capacity(),
                services,
            }
        })
    }

    /// The connections of so many slots, and the slot after them if there are
    /// more.
    pub fn connections(
        &self,
        first_slot: u32,
        slots: u32,
    ) -> Result<(Vec<ConnectionView>, Option<u32>), Gone> {
        self.with(|parts| {
            let mut views = Vec::new();
            let data_plane = &parts.data_plane;
            let next = data_plane.connections_from(first_slot, slots, |view| views.push(view));
            (views, next)
        })
    }

    pub fn timeouts(&self) -> Result<Timeouts, Gone> {
        self.with(|parts| parts.data_plane.timeouts())
    }

    pub fn settings(&self) -> Result<Settings, Gone> {
        self.with(|parts| Settings {
            settings: parts.data_plane.settings(),
        })
    }

    pub fn marks(&self) -> Result<Marks, Gone> {
        self.with(|parts| Marks {
            rules: parts.data_plane.marks(),
        })
    }

    pub fn deny(&self) -> Result<Deny, Gone> {
        self.with(|parts| {
            let mut prefixes = parts.data_plane.deny();
            prefixes.sort();
            Deny { prefixes }
        })
    }

    /// Carries out commands in their order; each succeeds or fails by itself.
    pub fn apply(&self, commands: &[Command]) -> Result<Vec<Result<(), CommandError>>, Gone> {
        let results = self.with(|parts| {
            let setup = &self.setup;
            let results = commands.iter().map(|command| parts.apply(command, setup));
            let results = results.collect();
            if commands.iter().any(changes_ports) {
                self.refresh_masquerade(parts);
            }
            results
        });
        self.changed.notify_one();
        results
    }

    /// One period of the rate estimator, and of tidying up. There may be a
    /// hundred thousand servers: whoever waits comes in between.
    pub fn sample(&self) -> Result<(), Gone> {
        self.with(|parts| parts.data_plane.tend())?;
        let mut last = None;
        loop {
            last = self.with(|parts| {
                let services = parts.data_plane.services_after(last, AT_ONCE);
                parts.estimator.sample(&services);
                services.last().map(|service| service.spec.key)
            })?;
            if last.is_none() {
                return self.with(|parts| parts.estimator.end_period());
            }
            thread::sleep(LET_IN);
        }
    }

    /// Repairs what the removal and return of an interface broke.
    pub fn look(&self) -> Result<(), Gone> {
        self.with(|parts| parts.look(&self.setup, |parts| self.refresh_masquerade(parts)))
    }

    /// Links, routes or neighbours have changed.
    pub fn network_changed(&self) -> Result<(), Gone> {
        self.with(|parts| parts.data_plane.forget_next_hops())?;
        self.look()
    }

    /// Tells what the file now says differently; changes nothing.
    pub fn compare(&self, file: &Config) -> Result<(), Gone> {
        for setting in self.setup.config.settings_unlike(file) {
            tracing::info!("a restart carries out what the file says now of {setting}");
        }
        if self.setup.config.limits != file.limits {
            let name = &self.setup.name;
            tracing::warn!(
                "a restart would be refused, since the file has other [limits] now: `vsnat down \
                 --name {name}` first, which ends all connections"
            );
        }
        self.with(|parts| {
            let running = reconcile::running(&parts.data_plane);
            reconcile::compare(&running, &parts.record.applied, &file.desired());
        })
    }

    /// Removes the data plane and restores the host as it was found.
    pub fn remove(&self) -> Result<Result<(), RestoreError>, Gone> {
        let parts = self.lock().take().ok_or(Gone)?;
        let Parts {
            data_plane, record, ..
        } = parts;
        drop(data_plane);
        let Setup { name, paths, .. } = &self.setup;
        Ok(restore::restore(name, paths, &record))
    }

    /// Keeps the masquerade's source ports apart from those of the services,
    /// and its networks those of the inner interfaces.
    fn refresh_masquerade(&self, parts: &mut Parts) {
        let Setup { config, name, .. } = &self.setup;
        let Ok(addresses) = address::all() else {
            return;
        };
        let keys = parts.data_plane.service_keys();
        let marks = parts.data_plane.marks();
        let rules = preflight::masquerade_rules(config, name, &addresses, keys, &marks);
        self.refresh_masquerade6(parts, &addresses);
        if rules == parts.rules {
            return;
        }
        let table = masquerade::table_of(name);
        let result = match &rules {
            Some(rules) if rules.lack_ports() => {
                tracing::error!(
                    "no source port is left for masquerade; the rules stay as they are"
                );
                return;
            }
            Some(rules) => masquerade::apply(rules),
            None => masquerade::remove(&table),
        };
        match result {
            Ok(()) => {
                masquerade::spare_ports(&mut parts.data_plane, rules.as_ref());
                parts.rules = rules;
            }
            Err(error) => tracing::error!("cannot adapt the masquerade: {error}"),
        }
    }

    /// The same for IPv6.
    fn refresh_masquerade6(&self, parts: &mut Parts, addresses: &[InterfaceAddress]) {
        let Setup { config, name, .. } = &self.setup;
        let keys = parts.data_plane.service_keys();
        let rules6 = six::rules(config, name, addresses, keys);
        if rules6 == parts.rules6 {
            return;
        }
        let table = masquerade::table_of(name);
        if parts.record.table6.is_none() {
            parts.record.table6 = Some(table.clone());
            if let Err(error) = parts.record.save(&self.setup.paths.record) {
                tracing::error!("cannot adapt the masquerade of IPv6: {error}");
                return;
            }
        }
        match six::hide(rules6.as_ref(), &table) {
            Ok(()) => parts.rules6 = rules6,
            Err(error) => tracing::error!("cannot adapt the masquerade of IPv6: {error}"),
        }
    }

    pub fn with<T>(&self, call: impl FnOnce(&mut Parts) -> T) -> Result<T, Gone> {
        let mut guard = self.lock();
        let parts = guard.as_mut().ok_or(Gone)?;
        Ok(call(parts))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Parts>> {
        self.parts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Kernel memory of the tables; 0 where the kernel does not tell.
fn memory(data_plane: &DataPlane) -> u64 {
    match data_plane.footprint() {
        Ok(maps) => maps.iter().map(|map| map.bytes).sum(),
        Err(error) => {
            tracing::warn!("the memory of the tables is not known: {error}");
            0
        }
    }
}

/// Whether the ports of the services may be others after a command.
fn changes_ports(command: &Command) -> bool {
    match command {
        Command::AddService(_)
        | Command::DeleteService(_)
        | Command::Clear
        // A port that its packets took can be forwarded again.
        | Command::MarkDelete(_) => true,
        Command::EditService(_)
        | Command::AddServer { .. }
        | Command::EditServer { .. }
        | Command::DeleteServer { .. }
        | Command::Zero(_)
        | Command::DenyAdd(_)
        | Command::DenyDelete(_)
        | Command::SetTimeouts(_)
        | Command::Set(_)
        | Command::MarkAdd(_) => false,
    }
}

impl Parts {
    fn apply(&mut self, command: &Command, setup: &Setup) -> Result<(), CommandError> {
        check(command, &setup.config)?;
        nat::check(command, &setup.config, &self.data_plane)?;
        self.ready_for(command, setup)?;
        self.data_plane.apply(command)?;
        tracing::info!("command: {}", vsnat_config::describe(command));
        if let Command::Zero(service) = command {
            self.estimator.reset(*service);
        }
        Ok(())
    }
}

//! The rules of the tables: what a command does to them, and in which order,
//! so that a packet that passes meanwhile sees the old or the new.
//!
//! Everything a plane knows can be read back from the tables: a director that
//! starts again adopts them as they are.

mod deny;
mod deny6;
mod expect;
mod families;
mod filters;
mod helped;
mod listing;
mod marks;
pub mod order;
mod presence;
mod records;
mod roster;
mod served;
mod servers;
mod services;
mod settings;
mod sources;
mod space;
mod stand_ins;
mod tables;
mod views;

use std::collections::BTreeMap;

use ipnet::Ipv4Net;
use vsnat_abi::service::ServiceKey4;
use vsnat_abi::time::coarse_from_ns;
use vsnat_api::{
    Command, CommandError, Helper, MarkRule, Persistence, Scheduler, SchedulerFlags, ServiceKey,
    Source,
};

use crate::plane::expect::Expectations;
use crate::plane::filters::Filters;
use crate::plane::presence::Presence;
use crate::plane::roster::Roster;
use crate::plane::served::ServedBy;
use crate::plane::sources::Sources;
use crate::plane::space::Space;
use crate::plane::stand_ins::StandIns;
use crate::{Backend, BackendError};

pub use expect::{ExpectError, Proxied};
pub use stand_ins::StandInError;

/// The tables and their rules.
#[derive(Debug)]
pub struct Plane<B> {
    backend: B,
    services: BTreeMap<ServiceKey, Known>,
    space: Space,
    filters: Filters,
    roster: Roster,
    presence: Presence,
    next_order: u64,
    /// What the deny table holds: nobody else writes it, and the kernel's trie
    /// answers by longest match only.
    deny: BTreeMap<Ipv4Net, u32>,
    marks: Vec<MarkRule>,
    served_by: ServedBy,
    expectations: Expectations,
    sources: Sources,
    stand_ins: StandIns,
}

/// A service that is in force.
#[derive(Clone, Debug)]
struct Known {
    index: u32,
    /// What the packet path finds it by.
    key: ServiceKey4,
    scheduler: Scheduler,
    flags: SchedulerFlags,
    persistence: Option<Persistence>,
    one_packet: bool,
    helper: Option<Helper>,
    source: Source,
    /// Destinations, newest first.
    dests: Vec<u32>,
    /// View written last, as a number within the service's views.
    view: u32,
}

impl<B: Backend> Plane<B> {
    /// Takes over the tables as they are.
    pub fn new(backend: B) -> Self {
        let memory = *backend.memory();
        let mut plane = Plane {
            backend,
            services: BTreeMap::new(),
            space: Space::new(memory.ring.len()),
            filters: Filters::new(memory.filters),
            roster: Roster::default(),
            presence: Presence::default(),
            next_order: 1,
            deny: BTreeMap::new(),
            marks: Vec::new(),
            served_by: ServedBy::new(),
            expectations: Expectations::default(),
            sources: Sources::default(),
            stand_ins: StandIns::default(),
        };
        plane.adopt();
        plane
    }

    pub fn backend(&self) -> &B {
        &self.backend
    }

    pub fn backend_mut(&mut self) -> &mut B {
        &mut self.backend
    }

    /// Lets go of the tables, as they are.
    pub fn into_backend(self) -> B {
        self.backend
    }

    /// Carries out one command wholly, or refuses it and changes nothing.
    pub fn apply(&mut self, command: &Command) -> Result<(), CommandError> {
        match command {
            Command::AddService(spec) => self.add_service(spec),
            Command::EditService(spec) => self.edit_service(spec),
            Command::DeleteService(key) => self.delete_service(*key),
            Command::Clear => self.clear(),
            Command::AddServer { service, server } => self.add_server(*service, server),
            Command::EditServer { service, server } => self.edit_server(*service, server),
            Command::DeleteServer { service, address } => self.delete_server(*service, *address),
            Command::Zero(key) => self.zero(*key),
            Command::DenyAdd(prefix) => self.deny_any(*prefix),
            Command::DenyDelete(prefix) => self.allow_any(*prefix),
            Command::SetTimeouts(timeouts) => self.change_timeouts(*timeouts),
            Command::Set(setting) => self.set(*setting),
            Command::MarkAdd(rule) => self.mark_add(rule),
            Command::MarkDelete(rule) => self.mark_delete(rule),
        }
    }

    /// Makes the packet path ask for its next hops again: links, routes or
    /// neighbours have changed.
    pub fn forget_next_hops(&mut self) {
        if let Some(mut settings) = self.backend.memory().settings.read(0) {
            settings.hop_generation = settings.hop_generation.wrapping_add(1);
            self.backend.memory().settings.write(0, settings);
        }
    }

    /// Gives back what deleted servers held, once their connections are gone.
    /// To be called every few seconds.
    pub fn tend(&mut self) {
        self.collect_dests(servers::TRASH_COARSE);
        self.follow_interfaces();
        self.forget_overdue();
        self.collect_stand_ins();
    }

    fn now(&self) -> u64 {
        u64::from(coarse_from_ns(self.backend.now_ns()))
    }

    fn adopt(&mut self) {
        self.adopt_records();
        self.adopt_services();
        self.forget_expected();
        self.repair();
    }

    /// Finishes what a director that was killed in the middle of a command
    /// left half-done. Where nothing was, nothing changes: schedulers go on
    /// where they stand.
    fn repair(&mut self) {
        self.adopt_marks();
        self.filters.settle();
        self.adopt_server_keys();
        let services: Vec<(ServiceKey, Known)> = self
            .services
            .iter()
            .map(|(key, known)| (*key, known.clone()))
            .collect();
        for (key, mut known) in services {
            if !self.is_published(&known) {
                let standing = self.standing(&known);
                if let Err(error) = self.publish(&mut known, standing) {
                    tracing::error!(%key, %error, "the order of servers could not be mended");
                }
                self.services.insert(key, known.clone());
            }
            let put = self.backend.put_service_key(known.key, known.index);
            if let Err(error) = put {
                tracing::error!(%key, %error, "the service could not be mended");
            }
        }
        self.adopt_deny();
    }
}

fn failed(error: BackendError) -> CommandError {
    CommandError::Failed {
        message: error.to_string(),
    }
}

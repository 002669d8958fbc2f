//! Virtual services.

use vsnat_abi::destination::dest_state;
use vsnat_abi::net::{Be16, Be32};
use vsnat_abi::service::{NO_VIEW, Service, ServiceKey4, VIEWS_PER_SERVICE};
use vsnat_api::{CommandError, Protocol, Scheduler, SchedulerFlags, ServiceKey, ServiceSpec};

use crate::Backend;
use crate::plane::order::{Standing, scheduler_of};
use crate::plane::{Known, Plane, failed};

impl<B: Backend> Plane<B> {
    pub(super) fn add_service(&mut self, spec: &ServiceSpec) -> Result<(), CommandError> {
        if self.services.contains_key(&spec.key) {
            return Err(CommandError::ServiceExists);
        }
        let index = self.free_service()?;
        let key = key_to_kernel(spec.key);
        let service = Service {
            view: NO_VIEW,
            key,
            order: self.next_order,
            used: 1,
            residue: [0; 5],
        };
        self.backend.memory().services.write(index, service);
        let mut known = Known {
            index,
            scheduler: spec.scheduler,
            flags: spec.flags,
            dests: Vec::new(),
            view: 0,
        };
        self.publish(&mut known, Standing::default())?;
        self.services.insert(spec.key, known);
        self.rebuild_filters();
        if let Err(error) = self.backend.put_service_key(key, index) {
            self.forget_service(spec.key);
            return Err(failed(error));
        }
        self.next_order += 1;
        self.next_service = index + 1;
        Ok(())
    }

    /// As in IPVS another scheduler starts afresh, the same one goes on.
    pub(super) fn edit_service(&mut self, spec: &ServiceSpec) -> Result<(), CommandError> {
        let known = self.services.get(&spec.key);
        let mut known = known.ok_or(CommandError::NoSuchService)?.clone();
        if known.scheduler == spec.scheduler && known.flags == spec.flags {
            return Ok(());
        }
        let standing = match known.scheduler == spec.scheduler {
            true => self.standing(&known),
            false => Standing::default(),
        };
        known.scheduler = spec.scheduler;
        known.flags = spec.flags;
        self.publish(&mut known, standing)?;
        self.services.insert(spec.key, known);
        Ok(())
    }

    pub(super) fn delete_service(&mut self, key: ServiceKey) -> Result<(), CommandError> {
        if !self.services.contains_key(&key) {
            return Err(CommandError::NoSuchService);
        }
        let removed = self.backend.remove_service_key(key_to_kernel(key));
        removed.map_err(failed)?;
        self.forget_service(key);
        Ok(())
    }

    pub(super) fn clear(&mut self) -> Result<(), CommandError> {
        let keys: Vec<ServiceKey> = self.services.keys().copied().collect();
        keys.into_iter()
            .try_for_each(|key| self.delete_service(key))
    }

    pub(super) fn zero(&mut self, key: Option<ServiceKey>) -> Result<(), CommandError> {
        if key.is_some_and(|key| !self.services.contains_key(&key)) {
            return Err(CommandError::NoSuchService);
        }
        let memory = *self.backend.memory();
        for (index, mut dest) in memory.dests.iter() {
            let named = key.is_none_or(|key| dest.service == key_to_kernel(key));
            if named && matches!(dest.state, dest_state::AVAILABLE | dest_state::DELETED) {
                dest.baseline = self.backend.dest_totals(index);
                memory.dests.write(index, dest);
            }
        }
        for (known_key, known) in &self.services {
            if key.is_none_or(|key| key == *known_key)
                && let Some(mut service) = memory.services.read(known.index)
            {
                service.residue = [0; 5];
                memory.services.write(known.index, service);
            }
        }
        Ok(())
    }

    /// A service found in the tables.
    pub(super) fn adopt_service(&mut self, index: u32, service: &Service) {
        let memory = *self.backend.memory();
        let Some(key) = key_from_kernel(&service.key) else {
            return;
        };
        let mut dests: Vec<(u64, u32)> = memory
            .dests
            .iter()
            .filter(|(_, dest)| dest.state == dest_state::AVAILABLE && dest.service == service.key)
            .map(|(dest, found)| (found.order, dest))
            .collect();
        dests.sort_unstable_by(|a, b| b.cmp(a));
        let view = u32::try_from(service.view).ok();
        let read = view.and_then(|view| memory.views.read(view));
        let scheduler = read.and_then(|view| scheduler_of(view.scheduler));
        if let Some(view) = read {
            self.space.occupy(index, view.ring, view.ring_entries);
        }
        let known = Known {
            index,
            scheduler: scheduler.unwrap_or(Scheduler::Wlc),
            flags: SchedulerFlags::from_bits(read.map_or(0, |view| view.flags as u8)),
            dests: dests.into_iter().map(|(_, dest)| dest).collect(),
            view: view.unwrap_or(0) % VIEWS_PER_SERVICE,
        };
        self.services.insert(key, known);
    }

    /// Takes a service out of all tables but that of the keys.
    fn forget_service(&mut self, key: ServiceKey) {
        let Some(known) = self.services.remove(&key) else {
            return;
        };
        let memory = *self.backend.memory();
        let free = Service {
            view: NO_VIEW,
            ..Service::default()
        };
        memory.services.write(known.index, free);
        for index in known.dests {
            if let Some(mut dest) = memory.dests.read(index) {
                dest.state = dest_state::ORPHANED;
                dest.idle_since = 0;
                memory.dests.write(index, dest);
            }
        }
        self.orphan_deleted(key_to_kernel(key));
        self.space.release(known.index, self.backend.now_ns());
        self.rebuild_filters();
    }

    /// Indices are handed out in turn, so that one is not reused while a
    /// packet may still hold it.
    fn free_service(&self) -> Result<u32, CommandError> {
        let services = self.backend.memory().services;
        let len = services.len();
        let is_free = |index: &u32| services.read(*index).is_some_and(|s| s.used == 0);
        let found = (0..len)
            .map(|i| (self.next_service + i) % len)
            .find(is_free);
        found.ok_or_else(|| CommandError::Full {
            what: "services".to_owned(),
            limit: len,
        })
    }
}

pub(crate) fn key_to_kernel(key: ServiceKey) -> ServiceKey4 {
    ServiceKey4 {
        vip: Be32::from_bytes(key.address.ip().octets()),
        port: Be16::from_host(key.address.port()),
        protocol: key.protocol.number(),
        zero: 0,
    }
}

pub(crate) fn key_from_kernel(key: &ServiceKey4) -> Option<ServiceKey> {
    Some(ServiceKey {
        protocol: Protocol::from_number(key.protocol)?,
        address: super::listing::address(key.vip, key.port),
    })
}

//! Virtual services.

use std::net::Ipv4Addr;
use vsnat_abi::destination::dest_state;
use vsnat_abi::net::{Be16, Be32};

use vsnat_abi::service::{NO_VIEW, Service, ServiceKey4, VIEWS_PER_SERVICE, service_flag};
use vsnat_abi::time::{coarse_span_from_ms, ms_from_coarse};
use vsnat_api::{
    CommandError, Mark, Persistence, Protocol, Scheduler, SchedulerFlags, ServiceKey, ServiceSpec,
};

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
            flags: flags_of(spec),
            persistence: persistence_of(spec),
            netmask: netmask_of(spec),
            zero: 0,
            order: self.next_order,
            used: 1,
            residue: [0; 5],
        };
        self.backend.memory().services.write(index, service);
        let mut known = Known {
            index,
            scheduler: spec.scheduler,
            flags: spec.flags,
            persistence: spec.persistence,
            one_packet: spec.one_packet,
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
        self.note_presence();
        self.next_order += 1;
        self.next_service = index + 1;
        Ok(())
    }

    /// As in IPVS another scheduler starts afresh, the same one goes on.
    pub(super) fn edit_service(&mut self, spec: &ServiceSpec) -> Result<(), CommandError> {
        let known = self.services.get(&spec.key);
        let mut known = known.ok_or(CommandError::NoSuchService)?.clone();
        self.write_spec(known.index, spec);
        known.persistence = spec.persistence;
        known.one_packet = spec.one_packet;
        if known.scheduler == spec.scheduler && known.flags == spec.flags {
            self.services.insert(spec.key, known);
            self.note_presence();
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
        self.note_presence();
        Ok(())
    }

    fn write_spec(&self, index: u32, spec: &ServiceSpec) {
        let services = self.backend.memory().services;
        if let Some(mut service) = services.read(index) {
            service.flags = flags_of(spec);
            service.persistence = persistence_of(spec);
            service.netmask = netmask_of(spec);
            services.write(index, service);
        }
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
            persistence: persistence_in(service),
            one_packet: service.flags & service_flag::ONE_PACKET != 0,
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
            self.forget_server_key(index);
            if let Some(mut dest) = memory.dests.read(index) {
                dest.state = dest_state::ORPHANED;
                dest.idle_since = 0;
                memory.dests.write(index, dest);
            }
        }
        self.orphan_deleted(key_to_kernel(key));
        self.space.release(known.index, self.backend.now_ns());
        self.rebuild_filters();
        self.note_presence();
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

fn flags_of(spec: &ServiceSpec) -> u32 {
    let mut flags = 0;
    if spec.persistence.is_some() {
        flags |= service_flag::PERSISTENT;
    }
    if spec.one_packet {
        flags |= service_flag::ONE_PACKET;
    }
    flags
}

fn persistence_of(spec: &ServiceSpec) -> u32 {
    let timeout_s = spec.persistence.map_or(0, |p| p.timeout_s);
    coarse_span_from_ms(u64::from(timeout_s) * 1_000)
}

fn netmask_of(spec: &ServiceSpec) -> Be32 {
    let netmask = spec.persistence.map(|p| p.netmask);
    Be32::from_bytes(netmask.unwrap_or(Persistence::EVERY_CLIENT).octets())
}

fn persistence_in(service: &Service) -> Option<Persistence> {
    if service.flags & service_flag::PERSISTENT == 0 {
        return None;
    }
    Some(Persistence {
        timeout_s: (ms_from_coarse(service.persistence) / 1_000) as u32,
        netmask: Ipv4Addr::from(service.netmask.bytes()),
    })
}

pub(crate) fn key_to_kernel(key: ServiceKey) -> ServiceKey4 {
    match key {
        ServiceKey::Address { protocol, address } => ServiceKey4 {
            vip: Be32::from_bytes(address.ip().octets()),
            port: Be16::from_host(address.port()),
            protocol: protocol.number(),
            zero: 0,
        },
        ServiceKey::Mark { mark } => ServiceKey4::of_mark(mark.get()),
    }
}

pub(crate) fn key_from_kernel(key: &ServiceKey4) -> Option<ServiceKey> {
    if key.is_mark() {
        let mark = Mark::new(key.vip.host()).ok()?;
        return Some(ServiceKey::Mark { mark });
    }
    Some(ServiceKey::Address {
        protocol: Protocol::from_number(key.protocol)?,
        address: super::listing::address(key.vip, key.port),
    })
}

//! Virtual services.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use vsnat_abi::destination::dest_state;
use vsnat_abi::net::Be32;
use vsnat_abi::service::{
    NO_VIEW, SEGMENT_AS_IT_IS, SEGMENT_BY_PATH, Service, ServiceKey4, VIEWS_PER_SERVICE,
    service_flag,
};
use vsnat_abi::time::{coarse_span_from_ms, ms_from_coarse};
use vsnat_api::{
    CommandError, MssClamp, Persistence, Scheduler, SchedulerFlags, Segment, ServiceKey,
    ServiceSpec, Source,
};

use crate::Backend;
use crate::plane::order::{Standing, scheduler_of};
use crate::plane::served::Packets;
use crate::plane::{Known, Plane, failed, helped};

impl<B: Backend> Plane<B> {
    pub(super) fn add_service(&mut self, spec: &ServiceSpec) -> Result<(), CommandError> {
        if self.services.contains_key(&spec.key) {
            return Err(CommandError::ServiceExists);
        }
        check_mask(spec)?;
        let index = self.free_service()?;
        let key = self.given_key(spec.key)?;
        let service = Service {
            view: NO_VIEW,
            key,
            flags: self.flags_of(spec),
            persistence: persistence_of(spec),
            netmask: netmask_of(spec),
            segment: segment_of(spec),
            order: self.next_order,
            used: 1,
            residue: [0; 5],
        };
        self.write_service(index, service);
        let mut known = Known {
            index,
            key,
            scheduler: spec.scheduler,
            flags: spec.flags,
            persistence: spec.persistence,
            one_packet: spec.one_packet,
            helper: spec.helper,
            source: spec.source,
            dests: Vec::new(),
            view: 0,
        };
        if let Err(error) = self.publish(&mut known, Standing::default()) {
            self.write_service(index, free_record());
            return Err(error);
        }
        self.services.insert(spec.key, known);
        if let Err(error) = self.backend.put_service_key(key, index) {
            self.forget_service(spec.key);
            return Err(failed(error));
        }
        self.next_order += 1;
        Ok(())
    }

    /// As in IPVS another scheduler starts afresh, the same one goes on.
    pub(super) fn edit_service(&mut self, spec: &ServiceSpec) -> Result<(), CommandError> {
        let known = self.services.get(&spec.key);
        let before = known.ok_or(CommandError::NoSuchService)?.clone();
        check_mask(spec)?;
        let mut known = Known {
            scheduler: spec.scheduler,
            flags: spec.flags,
            persistence: spec.persistence,
            one_packet: spec.one_packet,
            helper: spec.helper,
            source: spec.source,
            ..before.clone()
        };
        if known.scheduler != before.scheduler || known.flags != before.flags {
            let standing = match known.scheduler == before.scheduler {
                true => self.standing(&before),
                false => Standing::default(),
            };
            self.publish(&mut known, standing)?;
        }
        self.write_spec(known.index, spec);
        self.change_server_keys(&known, Packets::of(&before), Packets::of(&known));
        self.services.insert(spec.key, known);
        Ok(())
    }

    fn write_spec(&mut self, index: u32, spec: &ServiceSpec) {
        if let Some(mut service) = self.backend.memory().services.read(index) {
            service.flags = self.flags_of(spec);
            service.persistence = persistence_of(spec);
            service.netmask = netmask_of(spec);
            service.segment = segment_of(spec);
            self.write_service(index, service);
        }
    }

    pub(super) fn delete_service(&mut self, key: ServiceKey) -> Result<(), CommandError> {
        let known = self.services.get(&key).ok_or(CommandError::NoSuchService)?;
        let removed = self.backend.remove_service_key(known.key);
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
        let keys: Vec<ServiceKey> = match key {
            Some(key) => vec![key],
            None => self.services.keys().copied().collect(),
        };
        keys.into_iter().for_each(|key| self.zero_one(key));
        Ok(())
    }

    /// Deleted servers count for their service while they are remembered.
    fn zero_one(&mut self, key: ServiceKey) {
        let Some(known) = self.services.get(&key) else {
            return;
        };
        let (index, dests) = (known.index, known.dests.clone());
        let gone: Vec<u32> = self.roster.gone_of(known.key).collect();
        for index in dests.into_iter().chain(gone) {
            if let Some(mut dest) = self.backend.memory().dests.read(index) {
                dest.baseline = self.backend.dest_totals(index);
                self.write_dest(index, dest);
            }
        }
        if let Some(mut service) = self.backend.memory().services.read(index) {
            service.residue = [0; 5];
            self.write_service(index, service);
        }
    }

    /// The services found in the tables, each with its servers.
    pub(super) fn adopt_services(&mut self) {
        let memory = *self.backend.memory();
        let mut servers: BTreeMap<ServiceKey4, Vec<(u64, u32)>> = BTreeMap::new();
        for (index, dest) in memory.dests.iter() {
            if dest.state == dest_state::AVAILABLE {
                let of_service = servers.entry(dest.service).or_default();
                of_service.push((dest.order, index));
            }
        }
        for (index, service) in memory.services.iter() {
            if service.used != 0 {
                let dests = servers.remove(&service.key).unwrap_or_default();
                self.adopt_service(index, &service, dests);
            }
        }
        // Whoever deleted their services died before it came to them.
        for (_, index) in servers.into_values().flatten() {
            if let Some(mut dest) = memory.dests.read(index) {
                dest.state = dest_state::ORPHANED;
                dest.idle_since = 0;
                self.write_dest(index, dest);
            }
        }
    }

    fn adopt_service(&mut self, index: u32, service: &Service, mut dests: Vec<(u64, u32)>) {
        let memory = *self.backend.memory();
        let Some(key) = self.true_key(&service.key) else {
            return;
        };
        dests.sort_unstable_by(|a, b| b.cmp(a));
        let view = u32::try_from(service.view).ok();
        let read = view.and_then(|view| memory.views.read(view));
        let scheduler = read.and_then(|view| scheduler_of(view.scheduler));
        if let Some(view) = read {
            self.space.occupy(index, view.ring, view.ring_entries);
        }
        let known = Known {
            index,
            key: service.key,
            scheduler: scheduler.unwrap_or(Scheduler::Wlc),
            flags: SchedulerFlags::from_bits(read.map_or(0, |view| view.flags as u8)),
            persistence: persistence_in(service),
            one_packet: service.flags & service_flag::ONE_PACKET != 0,
            helper: helped::asked(service),
            source: source_in(service),
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
        self.write_service(known.index, free_record());
        let packets = Packets::of(&known);
        for index in known.dests {
            self.forget_server_key(index, packets);
            if let Some(mut dest) = self.backend.memory().dests.read(index) {
                dest.state = dest_state::ORPHANED;
                dest.idle_since = 0;
                self.write_dest(index, dest);
            }
        }
        self.orphan_deleted(known.key);
        self.space.release(known.index, self.backend.now_ns());
    }

    fn flags_of(&self, spec: &ServiceSpec) -> u32 {
        let mut flags = self.helper_flags(spec.key, spec.helper);
        if spec.persistence.is_some() {
            flags |= service_flag::PERSISTENT;
        }
        if spec.one_packet {
            flags |= service_flag::ONE_PACKET;
        }
        match spec.source {
            Source::Client => {}
            Source::Director => flags |= service_flag::SOURCE,
        }
        flags
    }

    fn free_service(&self) -> Result<u32, CommandError> {
        let found = self.roster.free_services.first();
        found.ok_or_else(|| CommandError::Full {
            what: "services".to_owned(),
            limit: self.backend.memory().services.len(),
        })
    }
}

fn free_record() -> Service {
    Service {
        view: NO_VIEW,
        ..Service::default()
    }
}

fn persistence_of(spec: &ServiceSpec) -> u32 {
    let timeout_s = spec.persistence.map_or(0, |p| p.timeout_s);
    coarse_span_from_ms(u64::from(timeout_s) * 1_000)
}

fn netmask_of(spec: &ServiceSpec) -> Be32 {
    let netmask = spec.persistence.map(|p| p.netmask);
    match netmask.unwrap_or(Persistence::EVERY_CLIENT) {
        IpAddr::V4(netmask) => Be32::from_bytes(netmask.octets()),
        // Refused by `check_mask`.
        IpAddr::V6(_) => Be32::from_bytes(Ipv4Addr::BROADCAST.octets()),
    }
}

fn segment_of(spec: &ServiceSpec) -> u32 {
    match spec.mss_clamp {
        None => SEGMENT_AS_IT_IS,
        Some(MssClamp::Path) => SEGMENT_BY_PATH,
        Some(MssClamp::To(segment)) => u32::from(segment.get()),
    }
}

/// What [`segment_of`] wrote.
pub(super) fn clamp_in(service: &Service) -> Option<MssClamp> {
    match service.segment {
        SEGMENT_AS_IT_IS => None,
        SEGMENT_BY_PATH => Some(MssClamp::Path),
        bytes => {
            let segment = u16::try_from(bytes).ok().and_then(Segment::new);
            segment.map(MssClamp::To)
        }
    }
}

fn source_in(service: &Service) -> Source {
    match service.flags & service_flag::SOURCE {
        0 => Source::Client,
        _ => Source::Director,
    }
}

fn persistence_in(service: &Service) -> Option<Persistence> {
    if service.flags & service_flag::PERSISTENT == 0 {
        return None;
    }
    Some(Persistence {
        timeout_s: (ms_from_coarse(service.persistence) / 1_000) as u32,
        netmask: Ipv4Addr::from(service.netmask.bytes()).into(),
    })
}

/// A mask of the other family groups no clients. Neither does one of IPv6: the
/// packet path masks stand-ins, of which neighbours have nothing in common.
fn check_mask(spec: &ServiceSpec) -> Result<(), CommandError> {
    let Some(persistence) = spec.persistence else {
        return Ok(());
    };
    let address = spec.key.address().map_or(NO_ADDRESS, |a| a.ip());
    match (persistence.fits(address), persistence.netmask) {
        (true, IpAddr::V4(_)) => Ok(()),
        (false, _) => Err(CommandError::Invalid),
        (true, IpAddr::V6(_)) => Err(CommandError::Failed {
            message: format!(
                "{} cannot keep networks of clients together: of IPv6 each client is kept by \
                 itself; leave the netmask out",
                spec.key
            ),
        }),
    }
}

/// Services by mark are for clients of IPv4.
const NO_ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);

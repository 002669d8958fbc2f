//! Real servers of a service, and what remains of deleted ones.
//!
//! A deleted server keeps its index until its last connection is gone. Added
//! again before that it gets its connections back, as in IPVS.

use std::net::{IpAddr, SocketAddr, SocketAddrV4};

use vsnat_abi::destination::{Dest, dest_state, forwarding};
use vsnat_abi::net::{Be16, Be32};
use vsnat_abi::service::{MAX_SERVERS_PER_SERVICE, ServiceKey4};
use vsnat_abi::time::coarse_span_from_ms;
use vsnat_api::{CommandError, Forwarding, ServerSpec, ServiceKey};

use crate::Backend;
use crate::backend::Totals;
use crate::plane::order::Standing;
use crate::plane::served::Packets;
use crate::plane::{Known, Plane};

/// IPVS keeps a deleted server without connections for two minutes.
pub(super) const TRASH_COARSE: u64 = coarse_span_from_ms(120_000) as u64;
/// When indices run short: by then nothing remembers the way to the old one
/// (see WAY_FRESH).
const TRASH_SHORT_COARSE: u64 = coarse_span_from_ms(8_000) as u64;

impl<B: Backend> Plane<B> {
    pub(super) fn add_server(
        &mut self,
        service: ServiceKey,
        server: &ServerSpec,
    ) -> Result<(), CommandError> {
        let known = self.known(service)?;
        check_thresholds(server)?;
        if self.find_dest(&known, server.address).is_some() {
            return Err(CommandError::ServerExists);
        }
        check_address(server.address)?;
        check_family(service, server)?;
        if known.dests.len() as u32 >= MAX_SERVERS_PER_SERVICE {
            return Err(CommandError::Full {
                what: "servers of one service".to_owned(),
                limit: MAX_SERVERS_PER_SERVICE,
            });
        }
        let key = known.key;
        let end = self.given_end(server.address)?;
        let index = match self.roster.find_gone(key, end) {
            Some(index) => index,
            None => self.free_dest()?,
        };
        let memory = *self.backend.memory();
        let before = memory.dests.read(index).unwrap_or_default();
        let baseline = match before.state {
            dest_state::DELETED => before.baseline,
            _ => self.backend.dest_totals(index),
        };
        let dest = Dest {
            address: Be32::from_bytes(end.ip().octets()),
            port: Be16::from_host(end.port()),
            forwarding: forwarding_of(server),
            service: key,
            state: dest_state::AVAILABLE,
            weight: server.weight.get(),
            last_weight: server.weight.get(),
            upper: server.upper_threshold,
            lower: server.lower_threshold,
            overload_epoch: match before.state {
                dest_state::DELETED | dest_state::ORPHANED => epoch_after(&before, server),
                // What the index was overloaded with before is forgotten.
                _ => before.overload_epoch.wrapping_add(1).max(1),
            },
            order: self.next_order,
            idle_since: 0,
            baseline,
            source: self.sources.towards(*end.ip()),
            zero2: 0,
        };
        self.write_dest(index, dest);
        let standing = self.standing(&known);
        let mut changed = known;
        changed.dests.insert(0, index);
        if let Err(error) = self.publish(&mut changed, standing) {
            self.write_dest(index, before);
            return Err(error);
        }
        let packets = Packets::of(&changed);
        self.services.insert(service, changed);
        self.remember_server_key(index, packets);
        self.next_order += 1;
        Ok(())
    }

    pub(super) fn edit_server(
        &mut self,
        service: ServiceKey,
        server: &ServerSpec,
    ) -> Result<(), CommandError> {
        let mut known = self.known(service)?;
        check_thresholds(server)?;
        let found = self.find_dest(&known, server.address);
        let index = found.ok_or(CommandError::NoSuchServer)?;
        check_family(service, server)?;
        let memory = *self.backend.memory();
        let Some(before) = memory.dests.read(index) else {
            return Err(CommandError::NoSuchServer);
        };
        let standing = self.standing(&known);
        let weight = server.weight.get();
        let last_weight = if weight == 0 {
            before.last_weight
        } else {
            weight
        };
        let after = Dest {
            weight,
            last_weight,
            upper: server.upper_threshold,
            lower: server.lower_threshold,
            overload_epoch: epoch_after(&before, server),
            forwarding: forwarding_of(server),
            ..before
        };
        self.write_dest(index, after);
        if let Err(error) = self.publish(&mut known, standing) {
            self.write_dest(index, before);
            return Err(error);
        }
        self.services.insert(service, known);
        Ok(())
    }

    pub(super) fn delete_server(
        &mut self,
        service: ServiceKey,
        address: SocketAddr,
    ) -> Result<(), CommandError> {
        let mut known = self.known(service)?;
        let found = self.find_dest(&known, address);
        let index = found.ok_or(CommandError::NoSuchServer)?;
        let standing = self.standing(&known);
        let standing = step_back(&known, index, standing);
        known.dests.retain(|dest| *dest != index);
        self.publish(&mut known, standing)?;
        let packets = Packets::of(&known);
        self.services.insert(service, known);
        if let Some(mut dest) = self.backend.memory().dests.read(index) {
            dest.state = dest_state::DELETED;
            dest.idle_since = 0;
            self.write_dest(index, dest);
        }
        self.forget_server_key(index, packets);
        Ok(())
    }

    /// Deleted servers of a service that is deleted too.
    pub(super) fn orphan_deleted(&mut self, key: ServiceKey4) {
        let gone: Vec<u32> = self.roster.gone_of(key).collect();
        for index in gone {
            if let Some(mut dest) = self.backend.memory().dests.read(index) {
                dest.state = dest_state::ORPHANED;
                self.write_dest(index, dest);
            }
        }
    }

    /// Frees deleted servers that had no connection for `idle` coarse units.
    pub(super) fn collect_dests(&mut self, idle: u64) {
        let memory = *self.backend.memory();
        let now = self.now().max(1);
        let gone: Vec<u32> = self.roster.all_gone().collect();
        for index in gone {
            let Some(mut dest) = memory.dests.read(index) else {
                continue;
            };
            let counts = memory.dest_counts.read(index).unwrap_or_default();
            let held = counts.active != 0 || counts.inactive != 0 || counts.persistent != 0;
            match (held, dest.idle_since) {
                (true, _) => dest.idle_since = 0,
                (false, 0) => dest.idle_since = now,
                (false, since) if now.saturating_sub(since) >= idle => {
                    self.keep_totals(index, &dest);
                    dest = Dest {
                        overload_epoch: dest.overload_epoch,
                        ..Dest::default()
                    };
                }
                (false, _) => continue,
            }
            self.write_dest(index, dest);
        }
    }

    /// The totals of a freed server stay with its service.
    fn keep_totals(&mut self, index: u32, dest: &Dest) {
        let memory = *self.backend.memory();
        if dest.state != dest_state::DELETED {
            return;
        }
        let known = self
            .true_key(&dest.service)
            .and_then(|key| self.services.get(&key));
        let Some(index_of_service) = known.map(|known| known.index) else {
            return;
        };
        let totals = counted(&self.backend.dest_totals(index), &dest.baseline);
        if let Some(mut service) = memory.services.read(index_of_service) {
            for (residue, total) in service.residue.iter_mut().zip(totals) {
                *residue += total;
            }
            self.write_service(index_of_service, service);
        }
    }

    fn known(&self, service: ServiceKey) -> Result<Known, CommandError> {
        let known = self.services.get(&service).cloned();
        known.ok_or(CommandError::ServiceNotDefined)
    }

    fn find_dest(&self, known: &Known, address: SocketAddr) -> Option<u32> {
        let dests = self.backend.memory().dests;
        let end = self.path_end(address)?;
        let is_it = |dest: &Dest| is_at(dest, end);
        let mut indices = known.dests.iter().copied();
        indices.find(|index| dests.read(*index).is_some_and(|dest| is_it(&dest)))
    }

    fn free_dest(&mut self) -> Result<u32, CommandError> {
        if let Some(index) = self.roster.free_dests.first() {
            return Ok(index);
        }
        self.collect_dests(TRASH_SHORT_COARSE);
        self.roster
            .free_dests
            .first()
            .ok_or_else(|| CommandError::Full {
                what: "servers".to_owned(),
                limit: self.backend.memory().dests.len(),
            })
    }
}

fn forwarding_of(server: &ServerSpec) -> u16 {
    match server.forwarding {
        Forwarding::Masquerade => forwarding::MASQUERADE,
        Forwarding::Route => forwarding::ROUTE,
    }
}

/// What [`forwarding_of`] wrote.
pub(super) fn forwarding_in(dest: &Dest) -> Forwarding {
    match dest.forwarding {
        forwarding::ROUTE => Forwarding::Route,
        _ => Forwarding::Masquerade,
    }
}

/// What was counted since the counters were set to zero.
pub(super) fn counted(totals: &Totals, baseline: &Totals) -> Totals {
    std::array::from_fn(|i| totals[i].wrapping_sub(baseline[i]))
}

/// As in IPVS an overload is forgotten where the limit is taken away or raised;
/// otherwise the next connection that ends decides.
fn epoch_after(before: &Dest, server: &ServerSpec) -> u32 {
    let upper = server.upper_threshold;
    if upper == 0 || upper > before.upper {
        return before.overload_epoch.wrapping_add(1).max(1);
    }
    before.overload_epoch
}

/// `rr` whose last server is deleted goes on behind the one before it.
fn step_back(known: &Known, deleted: u32, standing: Standing) -> Standing {
    if standing.last != Some(deleted) {
        return standing;
    }
    let place = known.dests.iter().position(|dest| *dest == deleted);
    let before = place.and_then(|place| place.checked_sub(1));
    Standing {
        last: before.and_then(|place| known.dests.get(place).copied()),
        ..standing
    }
}

fn is_at(dest: &Dest, address: SocketAddrV4) -> bool {
    dest.address.bytes() == address.ip().octets() && dest.port.host() == address.port()
}

/// IPVS asks for the thresholds before it looks for the server.
fn check_thresholds(server: &ServerSpec) -> Result<(), CommandError> {
    if !server.has_ordered_thresholds() {
        return Err(CommandError::OutOfRange);
    }
    Ok(())
}

/// Packets by mark are for servers of their own family, as in IPVS: they may
/// be of any address.
fn check_family(service: ServiceKey, server: &ServerSpec) -> Result<(), CommandError> {
    let service_is_ipv6 = service.address().is_some_and(|address| address.is_ipv6());
    match server.forwarding {
        Forwarding::Masquerade => {}
        // Its packets keep their header, so nothing stands for an address.
        Forwarding::Route if service_is_ipv6 || server.address.is_ipv6() => {
            let message = format!(
                "direct routing to {} is for services and servers of IPv4; reach it by \
                 translation (-m)",
                server.address
            );
            return Err(CommandError::Failed { message });
        }
        Forwarding::Route => {}
    }
    match (service, server.address) {
        (ServiceKey::Address { .. }, _) | (ServiceKey::Mark { .. }, SocketAddr::V4(_)) => Ok(()),
        (ServiceKey::Mark { .. }, SocketAddr::V6(_)) => Err(CommandError::Invalid),
    }
}

/// A server must be one host: IPVS refuses what is neither unicast nor local.
fn check_address(address: SocketAddr) -> Result<(), CommandError> {
    let is_one_host = match address.ip() {
        IpAddr::V4(ip) => ip.octets()[0] != 0 && !ip.is_multicast() && !ip.is_broadcast(),
        IpAddr::V6(ip) => !ip.is_unspecified() && !ip.is_multicast(),
    };
    match is_one_host {
        true => Ok(()),
        false => Err(CommandError::Invalid),
    }
}

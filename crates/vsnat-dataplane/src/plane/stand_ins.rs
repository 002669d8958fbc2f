//! The pool of stand-ins: IPv4 addresses for the IPv6 ones inside the director.
//!
//! Services and servers are known to the tables by stand-ins, which whoever
//! speaks of IPv6 asks for here; the packet path takes more for its clients.
//! Nobody counts who uses one. What no packet touched for a while is looked for
//! in all tables at once, and if nothing names it, it rests and is used again.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{Ipv4Net, Ipv6Net};
use thiserror::Error;
use vsnat_abi::destination::dest_state;
use vsnat_abi::net::Be32;
use vsnat_abi::settings::{Settings, flag, prefix_words};
use vsnat_abi::slot::Phase;
use vsnat_abi::stand_in::{FIRST_STAND_IN, Ip6, STAND_INS, WELL_KNOWN_PREFIX};
use vsnat_abi::time::{Coarse, coarse_from_ns, coarse_span_from_ms};
use vsnat_core::{Inserted, Shared};

use crate::plane::Plane;
use crate::{Backend, BackendError};

/// What no packet touched for so long may be given away: the time between a
/// look-up and the connection that it is for is microseconds, and whoever asks
/// for the stand-in of a server adds it within moments.
const UNTOUCHED: Coarse = coarse_span_from_ms(30_000);
/// What was forgotten rests for so long, and must not be touched meanwhile.
const REST: Coarse = coarse_span_from_ms(2_000);
/// Looking through a table of a million connections takes 30 ms: it is done
/// when so many places, or all that are left, might be won by it.
const WORTHWHILE: usize = (STAND_INS / 64) as usize;

/// Why an address cannot be stood in for.
#[derive(Debug, Error)]
pub enum StandInError {
    #[error(
        "cannot stand in for {0}: all {STAND_INS} addresses of the pool are in use; \
         they come back when connections end"
    )]
    Exhausted(Ipv6Addr),
    #[error(
        "cannot use {0} as the pool of stand-ins: services, servers or connections have \
         addresses of {1} still; remove them first"
    )]
    InUse(Ipv4Net, Ipv4Net),
    #[error(
        "cannot use {0} as the pool of stand-ins: it has fewer than 4 addresses; give a /16 or larger"
    )]
    TooSmall(Ipv4Net),
    #[error("cannot write IPv4 addresses by the prefix {0}: its length must be 96 (RFC 6052)")]
    NotA96(Ipv6Net),
    #[error(transparent)]
    Refused(#[from] BackendError),
}

/// What the daemon alone knows of the pool.
#[derive(Debug, Default)]
pub(super) struct StandIns {
    /// Addresses that somebody holds beside the tables, and how many.
    held: BTreeMap<Ipv6Addr, u32>,
    /// Places that rest, and when they were forgotten.
    resting: Vec<Resting>,
}

/// A place that no address leads to any more.
#[derive(Debug)]
struct Resting {
    place: u32,
    address: Ip6,
    since: Coarse,
}

impl<B: Backend> Plane<B> {
    /// The stand-in of an address, which stays its own until it is let go as
    /// often as it was held, and no service, server or connection has it.
    pub fn hold_stand_in(&mut self, address: Ipv6Addr) -> Result<Ipv4Addr, StandInError> {
        let place = match self.place(address) {
            Some(place) => place,
            None => self.take_place(address)?,
        };
        *self.stand_ins.held.entry(address).or_default() += 1;
        self.raise_six();
        Ok(self.address_at(place))
    }

    /// Lets go of what was held once.
    pub fn release_stand_in(&mut self, address: Ipv6Addr) {
        if let Some(count) = self.stand_ins.held.get_mut(&address) {
            *count -= 1;
            if *count == 0 {
                self.stand_ins.held.remove(&address);
            }
        }
    }

    /// The stand-in of an address, if it has one. Changes nothing.
    pub fn stand_in(&self, address: Ipv6Addr) -> Option<Ipv4Addr> {
        Some(self.address_at(self.place(address)?))
    }

    /// Whom an address of the tables stands for: itself, if it is of no pool.
    pub fn true_address(&self, address: Ipv4Addr) -> IpAddr {
        let settings = self.six_settings();
        let Some(place) = place_in(&settings, address) else {
            return IpAddr::V4(address);
        };
        let stand_in = self.backend.memory().stand_ins.shared(place);
        stand_in.map_or(IpAddr::V4(address), |stand_in| {
            IpAddr::V6(Ipv6Addr::from(stand_in.address().bytes()))
        })
    }

    /// The IPv4 addresses that stand for IPv6 ones.
    pub fn stand_in_pool(&self) -> Ipv4Net {
        pool_of(&self.six_settings())
    }

    /// Uses another pool from now on. Refused while one of the old is in use.
    pub fn set_stand_in_pool(&mut self, pool: Ipv4Net) -> Result<(), StandInError> {
        let pool = pool.trunc();
        let before = self.stand_in_pool();
        if pool == before {
            return Ok(());
        }
        if pool.prefix_len() > 30 {
            return Err(StandInError::TooSmall(pool));
        }
        if self.fresh_places() > FIRST_STAND_IN && !self.used_places().is_empty() {
            return Err(StandInError::InUse(pool, before));
        }
        let settings = self.backend.memory().settings;
        if let Some(mut value) = settings.read(0) {
            value.pool = u32::from_ne_bytes(pool.network().octets());
            value.pool_mask = u32::from_ne_bytes(pool.netmask().octets());
            settings.write(0, value);
        }
        Ok(())
    }

    /// The prefix by which IPv6 servers see IPv4 clients (RFC 6052).
    pub fn set_translation_prefix(&mut self, prefix: Ipv6Net) -> Result<(), StandInError> {
        if prefix.prefix_len() != 96 {
            return Err(StandInError::NotA96(prefix));
        }
        let settings = self.backend.memory().settings;
        if let Some(mut value) = settings.read(0) {
            let octets = prefix.network().octets();
            let mut bytes = WELL_KNOWN_PREFIX;
            bytes.copy_from_slice(&octets[..12]);
            value.prefix6 = prefix_words(bytes);
            settings.write(0, value);
        }
        Ok(())
    }

    /// What hashing schedulers hash of a server, as the packet path does of
    /// clients.
    pub(super) fn hashed(&self, address: Be32) -> u32 {
        match self.true_address(Ipv4Addr::from(address.bytes())) {
            IpAddr::V4(_) => address.host(),
            IpAddr::V6(address) => Ip6::from_bytes(address.octets()).folded().host(),
        }
    }

    /// Gives places back that nobody uses. To be called every few seconds.
    pub(super) fn collect_stand_ins(&mut self) {
        let now = coarse_from_ns(self.backend.now_ns());
        self.free_rested(now);
        let fresh = self.fresh_places();
        let stale: Vec<u32> = (FIRST_STAND_IN..fresh)
            .filter(|place| self.is_stale(*place, now))
            .collect();
        let is_scarce = fresh as usize + WORTHWHILE > STAND_INS as usize;
        if stale.is_empty() || (stale.len() < WORTHWHILE && !is_scarce) {
            return;
        }
        let used = self.used_places();
        for place in stale {
            if !used.contains(&place) {
                self.forget_place(place, now);
            }
        }
    }

    fn place(&self, address: Ipv6Addr) -> Option<u32> {
        self.backend.place_of(Ip6::from_bytes(address.octets()))
    }

    fn take_place(&mut self, address: Ipv6Addr) -> Result<u32, StandInError> {
        let exhausted = || StandInError::Exhausted(address);
        let place = match self.backend.pop_free_place() {
            Some(place) => place,
            None => self.never_used().ok_or_else(exhausted)?,
        };
        let key = Ip6::from_bytes(address.octets());
        let now = coarse_from_ns(self.backend.now_ns());
        let stand_ins = self.backend.memory().stand_ins;
        stand_ins
            .shared(place)
            .ok_or_else(exhausted)?
            .take(&key, now);
        match self.backend.put_place(key, place)? {
            Inserted::Yes => Ok(place),
            Inserted::Exists => {
                // A packet was first.
                self.give_back(place)?;
                self.place(address).ok_or_else(exhausted)
            }
            Inserted::Full => {
                self.give_back(place)?;
                Err(exhausted())
            }
        }
    }

    /// A place that no address led to.
    fn give_back(&mut self, place: u32) -> Result<(), BackendError> {
        if let Some(stand_in) = self.backend.memory().stand_ins.shared(place) {
            stand_in.leave();
        }
        self.backend.push_free_place(place)
    }

    fn never_used(&mut self) -> Option<u32> {
        let limit = u64::from(self.places());
        let shared = self.backend.memory().shared.shared(0)?;
        if shared.fresh_stand_in() == 0 {
            // The first of a pool stands for nobody.
            shared.take_fresh_stand_in();
        }
        if shared.fresh_stand_in() >= limit {
            return None;
        }
        let place = shared.take_fresh_stand_in();
        (place < limit).then_some(place as u32)
    }

    /// Places of the pool that the array has room for.
    fn places(&self) -> u32 {
        let mask = u32::from_be(self.six_settings().pool_mask);
        STAND_INS.min((!mask).saturating_add(1))
    }

    fn address_at(&self, place: u32) -> Ipv4Addr {
        let pool = u32::from_be(self.six_settings().pool);
        Ipv4Addr::from(pool | place)
    }

    fn six_settings(&self) -> Settings {
        self.backend.memory().settings.read(0).unwrap_or_default()
    }

    fn fresh_places(&self) -> u32 {
        let shared = self.backend.memory().shared.shared(0);
        let fresh = shared.map_or(0, Shared::fresh_stand_in);
        u32::try_from(fresh).unwrap_or(u32::MAX).min(STAND_INS)
    }

    /// Tells the packet path that IPv6 packets may be ours.
    fn raise_six(&self) {
        let settings = self.backend.memory().settings;
        if let Some(mut value) = settings.read(0)
            && value.flags & flag::HAS_SIX == 0
        {
            value.flags |= flag::HAS_SIX;
            settings.write(0, value);
        }
    }

    /// Whether a place is taken, and nothing was heard of its address lately.
    fn is_stale(&self, place: u32, now: Coarse) -> bool {
        let Some(stand_in) = self.backend.memory().stand_ins.shared(place) else {
            return false;
        };
        if now.wrapping_sub(stand_in.touched()) as i32 <= UNTOUCHED as i32 {
            return false;
        }
        let resting = &self.stand_ins.resting;
        stand_in.is_taken() && !resting.iter().any(|rest| rest.place == place)
    }

    /// What any table names, or somebody holds.
    fn used_places(&self) -> BTreeSet<u32> {
        let settings = self.six_settings();
        let memory = self.backend.memory();
        let mut used = BTreeSet::new();
        let mut uses = |address: Be32| {
            used.extend(place_in(&settings, Ipv4Addr::from(address.bytes())));
        };
        let slots = memory.shared.shared(0).map_or(0, Shared::fresh);
        for slot in (0..slots as u32).filter_map(|index| memory.slots.shared(index)) {
            if slot.word().phase() == Phase::Free {
                continue;
            }
            let (forward, reply) = (slot.forward(), slot.reply());
            [forward.src, forward.dst, reply.src, reply.dst]
                .into_iter()
                .for_each(&mut uses);
        }
        for (_, dest) in memory.dests.iter() {
            if dest.state != dest_state::FREE {
                uses(dest.address);
                uses(dest.service.vip);
            }
        }
        self.services.values().for_each(|known| uses(known.key.vip));
        let held = self.stand_ins.held.keys();
        used.extend(held.filter_map(|address| self.place(*address)));
        used
    }

    fn forget_place(&mut self, place: u32, now: Coarse) {
        let Some(stand_in) = self.backend.memory().stand_ins.shared(place) else {
            return;
        };
        let address = stand_in.address();
        let removed = match self.backend.place_of(address) {
            Some(known) if known == place => self.backend.remove_place(address),
            Some(_) | None => Ok(()),
        };
        match removed {
            Ok(()) => self.stand_ins.resting.push(Resting {
                place,
                address,
                since: now,
            }),
            Err(error) => tracing::warn!(%error, "a stand-in is kept that nobody uses"),
        }
    }

    /// A packet that found a place just before it was forgotten has touched it:
    /// then the address gets it back, if it has no other.
    fn free_rested(&mut self, now: Coarse) {
        for rest in std::mem::take(&mut self.stand_ins.resting) {
            if now.wrapping_sub(rest.since) < REST {
                self.stand_ins.resting.push(rest);
                continue;
            }
            let Some(stand_in) = self.backend.memory().stand_ins.shared(rest.place) else {
                continue;
            };
            if now.wrapping_sub(stand_in.touched()) > UNTOUCHED {
                stand_in.leave();
                if let Err(error) = self.backend.push_free_place(rest.place) {
                    tracing::warn!(%error, "a stand-in is lost that nobody uses");
                }
                continue;
            }
            match self.backend.put_place(rest.address, rest.place) {
                Ok(Inserted::Yes) => {}
                Ok(Inserted::Exists | Inserted::Full) | Err(_) => {
                    self.stand_ins.resting.push(Resting { since: now, ..rest });
                }
            }
        }
    }
}

fn pool_of(settings: &Settings) -> Ipv4Net {
    let network = Ipv4Addr::from(settings.pool.to_ne_bytes());
    let mask = Ipv4Addr::from(settings.pool_mask.to_ne_bytes());
    Ipv4Net::with_netmask(network, mask).unwrap_or_default()
}

/// The place that an address has in the pool.
fn place_in(settings: &Settings, address: Ipv4Addr) -> Option<u32> {
    let raw = u32::from_ne_bytes(address.octets());
    if raw & settings.pool_mask != settings.pool {
        return None;
    }
    let place = u32::from_be(raw & !settings.pool_mask);
    (FIRST_STAND_IN..STAND_INS)
        .contains(&place)
        .then_some(place)
}

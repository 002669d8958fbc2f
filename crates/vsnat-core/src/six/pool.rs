//! From addresses to their stand-ins and back.

use vsnat_abi::net::Be32;
use vsnat_abi::settings::{Settings, flag};
use vsnat_abi::stand_in::{FIRST_STAND_IN, Ip6, STAND_INS, StandIn};
use vsnat_abi::time::Coarse;

use crate::six::{MORE, NOBODY};
use crate::{Inserted, Shared, Tables};

/// The stand-in of an address, or nobody.
#[inline(always)]
pub(super) fn known<T: Tables>(tables: &T, settings: Shared<Settings>, address: &Ip6) -> Be32 {
    match tables.place_of(address) {
        Some(place) => at(settings, place),
        None => NOBODY,
    }
}

/// The same for who may be an IPv4 client that an IPv6 server knows by its
/// address behind the prefix.
#[inline(always)]
pub(super) fn client_of_server<T: Tables>(
    tables: &T,
    settings: Shared<Settings>,
    address: &Ip6,
) -> Be32 {
    let [a, b, c, last] = address.words;
    let prefix = settings.prefix6();
    if a == prefix[0] && b == prefix[1] && c == prefix[2] {
        return Be32::from_raw(last);
    }
    known(tables, settings, address)
}

/// The stand-in of an address, new if it has none. Nobody: all are in use.
#[inline(always)]
pub(super) fn make<T: Tables>(
    tables: &mut T,
    settings: Shared<Settings>,
    address: &Ip6,
    now: Coarse,
) -> Be32 {
    let place = match tables.pop_free_place() {
        Some(place) => place,
        None => never_used(tables, settings),
    };
    if place < FIRST_STAND_IN {
        return NOBODY;
    }
    let Some(stand_in) = tables.stand_in(place) else {
        return NOBODY;
    };
    stand_in.take(address, now);
    match tables.put_place(address, place) {
        Inserted::Yes => return at(settings, place),
        Inserted::Exists | Inserted::Full => {}
    }
    stand_in.leave();
    // Not taken by the queue it is lost; it never is full.
    let _ = tables.push_free_place(place);
    // Another CPU was first.
    known(tables, settings, address)
}

/// 0: there is none.
#[inline(always)]
fn never_used<T: Tables>(tables: &mut T, settings: Shared<Settings>) -> u32 {
    let Some(shared) = tables.shared() else {
        return 0;
    };
    // Looked at before it is added to: a full pool must not count on.
    if shared.fresh_stand_in() >= places(settings) {
        return 0;
    }
    let place = shared.take_fresh_stand_in();
    if place < places(settings) {
        place as u32
    } else {
        0
    }
}

#[inline(always)]
fn places(settings: Shared<Settings>) -> u64 {
    let in_pool = u64::from(!u32::from_be(settings.pool_mask())) + 1;
    if in_pool < u64::from(STAND_INS) {
        in_pool
    } else {
        u64::from(STAND_INS)
    }
}

#[inline(always)]
fn at(settings: Shared<Settings>, place: u32) -> Be32 {
    Be32::from_raw(settings.pool() | place.to_be())
}

/// While nothing of IPv6 was asked for, the pool's addresses are as any others:
/// a laboratory may have clients there.
#[inline(always)]
pub(crate) fn is_stand_in(settings: Shared<Settings>, address: Be32) -> bool {
    settings.has(flag::HAS_SIX) && address.raw() & settings.pool_mask() == settings.pool()
}

#[inline(always)]
pub(super) fn stand_in<T: Tables>(
    tables: &T,
    settings: Shared<Settings>,
    address: Be32,
) -> Option<Shared<StandIn>> {
    tables.stand_in(u32::from_be(address.raw() & !settings.pool_mask()))
}

/// What an address is called in IPv6: whom it stands for, or itself behind the
/// prefix.
#[inline(always)]
pub(super) fn in_six<T: Tables>(tables: &T, settings: Shared<Settings>, address: Be32) -> Ip6 {
    if is_stand_in(settings, address)
        && let Some(stand_in) = stand_in(tables, settings, address)
    {
        return stand_in.address();
    }
    let [a, b, c] = settings.prefix6();
    Ip6 {
        words: [a, b, c, address.raw()],
    }
}

/// What the link towards a stand-in takes, in IPv4's terms, whose header is
/// shorter.
#[inline(always)]
pub(crate) fn mtu<T: Tables>(tables: &T, settings: Shared<Settings>, address: Be32) -> u16 {
    let Some(stand_in) = stand_in(tables, settings, address) else {
        return u16::MAX;
    };
    match (stand_in.link() >> 32) as u16 {
        0 => u16::MAX,
        mtu => mtu.saturating_sub(MORE as u16),
    }
}

/// What hashing schedulers hash: the address itself, or IPv6's folded into one
/// word as IPVS does. A client keeps its server whatever stand-in it has.
#[inline(always)]
pub(crate) fn hashed<T: Tables>(tables: &T, address: Be32) -> u32 {
    let Some(settings) = tables.settings() else {
        return address.host();
    };
    if !is_stand_in(settings, address) {
        return address.host();
    }
    match stand_in(tables, settings, address) {
        Some(stand_in) => stand_in.address().folded().host(),
        None => address.host(),
    }
}

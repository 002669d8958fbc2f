//! What an accelerator does, in front of the complete path.
//!
//! It takes a packet of an established connection all of whose questions are
//! answered already: standing, time to live, next hop, size. `None` leaves the
//! packet to the complete path *before any side effect*, counters and state
//! included, so that [`way`](crate::way) sees the very same packet and is the
//! only one to count it. So nothing is decided here a second time: what is not
//! sent on is not ours to judge.

use vsnat_abi::counters::Reason;
use vsnat_abi::filter::{FILTER_SERVERS, FILTER_VIPS};
use vsnat_abi::flow::Direction;
use vsnat_abi::settings::Settings;

use crate::find::{Found, find};
use crate::hop::Next;
use crate::leave::{clear, go};
use crate::parse::{ETH_LEN, Head, Part, TCP, UDP, load16, parse};
use crate::rewrite::{FRONT_TCP, FRONT_UDP, pseudo_sum};
use crate::way::{Standing, is_clamped, standing};
use crate::{Packet, Shared, Tables, Verdict};

/// An IPv4 header without options.
const IP_LEN: u32 = 20;

/// A frame that is no packet of the kernel's stack yet.
pub trait Frame: Packet {
    /// Whether a frame as it is may leave by this interface.
    fn may_leave_by(&self, ifindex: u32) -> bool;
}

/// A frame from the clients' side.
#[inline(always)]
pub fn outer<F: Frame, T: Tables>(frame: &mut F, tables: &mut T) -> Option<Verdict> {
    let head = plain(frame)?;
    if !tables.filter(FILTER_VIPS, head.key.dst) || !frame.is_for_host() {
        return None;
    }
    let settings = tables.settings()?;
    let found = find(tables, settings, &head.key)?;
    match standing(tables, settings, &head, &found) {
        Ok(Standing::Goes) => {}
        Ok(Standing::Begins | Standing::Reused | Standing::ServerGone) | Err(_) => return None,
    }
    send(frame, tables, settings, &head, found)
}

/// A frame from the servers' side.
#[inline(always)]
pub fn inner<F: Frame, T: Tables>(frame: &mut F, tables: &mut T) -> Option<Verdict> {
    let head = plain(frame)?;
    if !tables.filter(FILTER_SERVERS, head.key.src) || !frame.is_for_host() {
        return None;
    }
    let settings = tables.settings()?;
    let found = find(tables, settings, &head.key)?;
    match found.direction {
        Direction::Forward => return None,
        Direction::Reply => {}
    }
    if is_clamped(settings, &head) {
        return None;
    }
    send(frame, tables, settings, &head, found)
}

/// A whole packet of TCP or UDP without IP options.
#[inline(always)]
fn plain<F: Frame>(frame: &mut F) -> Option<Head> {
    let head = parse(frame)?;
    if head.part != Part::Whole || head.l4 != ETH_LEN + IP_LEN {
        return None;
    }
    match head.key.protocol {
        TCP | UDP => Some(head),
        _ => None,
    }
}

#[inline(always)]
fn send<F: Frame, T: Tables>(
    frame: &mut F,
    tables: &mut T,
    settings: Shared<Settings>,
    head: &Head,
    found: Found,
) -> Option<Verdict> {
    let now = tables.now();
    let next = clear(frame, tables, settings, head, &found, now)?;
    let ifindex = match next {
        Next::Cached { ifindex, .. } => ifindex,
        Next::Asked { .. } | Next::NoRoute => return None,
    };
    if !frame.may_leave_by(ifindex) || is_unsummed(frame, head)? {
        return None;
    }
    tables.count(Reason::Seen);
    tables.count(Reason::Accelerated);
    match go(frame, tables, settings, head, found, next, now) {
        Ok(verdict) => Some(verdict),
        Err(stop) => {
            // After the first changed byte it can only be dropped.
            tables.count_one_of(stop.reason);
            Some(Verdict::Drop)
        }
    }
}

/// Whether the transport checksum may be one that a card has yet to fill in:
/// then it is the sum of the pseudo header and nothing else. An skb knows, a
/// frame does not; one of 65,536 others looks the same, and loses nothing but
/// the short way.
#[inline(always)]
fn is_unsummed<F: Frame>(frame: &mut F, head: &Head) -> Option<bool> {
    let field = match head.key.protocol {
        UDP => load16(frame.front::<FRONT_UDP>()?, FRONT_UDP - 2),
        _ => load16(frame.front::<FRONT_TCP>()?, FRONT_TCP - 2),
    };
    Some(field.raw() == pseudo_sum(head))
}

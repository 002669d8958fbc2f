//! Expiry, slot by slot. The kernel's timer and the model both call it.

use vsnat_abi::counters::Reason;
use vsnat_abi::settings::{Settings, TEMPLATE_AGAIN_MS, mode};
use vsnat_abi::slot::{Phase, Slot, SlotWord, state};
use vsnat_abi::sweep::REST;
use vsnat_abi::time::{Coarse, coarse_span_from_ms};

use crate::counts::{Change, count_connection, count_template};
use crate::parse::{SCTP, TCP, UDP};
use crate::persist::release;
use crate::{Shared, Tables, sctp};

const AGAIN: Coarse = coarse_span_from_ms(TEMPLATE_AGAIN_MS);
/// A minute without a packet, as IPVS's `drop_entry` waits.
const QUIET: Coarse = coarse_span_from_ms(60_000);
/// The clocks of the sweeper and of packets differ by less than so much.
const SKEW: Coarse = 2;
/// Coarse units to about a second.
const SECOND_SHIFT: u32 = 3;

/// How much room the connection table has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pressure {
    Relaxed,
    /// Connections without an answer must make room.
    Short,
}

/// What a look at a slot came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Visit {
    Idle,
    Live,
    /// A connection ended.
    Unlinked,
    /// A slot went back to the free list.
    Freed,
    /// There is no slot of this index.
    Beyond,
}

/// Looks at one slot.
#[inline(always)]
pub fn visit<T: Tables>(
    tables: &mut T,
    settings: Shared<Settings>,
    index: u32,
    now: Coarse,
    pressure: Pressure,
) -> Visit {
    let Some(slot) = tables.slot(index) else {
        return Visit::Beyond;
    };
    let word = slot.word();
    match word.phase() {
        Phase::Free | Phase::Opening => Visit::Idle,
        Phase::Live => {
            let ends = if slot.forward().is_template() {
                template_ends(tables, settings, index, slot, word, now, pressure)
            } else {
                connection_ends(tables, settings, index, slot, word, now, pressure)
            };
            if !ends {
                return Visit::Live;
            }
            let dying = SlotWord::new(
                Phase::Dying,
                word.state(),
                word.generation(),
                now.wrapping_add(REST),
            );
            if slot.change_word(word, dying).is_err() {
                return Visit::Live;
            }
            unlink(tables, slot, word);
            Visit::Unlinked
        }
        Phase::Dying => {
            if !passed(word.deadline(), now) {
                return Visit::Idle;
            }
            let generation = word.generation().wrapping_add(1);
            slot.set_word(SlotWord::new(Phase::Free, 0, generation, 0));
            if tables.push_free(index).is_none() {
                // The queue was busy: the slot rests once more.
                slot.set_word(SlotWord::new(Phase::Dying, 0, generation, now));
                return Visit::Idle;
            }
            Visit::Freed
        }
    }
}

#[inline(always)]
fn unlink<T: Tables>(tables: &mut T, slot: Shared<Slot>, word: SlotWord) {
    let forward = slot.forward();
    tables.remove_flow(&forward);
    if forward.is_template() {
        count_template(tables, slot.dest(), Change::Less);
        return;
    }
    tables.remove_flow(&slot.reply());
    release(tables, slot.control());
    let (dest, state) = (slot.dest(), word.state());
    count_connection(tables, dest, forward.protocol, state, Change::Less);
}

/// A template lives on while it has connections, and is looked at again after
/// a minute; as in IPVS a minute is its time from then on.
#[inline(always)]
fn template_ends<T: Tables>(
    tables: &mut T,
    settings: Shared<Settings>,
    index: u32,
    slot: Shared<Slot>,
    word: SlotWord,
    now: Coarse,
    pressure: Pressure,
) -> bool {
    let has_connections = slot.control() != 0;
    let is_passed = passed(word.deadline(), now);
    // A connection that comes meanwhile moves the deadline, and so keeps the
    // template from being ended, but only if it is not where it would put it.
    let left = word.deadline().wrapping_sub(now);
    let is_settled = is_passed || left.wrapping_add(SKEW) < slot.timeout();
    if !has_connections
        && is_settled
        && word.state() == state::NONE
        && is_drawn(settings, index, now, pressure)
    {
        tables.count(Reason::DropEntry);
        return true;
    }
    if !is_passed {
        return false;
    }
    if has_connections {
        // Whoever changed it meanwhile gave it time itself.
        let again = word.with(word.state(), now.wrapping_add(AGAIN));
        if slot.change_word(word, again).is_ok() {
            slot.set_timeout(AGAIN);
        }
    }
    !has_connections
}

#[inline(always)]
fn connection_ends<T: Tables>(
    tables: &mut T,
    settings: Shared<Settings>,
    index: u32,
    slot: Shared<Slot>,
    word: SlotWord,
    now: Coarse,
    pressure: Pressure,
) -> bool {
    let protocol = slot.forward().protocol;
    if is_dispensable(settings, protocol, word, now) && is_drawn(settings, index, now, pressure) {
        tables.count(Reason::DropEntry);
        return true;
    }
    let spared = match (pressure, protocol, word.state()) {
        (Pressure::Short, TCP, state::SYN_RECV) => settings
            .timeout(state::SYN_RECV)
            .saturating_sub(settings.embryonic()),
        (Pressure::Relaxed | Pressure::Short, ..) => 0,
    };
    passed(word.deadline().wrapping_sub(spared), now)
}

/// What `drop_entry` may end: connections without an answer, and datagrams'
/// that were quiet for a minute. IPVS also ends quiet established connections
/// of few packets; here nothing that is established ever ends early.
#[inline(always)]
fn is_dispensable(settings: Shared<Settings>, protocol: u8, word: SlotWord, now: Coarse) -> bool {
    match (protocol, word.state()) {
        (TCP, state::SYN_RECV | state::SYNACK) => true,
        (SCTP, sctp::state::INIT1 | sctp::state::INIT) => true,
        (UDP, _) => {
            let left = word.deadline().wrapping_sub(now);
            left.wrapping_add(QUIET) <= settings.timeout(state::UDP)
        }
        (_, _) => false,
    }
}

/// In every second each slot has a chance of one in 32, however often it is
/// looked at.
#[inline(always)]
fn is_drawn(settings: Shared<Settings>, index: u32, now: Coarse, pressure: Pressure) -> bool {
    let asked = match (settings.mode(mode::DROP_ENTRY), pressure) {
        (0, _) => false,
        (mode::ALWAYS, _) | (_, Pressure::Short) => true,
        (_, Pressure::Relaxed) => false,
    };
    let second = now >> SECOND_SHIFT;
    asked && (index ^ second.wrapping_mul(0x9e37_79b1)).wrapping_mul(0x85eb_ca6b) >> 27 == 0
}

/// Coarse time wraps after 18 years; a deadline is never half of that away.
#[inline(always)]
fn passed(deadline: Coarse, now: Coarse) -> bool {
    now.wrapping_sub(deadline) < 1 << 31
}

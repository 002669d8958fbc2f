//! Expiry, slot by slot. The kernel's timer and the model both call it.

use vsnat_abi::settings::Settings;
use vsnat_abi::slot::{Phase, SlotWord, state};
use vsnat_abi::sweep::REST;
use vsnat_abi::time::Coarse;

use crate::track::count_connection;
use crate::{Shared, Tables};

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
            if !is_over(settings, word, now, pressure) {
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
            tables.remove_flow(&slot.forward());
            tables.remove_flow(&slot.reply());
            count_connection(tables, slot.dest(), word.state(), u32::MAX);
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
fn is_over(settings: Shared<Settings>, word: SlotWord, now: Coarse, pressure: Pressure) -> bool {
    let spared = match (pressure, word.state()) {
        (Pressure::Short, state::SYN_RECV) => settings
            .timeout(state::SYN_RECV)
            .saturating_sub(settings.embryonic()),
        (Pressure::Relaxed | Pressure::Short, _) => 0,
    };
    passed(word.deadline().wrapping_sub(spared), now)
}

/// Coarse time wraps after 18 years; a deadline is never half of that away.
#[inline(always)]
fn passed(deadline: Coarse, now: Coarse) -> bool {
    now.wrapping_sub(deadline) < 1 << 31
}

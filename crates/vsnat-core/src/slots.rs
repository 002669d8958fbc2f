//! Free slots: from this CPU's stash, from the queue, or never used before.

use vsnat_abi::slot::{Phase, Slot, SlotWord};
use vsnat_abi::sweep::REST;
use vsnat_abi::table::STASH_REFILL;
use vsnat_abi::time::Coarse;

use crate::{Shared, Tables};

/// A slot that is abandoned is known to stray answers only: losing against
/// more than a few of them does not happen.
const ATTEMPTS: u32 = 4;

/// Takes a slot that nobody refers to. `None`: the table is full.
#[inline(always)]
pub(crate) fn take<T: Tables>(tables: &mut T) -> Option<u32> {
    if let Some(slot) = from_stash(tables) {
        return Some(slot);
    }
    never_used(tables)
}

/// Lets go of a slot that was prepared but not published. A reply may have met
/// its key, so it rests like every other one before it is used again.
/// Answers the word as it was: a late answer of the server may have moved the
/// connection on, and whoever takes it out of the counts must know to where.
#[inline(always)]
pub(crate) fn abandon(slot: Shared<Slot>, now: Coarse) -> SlotWord {
    let mut word = slot.word();
    let rest = SlotWord::new(Phase::Dying, 0, word.generation(), now.wrapping_add(REST));
    for _ in 0..ATTEMPTS {
        match slot.change_word(word, rest) {
            Ok(()) => return word,
            Err(seen) => word = seen,
        }
    }
    slot.set_word(rest);
    word
}

#[inline(always)]
fn from_stash<T: Tables>(tables: &mut T) -> Option<u32> {
    let stash = tables.stash()?;
    if stash.count() == 0 {
        refill(tables)?;
    }
    let left = stash.count().wrapping_sub(1);
    stash.set_count(left);
    Some(stash.slot(left))
}

#[inline(always)]
fn refill<T: Tables>(tables: &mut T) -> Option<()> {
    let stash = tables.stash()?;
    let mut count = 0;
    let wanted = tables.settings()?.stash_refill();
    for _ in 0..STASH_REFILL {
        if count >= wanted {
            break;
        }
        let Some(slot) = tables.pop_free() else { break };
        stash.set_slot(count, slot);
        count += 1;
    }
    stash.set_count(count);
    if count == 0 { None } else { Some(()) }
}

/// Slots are used for the first time in the order of their indices, so that
/// the sweeper and the listings need not look beyond the last of them.
#[inline(always)]
fn never_used<T: Tables>(tables: &mut T) -> Option<u32> {
    let shared = tables.shared()?;
    // Looked at before it is added to: a full table must not count on.
    tables.slot(shared.fresh() as u32)?;
    let slot = shared.take_fresh() as u32;
    tables.slot(slot)?;
    Some(slot)
}

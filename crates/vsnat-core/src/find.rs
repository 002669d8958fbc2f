//! From a packet's key to its connection.

use vsnat_abi::flow::{Direction, FlowKey4, FlowRef};
use vsnat_abi::settings::Settings;
use vsnat_abi::slot::{Slot, SlotWord};

use crate::{Shared, Tables};

/// A connection, as it was when it was found.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Found {
    pub index: u32,
    pub slot: Shared<Slot>,
    pub word: SlotWord,
    pub direction: Direction,
    /// The key of the other direction: reversed, it is what the packet becomes.
    pub other: FlowKey4,
}

/// Finds the connection whose packets carry `key`: where its flow was recently
/// found, else in the flow table.
#[inline(always)]
pub(crate) fn find<T: Tables>(
    tables: &T,
    settings: Shared<Settings>,
    key: &FlowKey4,
) -> Option<Found> {
    find_by(tables, settings, key, Hint::Asked)
}

/// Whether the hint is asked before the flow table: a packet that starts a
/// connection by its own account is in neither, and the table says so for sure.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hint {
    Asked,
    LeftOut,
}

#[inline(always)]
pub(crate) fn find_by<T: Tables>(
    tables: &T,
    settings: Shared<Settings>,
    key: &FlowKey4,
    hint: Hint,
) -> Option<Found> {
    let cell = tables.recent(key.recent_place(settings.recent_mask()))?;
    let recent = match hint {
        Hint::Asked => cell.load(),
        Hint::LeftOut => 0,
    };
    if recent != 0
        && let Some(found) = prove(tables, key, FlowRef::from_raw(recent))
    {
        return Some(found);
    }
    let reference = tables.flow(key)?;
    let found = prove(tables, key, reference)?;
    cell.store(reference.raw());
    Some(found)
}

/// Finds a connection that was opened at `opened` just now, or in its place by
/// somebody else.
#[inline(always)]
pub(crate) fn find_opened<T: Tables>(tables: &T, key: &FlowKey4, opened: u64) -> Option<Found> {
    if opened != 0
        && let Some(found) = prove(tables, key, FlowRef::from_raw(opened))
    {
        return Some(found);
    }
    look_up(tables, key)
}

/// The same without the hint: for packets that most likely have no connection.
#[inline(always)]
pub(crate) fn look_up<T: Tables>(tables: &T, key: &FlowKey4) -> Option<Found> {
    prove(tables, key, tables.flow(key)?)
}

/// A reference says where, the slot says whether.
///
/// The kernel may recycle a hash element while it is read, a recent flow may be
/// another's, and a slot may be given away: so the slot must confirm generation
/// and key, and its word must be the same before and after its keys were read.
#[inline(always)]
fn prove<T: Tables>(tables: &T, key: &FlowKey4, reference: FlowRef) -> Option<Found> {
    let slot = tables.slot(reference.slot())?;
    let word = slot.word();
    if !word.is_live() || word.generation() != reference.generation() {
        return None;
    }
    let direction = reference.direction();
    let (own, other) = match direction {
        Direction::Forward => (slot.forward(), slot.reply()),
        Direction::Reply => (slot.reply(), slot.forward()),
    };
    if !same(&own, key) || !slot.word().same_tenancy(word) {
        return None;
    }
    Some(Found {
        index: reference.slot(),
        slot,
        word,
        direction,
        other,
    })
}

/// Word by word: comparing byte arrays would call `memcmp`.
#[inline(always)]
pub(crate) fn same(a: &FlowKey4, b: &FlowKey4) -> bool {
    let ([a0, a1], [b0, b1]) = (a.words(), b.words());
    a0 == b0 && a1 == b1
}

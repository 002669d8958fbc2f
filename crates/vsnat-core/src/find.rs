//! From a packet's key to its connection.

use vsnat_abi::flow::{Direction, FlowKey4};
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

/// Finds the connection whose packets carry `key`.
///
/// The kernel may recycle a hash element while it is read, and a slot may be
/// given away: so the slot must confirm generation and key, and its word must
/// be the same before and after its keys were read.
#[inline(always)]
pub(crate) fn find<T: Tables>(tables: &T, key: &FlowKey4) -> Option<Found> {
    let reference = tables.flow(key)?;
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

/// Field by field: comparing byte arrays would call `memcmp`.
#[inline(always)]
pub(crate) fn same(a: &FlowKey4, b: &FlowKey4) -> bool {
    a.src == b.src
        && a.dst == b.dst
        && a.src_port == b.src_port
        && a.dst_port == b.dst_port
        && a.protocol == b.protocol
        && a.kind == b.kind
}

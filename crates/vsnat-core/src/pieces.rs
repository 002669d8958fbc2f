//! Datagrams that travel in pieces (RFC 791 §3.2).
//!
//! The first piece has the ports: it opens or finds a connection as a whole
//! packet does, and where it went is remembered for the others. They have
//! neither ports nor a transport checksum; only their addresses change. What
//! the host's own pieces are must be remembered too, or they would be taken for
//! strays.

use vsnat_abi::counters::Reason;
use vsnat_abi::flow::{Direction, FlowRef};
use vsnat_abi::fragment::{FOREIGN, FragmentKey4};
use vsnat_abi::net::Be16;

use crate::find::Found;
use crate::leave::{send, send_six};
use crate::parse::{Head, Part, SCTP, front_of_ip, load16};
use crate::verdict::Stop;
use crate::{Packet, Tables, Verdict};

/// A piece that is not the first, from either side; `towards` is where one of
/// that side may go.
#[inline(always)]
pub(crate) fn later<P: Packet, T: Tables>(
    packet: &mut P,
    tables: &mut T,
    head: &Head,
    towards: Direction,
) -> Result<Verdict, Stop> {
    let settings = tables.settings().ok_or(Stop::pass(Reason::NotOurs))?;
    let reference = tables.fragment(&key(packet, head)).unwrap_or(UNKNOWN);
    if reference >= FOREIGN {
        return Err(stray(reference, towards));
    }
    let Some(found) = prove(tables, head, FlowRef::from_raw(reference), towards) else {
        return Err(stray(UNKNOWN, towards));
    };
    let now = tables.now();
    if found.slot.way(towards).is_to_six() {
        return send_six(packet, tables, settings, head, &found, now);
    }
    send(packet, tables, settings, head, found, now)
}

/// Offset of the datagram's number in a frame.
const IP_ID: usize = 18;
/// Nothing is known of the datagram's first piece.
const UNKNOWN: u64 = u64::MAX;

const _: () = assert!(FOREIGN < UNKNOWN);

/// A server's stray piece may be of traffic of its own, which is the host's.
#[inline(always)]
fn stray(reference: u64, towards: Direction) -> Stop {
    match towards {
        Direction::Forward if reference != FOREIGN => Stop::drop(Reason::Fragment),
        Direction::Forward | Direction::Reply => Stop::pass(Reason::NotOurs),
    }
}

/// Where the pieces go that follow a first one.
#[inline(always)]
pub(crate) fn remember<P: Packet, T: Tables>(
    packet: &mut P,
    tables: &mut T,
    head: &Head,
    found: &Found,
) -> Result<(), Stop> {
    // The checksum of SCTP covers every byte of all pieces: none can be mended
    // alone.
    if head.part == Part::Whole {
        return Ok(());
    }
    if head.key.protocol == SCTP {
        return Err(Stop::drop(Reason::Fragment));
    }
    let reference = FlowRef::new(found.index, found.word.generation(), found.direction);
    tables.put_fragment(&key(packet, head), reference.raw());
    Ok(())
}

/// The pieces that follow are none of ours.
#[inline(always)]
pub(crate) fn remember_foreign<P: Packet, T: Tables>(packet: &mut P, tables: &mut T, head: &Head) {
    tables.put_fragment(&key(packet, head), FOREIGN);
}

/// The slot must confirm what it can: an entry may have been left by another
/// datagram.
#[inline(always)]
fn prove<T: Tables>(
    tables: &T,
    head: &Head,
    reference: FlowRef,
    towards: Direction,
) -> Option<Found> {
    let slot = tables.slot(reference.slot())?;
    let word = slot.word();
    if !word.is_live() || word.generation() != reference.generation() {
        return None;
    }
    if reference.direction() != towards {
        return None;
    }
    let (own, other) = match towards {
        Direction::Forward => (slot.forward(), slot.reply()),
        Direction::Reply => (slot.reply(), slot.forward()),
    };
    let is_same = own.src == head.key.src
        && own.dst == head.key.dst
        && own.protocol == head.key.protocol
        && slot.word().same_tenancy(word);
    is_same.then_some(Found {
        index: reference.slot(),
        slot,
        word,
        direction: towards,
        other,
    })
}

#[inline(always)]
fn key<P: Packet>(packet: &mut P, head: &Head) -> FragmentKey4 {
    let id = match front_of_ip(packet) {
        Some(front) => load16(front, IP_ID),
        None => Be16::ZERO,
    };
    FragmentKey4 {
        src: head.key.src,
        dst: head.key.dst,
        id,
        protocol: head.key.protocol,
        zero: 0,
    }
}

//! Opening a connection, and opening a closed one again in place.
//!
//! A slot is prepared in private, then the reply's key is inserted, then the
//! client's key, which publishes it. Either insertion may find that another
//! flow or another CPU was first.

use vsnat_abi::counters::Reason;
use vsnat_abi::flow::{Direction, FlowKey4, FlowRef};
use vsnat_abi::net::Be16;
use vsnat_abi::service::ServiceKey4;
use vsnat_abi::settings::{Settings, deny};
use vsnat_abi::slot::{Phase, Slot, SlotWord};
use vsnat_abi::time::Coarse;

use crate::find::{Found, find};
use crate::icmp::{Answer, Kind};
use crate::parse::{Head, RST, SYN, TCP};
use crate::track::{count_connection, is_active, opening_state};
use crate::verdict::Stop;
use crate::{Inserted, Shared, Tables, hop, schedule, slots};

/// Source ports that are tried, the client's own first.
const PORT_TRIES: u32 = 8;
/// Attempts to take over a closed connection's slot.
const LEAVE_ATTEMPTS: u32 = 2;
/// Ports below are for servers.
const PORT_MIN: u16 = 1_024;
/// IPVS never schedules active FTP data: its connection must exist already.
const FTP_DATA: u16 = 20;

/// The service a packet is sent to.
#[inline(always)]
pub(crate) fn service_of<T: Tables>(tables: &T, head: &Head) -> Option<u32> {
    tables.find_service(&service_key(head))
}

#[inline(always)]
fn service_key(head: &Head) -> ServiceKey4 {
    ServiceKey4 {
        vip: head.key.dst,
        port: head.key.dst_port,
        protocol: head.key.protocol,
        zero: 0,
    }
}

/// Sources that the administrator refuses, and sources that cannot be.
#[inline(always)]
pub(crate) fn admit<T: Tables>(tables: &T, head: &Head) -> Result<(), Stop> {
    if head.key.src_port.host() == FTP_DATA || (head.key.protocol == TCP && !opens(head.flags)) {
        return Err(Stop::pass(Reason::NoConnection));
    }
    let denied = tables.denied(head.key.src);
    if denied & deny::MARTIAN != 0 {
        return Err(Stop::drop(Reason::Martian));
    }
    if denied != 0 {
        return Err(Stop::drop(Reason::Denied));
    }
    Ok(())
}

#[inline(always)]
fn opens(flags: u8) -> bool {
    flags & SYN != 0 && flags & RST == 0
}

/// A SYN on a connection that is over starts a new one.
#[inline(always)]
pub(crate) fn is_reuse(head: &Head, found: &Found) -> bool {
    head.key.protocol == TCP && opens(head.flags) && is_over(found.word)
}

/// A slot in phase Opening, ours alone until it is published.
struct Place {
    index: u32,
    slot: Shared<Slot>,
    word: SlotWord,
    /// Whether the client's key leads here already.
    known: Known,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Known {
    No,
    Yes,
}

/// Opens a connection for the packet: in the slot of `closed`, if the client
/// uses an old connection's port again, else in a free one.
#[inline(always)]
pub(crate) fn open<T: Tables>(
    tables: &mut T,
    settings: Shared<Settings>,
    service: u32,
    head: &Head,
    closed: Option<Found>,
    now: Coarse,
) -> Result<Found, Stop> {
    let Some(first) = schedule::pick(tables, service, &head.key) else {
        return Err(no_server(tables, head, closed, now));
    };
    let place = match closed {
        Some(closed) => again(tables, &closed)?,
        None => fresh(tables)?,
    };
    let slot = place.slot;
    slot.set_forward(head.key);
    let generation = place.word.generation();
    let reference = FlowRef::new(place.index, generation, Direction::Reply);
    if let Err(reason) = claim_reply(tables, slot, service, first, head, reference) {
        if place.known == Known::Yes {
            tables.remove_flow(&head.key);
        }
        slots::abandon(slot, now);
        return Err(Stop::drop(reason));
    }

    let dest = slot.dest();
    for direction in [Direction::Forward, Direction::Reply] {
        slot.set_way(
            direction,
            hop::remembered(tables, direction, dest, head.key.src),
        );
    }
    let state = opening_state(head);
    let deadline = now.wrapping_add(settings.timeout(state));
    let word = place.word.in_phase(Phase::Live).with(state, deadline);
    count_connection(tables, dest, state, 1);
    slot.set_word(word);
    if place.known == Known::No {
        let reference = FlowRef::new(place.index, generation, Direction::Forward);
        let inserted = tables.insert_flow(&head.key, reference);
        if inserted != Inserted::Yes {
            tables.remove_flow(&slot.reply());
            let left = slots::abandon(slot, now);
            count_connection(tables, dest, left.state(), u32::MAX);
            return lost(tables, head, inserted);
        }
    }
    tables.count_one_of(match place.known {
        Known::No => Reason::Opened,
        Known::Yes => Reason::Reopened,
    });
    if let Some(stats) = tables.dest_stats(dest) {
        stats.count_connection();
    }
    let other = slot.reply();
    Ok(Found {
        index: place.index,
        slot,
        word,
        direction: Direction::Forward,
        other,
    })
}

#[inline(always)]
fn fresh<T: Tables>(tables: &mut T) -> Result<Place, Stop> {
    let full = Stop::drop(Reason::TableFull);
    let index = slots::take(tables).ok_or(full)?;
    let slot = tables.slot(index).ok_or(full)?;
    let word = slot.word().in_phase(Phase::Opening);
    slot.set_word(word);
    Ok(Place {
        index,
        slot,
        word,
        known: Known::No,
    })
}

/// Takes a closed connection's slot away from its server. Its generation
/// stays, since the client's key leads to it; its epoch changes.
#[inline(always)]
fn again<T: Tables>(tables: &mut T, closed: &Found) -> Result<Place, Stop> {
    let Some(left) = leave(closed) else {
        return Err(Stop::drop(Reason::OpenRace));
    };
    let word = opening(left);
    tables.remove_flow(&closed.other);
    count_connection(tables, closed.slot.dest(), left.state(), u32::MAX);
    Ok(Place {
        index: closed.index,
        slot: closed.slot,
        word,
        known: Known::Yes,
    })
}

/// The word that a closed connection was left with. A packet that only moved
/// its deadline is no reason to lose the SYN.
#[inline(always)]
fn leave(closed: &Found) -> Option<SlotWord> {
    let mut word = closed.word;
    for _ in 0..LEAVE_ATTEMPTS {
        match closed.slot.change_word(word, opening(word)) {
            Ok(()) => return Some(word),
            Err(seen) if seen.same_tenancy(word) && is_over(seen) => word = seen,
            Err(_) => return None,
        }
    }
    None
}

#[inline(always)]
fn opening(word: SlotWord) -> SlotWord {
    word.in_phase(Phase::Opening).next_epoch()
}

#[inline(always)]
fn is_over(word: SlotWord) -> bool {
    use vsnat_abi::slot::state::{CLOSE, TIME_WAIT};
    matches!(word.state(), TIME_WAIT | CLOSE)
}

/// Another CPU opened the same flow at the same time: its connection counts.
#[inline(always)]
fn lost<T: Tables>(tables: &T, head: &Head, inserted: Inserted) -> Result<Found, Stop> {
    if inserted == Inserted::Full {
        return Err(Stop::drop(Reason::TableFull));
    }
    find(tables, &head.key).ok_or(Stop::drop(Reason::OpenRace))
}

/// Inserts the key of the server's answers; the slot then names server and
/// key. If another flow has it (one client port, two VIPs, one server), the
/// next server is tried, then other source ports towards that one.
#[inline(always)]
fn claim_reply<T: Tables>(
    tables: &mut T,
    slot: Shared<Slot>,
    service: u32,
    first: u32,
    head: &Head,
    reference: FlowRef,
) -> Result<(), Reason> {
    let mut port = head.key.src_port;
    match claim(tables, slot, first, head, port, reference) {
        Inserted::Yes => return Ok(()),
        Inserted::Full => return Err(Reason::TableFull),
        Inserted::Exists => {}
    }
    let next = schedule::pick(tables, service, &head.key).unwrap_or(first);
    for _ in 0..PORT_TRIES {
        match claim(tables, slot, next, head, port, reference) {
            Inserted::Yes => return Ok(()),
            Inserted::Full => return Err(Reason::TableFull),
            Inserted::Exists => port = random_port(tables),
        }
    }
    Err(Reason::PortsExhausted)
}

#[inline(always)]
fn claim<T: Tables>(
    tables: &mut T,
    slot: Shared<Slot>,
    dest: u32,
    head: &Head,
    port: Be16,
    reference: FlowRef,
) -> Inserted {
    let Some(reply) = reply_key(tables, dest, head, port) else {
        return Inserted::Exists;
    };
    slot.set_dest(dest);
    slot.set_reply(reply);
    tables.insert_flow(&reply, reference)
}

/// What the server will send back.
#[inline(always)]
fn reply_key<T: Tables>(tables: &T, dest: u32, head: &Head, port: Be16) -> Option<FlowKey4> {
    let server = tables.dest(dest)?;
    // A view is read without a lock: one that was replaced meanwhile may name
    // a server of another service.
    if server.service() != service_key(head) {
        return None;
    }
    let server_port = match server.port() {
        Be16::ZERO => head.key.dst_port,
        port => port,
    };
    Some(FlowKey4::new(
        head.key.protocol,
        server.address(),
        server_port,
        head.key.src,
        port,
    ))
}

#[inline(always)]
fn random_port<T: Tables>(tables: &mut T) -> Be16 {
    let span = u32::from(u16::MAX - PORT_MIN) + 1;
    let offset = (u64::from(tables.random()) * u64::from(span)) >> 32;
    Be16::from_host(PORT_MIN + offset as u16)
}

/// Nobody can serve: a closed connection whose port is used again ends here.
#[inline(always)]
fn no_server<T: Tables>(tables: &mut T, head: &Head, closed: Option<Found>, now: Coarse) -> Stop {
    if let Some(closed) = closed
        && again(tables, &closed).is_ok()
    {
        tables.remove_flow(&head.key);
        slots::abandon(closed.slot, now);
    }
    Stop::refuse(
        Reason::NoServer,
        Answer::new(Kind::PortUnreachable, 0, head.key.dst),
    )
}

const _: () = assert!(!is_active(vsnat_abi::slot::state::UDP));

//! Opening a connection, and opening a closed one again in place.
//!
//! A slot is prepared in private, then the reply's key is inserted, then the
//! client's key, which publishes it. Either insertion may find that another
//! flow or another CPU was first.

use vsnat_abi::counters::Reason;
use vsnat_abi::destination::{dest_state, forwarding};
use vsnat_abi::flow::{Direction, FlowKey4, FlowRef};
use vsnat_abi::net::Be16;
use vsnat_abi::settings::{Settings, flag, mode};
use vsnat_abi::slot::{Phase, Slot, SlotWord};
use vsnat_abi::time::Coarse;

use crate::counts::{Change, count_connection};
use crate::find::{Found, find};
use crate::hop::Way;
use crate::icmp::{Answer, Kind};
use crate::parse::{Head, SCTP, TCP};
use crate::persist::{self, Came, Kept};
use crate::target::Target;
use crate::track::opening_state;
use crate::verdict::Stop;
use crate::{Inserted, Loop, Round, Shared, Tables, hop, schedule, sctp, slots, source};

/// Source ports that are tried beside the client's own.
const PORT_TRIES: u32 = 8;
/// Attempts to take over a closed connection's slot.
const LEAVE_ATTEMPTS: u32 = 2;
/// Ports below are for servers.
const PORT_MIN: u16 = 1_024;

/// Whether a packet that opens starts a connection anew whose client's port is
/// used again.
#[inline(always)]
pub(crate) fn is_reuse<T: Tables>(
    tables: &T,
    settings: Shared<Settings>,
    head: &Head,
    found: &Found,
) -> bool {
    if settings.has(flag::EXPIRE_NODEST_CONN)
        && tables
            .dest(found.slot.dest())
            .is_some_and(|dest| dest.weight() == 0)
    {
        return true;
    }
    // As in IPVS a connection that follows a template stays with its server.
    settings.mode(mode::CONN_REUSE) != 0
        && is_over(head.key.protocol, found.word)
        && found.slot.control() == 0
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

/// What a connection is opened for.
pub(crate) struct Wish<'a> {
    pub settings: Shared<Settings>,
    pub target: &'a Target,
    pub head: &'a Head,
    pub now: Coarse,
}

/// The connection that the packet's key led to, and that is over.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Closed {
    None,
    /// The client uses its port again.
    Reused,
    /// The server was deleted.
    ServerGone,
}

/// Opens a connection for the packet: in the slot of the one that is over, if
/// there is one, else in a free one.
#[inline(always)]
pub(crate) fn open<T: Tables>(
    tables: &mut T,
    wish: &Wish<'_>,
    kept: &Kept,
    closed: Closed,
) -> Result<(), Reason> {
    let came = match try_open(tables, wish, kept, closed) {
        Opened::NEW => Reason::Opened,
        Opened::AGAIN => Reason::Reopened,
        Opened::FULL => return Err(Reason::TableFull),
        Opened::PORTS => return Err(Reason::PortsExhausted),
        Opened::SOURCES => return Err(Reason::SourcePortsExhausted),
        // Another CPU opened the same flow at the same time: its connection
        // counts.
        Opened::LOST => return Ok(()),
        _ => return Err(Reason::OpenRace),
    };
    tables.count_one_of(came);
    Ok(())
}

/// What an opening came to.
pub(crate) struct Opened;

impl Opened {
    const NEW: u32 = 0;
    const AGAIN: u32 = 1;
    pub(crate) const FULL: u32 = 2;
    const PORTS: u32 = 3;
    const LOST: u32 = 4;
    const RACE: u32 = 5;
    pub(crate) const SOURCES: u32 = 6;
}

#[inline(always)]
fn try_open<T: Tables>(tables: &mut T, wish: &Wish<'_>, kept: &Kept, closed: Closed) -> u32 {
    let (head, now) = (wish.head, wish.now);
    let place = match closed {
        Closed::None => fresh(tables),
        Closed::Reused | Closed::ServerGone => known(tables, wish.settings, head, closed),
    };
    let Some(place) = place else {
        persist::release(tables, kept.control);
        return match closed {
            Closed::None => Opened::FULL,
            Closed::Reused | Closed::ServerGone => Opened::RACE,
        };
    };
    let slot = place.slot;
    slot.set_forward(head.key);
    slot.set_control(kept.control);
    let generation = place.word.generation();
    let reference = FlowRef::new(place.index, generation, Direction::Reply);
    let claimed = claim_reply(tables, slot, wish, kept.dest, reference);
    if claimed != CLAIMED {
        if place.known == Known::Yes {
            tables.remove_flow(&head.key);
        }
        persist::release(tables, kept.control);
        slots::abandon(slot, now);
        return claimed;
    }

    let dest = kept.dest;
    for direction in [Direction::Forward, Direction::Reply] {
        let way = match wish.target.is_proxied(&head.key) {
            true => Way::TO_HOST,
            false => hop::first(tables, wish.settings, direction, dest, &slot.reply()),
        };
        slot.set_way(direction, way);
    }
    let protocol = head.key.protocol;
    let (state, timeout) = opening_state(wish.settings, head);
    let deadline = now.wrapping_add(timeout);
    let word = place.word.in_phase(Phase::Live).with(state, deadline);
    count_connection(tables, dest, protocol, state, Change::More);
    slot.set_word(word);
    if place.known == Known::No {
        let reference = FlowRef::new(place.index, generation, Direction::Forward);
        let inserted = tables.insert_flow(&head.key, reference);
        if inserted != Inserted::Yes {
            tables.remove_flow(&slot.reply());
            persist::release(tables, kept.control);
            let left = slots::abandon(slot, now);
            count_connection(tables, dest, protocol, left.state(), Change::Less);
            return match inserted {
                Inserted::Full => Opened::FULL,
                Inserted::Exists | Inserted::Yes => Opened::LOST,
            };
        }
    }
    // The packet itself is looked for next. It is no hint for others yet: a
    // flood of first packets must not drive out those of established flows, and
    // the cell is memory that nobody touched lately.
    if let Some(decision) = tables.decision() {
        decision.write_opened(FlowRef::new(place.index, generation, Direction::Forward));
    }
    if let Some(stats) = tables.dest_stats(dest) {
        stats.count_connection();
    }
    match place.known {
        Known::No => Opened::NEW,
        Known::Yes => Opened::AGAIN,
    }
}

/// The server: the one that the client stays with, or the scheduler's choice.
#[inline(always)]
pub(crate) fn choose<T: Tables>(tables: &mut T, wish: &Wish<'_>) -> Result<Kept, Stop> {
    let mut kept = Kept::nothing(Came::NoServer);
    if wish.target.is_persistent() {
        kept = persist::kept(tables, wish);
    }
    if kept.came != Came::Found {
        let dest = schedule::pick(tables, wish.target, &wish.head.key, wish.now);
        let Some(dest) = dest else {
            return Err(no_server(wish.head, Reason::NoServer));
        };
        kept = if wish.target.is_persistent() {
            persist::keep(tables, wish, dest)
        } else {
            Kept::found(dest, 0)
        };
    }
    match kept.came {
        Came::Found => Ok(kept),
        Came::NoServer => Err(no_server(wish.head, Reason::NoServer)),
        Came::TableFull => Err(Stop::drop(Reason::TableFull)),
        Came::Race => Err(Stop::drop(Reason::OpenRace)),
    }
}

/// What the sender is told when nobody can serve.
#[inline(always)]
pub(crate) fn no_server(head: &Head, reason: Reason) -> Stop {
    Stop::refuse(reason, Answer::new(Kind::PortUnreachable, 0, head.key.dst))
}

/// A connection ends before its time.
///
/// On the eBPF target a function of its own: it is asked for in several places.
#[cfg_attr(target_arch = "bpf", inline(never))]
pub(crate) fn end<T: Tables>(
    tables: &mut T,
    settings: Shared<Settings>,
    head: &Head,
    closed: Closed,
    now: Coarse,
) {
    if let Some(place) = known(tables, settings, head, closed) {
        tables.remove_flow(&head.key);
        slots::abandon(place.slot, now);
    }
}

#[inline(always)]
fn fresh<T: Tables>(tables: &mut T) -> Option<Place> {
    let index = slots::take(tables)?;
    let slot = tables.slot(index)?;
    let word = slot.word().in_phase(Phase::Opening);
    slot.set_word(word);
    Some(Place {
        index,
        slot,
        word,
        known: Known::No,
    })
}

/// The slot of the connection that the packet's key leads to, taken away from
/// its server, if that connection is still over.
#[inline(always)]
fn known<T: Tables>(
    tables: &mut T,
    settings: Shared<Settings>,
    head: &Head,
    closed: Closed,
) -> Option<Place> {
    let found = find(tables, settings, &head.key)?;
    let dest = tables.dest(found.slot.dest())?;
    let is_still = match closed {
        Closed::None => false,
        Closed::Reused => is_over(head.key.protocol, found.word) || dest.weight() == 0,
        Closed::ServerGone => dest.state() != dest_state::AVAILABLE,
    };
    if !is_still {
        return None;
    }
    again(tables, &found)
}

/// Takes a connection's slot away from its server. Its generation stays, since
/// the client's key leads to it; its epoch changes.
#[inline(always)]
fn again<T: Tables>(tables: &mut T, closed: &Found) -> Option<Place> {
    let control = closed.slot.control();
    let dest = closed.slot.dest();
    let left = leave(closed)?;
    let word = opening(left);
    tables.remove_flow(&closed.other);
    persist::release(tables, control);
    let protocol = closed.other.protocol;
    count_connection(tables, dest, protocol, left.state(), Change::Less);
    Some(Place {
        index: closed.index,
        slot: closed.slot,
        word,
        known: Known::Yes,
    })
}

/// The word that a connection was left with. A packet that only moved its
/// deadline is no reason to lose the SYN.
#[inline(always)]
fn leave(closed: &Found) -> Option<SlotWord> {
    let mut word = closed.word;
    for _ in 0..LEAVE_ATTEMPTS {
        match closed.slot.change_word(word, opening(word)) {
            Ok(()) => return Some(word),
            Err(seen) if seen.same_tenancy(word) && seen.state() == word.state() => word = seen,
            Err(_) => return None,
        }
    }
    None
}

#[inline(always)]
fn opening(word: SlotWord) -> SlotWord {
    word.in_phase(Phase::Opening).next_epoch()
}

/// Whether nothing more is expected of a connection.
#[inline(always)]
fn is_over(protocol: u8, word: SlotWord) -> bool {
    use vsnat_abi::slot::state::{CLOSE, TIME_WAIT};
    match protocol {
        TCP => matches!(word.state(), TIME_WAIT | CLOSE),
        SCTP => word.state() == sctp::state::CLOSED,
        _ => false,
    }
}

/// Inserts the key of the server's answers; the slot then names server and
/// key. If another flow has it (one client port, two VIPs, one server), other
/// source ports are tried.
#[inline(always)]
fn claim_reply<T: Tables>(
    tables: &mut T,
    slot: Shared<Slot>,
    wish: &Wish<'_>,
    dest: u32,
    reference: FlowRef,
) -> u32 {
    let Some(reply) = reply_key(tables, wish.target, dest, wish.head) else {
        return Opened::RACE;
    };
    slot.set_dest(dest);
    if wish.target.hides_client() {
        return source::claim(tables, slot, reply, dest, reference);
    }
    slot.set_reply(reply);
    match tables.insert_flow(&reply, reference) {
        Inserted::Yes => return CLAIMED,
        Inserted::Full => return Opened::FULL,
        // Nobody would translate another port back.
        Inserted::Exists if is_as_it_came(&wish.head.key, &reply) => return Opened::PORTS,
        Inserted::Exists => {}
    }
    let search = Search {
        reply,
        reference: reference.raw(),
        came: tables.zero(),
    };
    let search = tables.repeat(PORT_TRIES, search);
    slot.set_reply(search.reply);
    match search.came {
        FOUND => CLAIMED,
        FULL => Opened::FULL,
        _ => Opened::PORTS,
    }
}

/// The key of the answers is ours.
pub(crate) const CLAIMED: u32 = u32::MAX;

/// The search for a source port that is free towards a server.
#[repr(C)]
struct Search {
    reply: FlowKey4,
    reference: u64,
    /// To what it came; 0 while nothing was found.
    came: u64,
}

const FOUND: u64 = 1;
const FULL: u64 = 2;

impl<T: Tables> Loop<T> for Search {
    #[inline(always)]
    fn round(&mut self, tables: &mut T, _index: u32) -> Round {
        self.reply.dst_port = random_port(tables);
        self.came = match tables.insert_flow(&self.reply, FlowRef::from_raw(self.reference)) {
            Inserted::Yes => FOUND,
            Inserted::Full => FULL,
            Inserted::Exists => return Round::Next,
        };
        Round::Last
    }
}

/// What the server will send back.
#[inline(always)]
pub(crate) fn reply_key<T: Tables>(
    tables: &T,
    target: &Target,
    dest: u32,
    head: &Head,
) -> Option<FlowKey4> {
    let server = tables.dest(dest)?;
    // A view is read without a lock: one that was replaced meanwhile may name
    // a server of another service.
    if server.service() != target.key {
        return None;
    }
    if server.forwarding() == forwarding::ROUTE {
        return Some(head.key.reversed());
    }
    // As in IPVS a template's client who asks for another port than the
    // service's own gets that port of the server.
    let own_port = target.key.port == head.key.dst_port || !target.is_persistent();
    let server_port = match server.port() {
        _ if target.server_port() != Be16::ZERO => target.server_port(),
        Be16::ZERO => head.key.dst_port,
        port if own_port => port,
        _ => head.key.dst_port,
    };
    Some(FlowKey4::new(
        head.key.protocol,
        server.address(),
        server_port,
        head.key.src,
        head.key.src_port,
    ))
}

/// Whether the packets of a connection reach their server as they come: then
/// its answers, which are never seen, would be the client's packets reversed.
#[inline(always)]
pub(crate) fn is_as_it_came(forward: &FlowKey4, reply: &FlowKey4) -> bool {
    forward.dst == reply.src
}

#[inline(always)]
pub(crate) fn random_port<T: Tables>(tables: &mut T) -> Be16 {
    let span = u32::from(u16::MAX - PORT_MIN) + 1;
    let offset = (u64::from(tables.random()) * u64::from(span)) >> 32;
    Be16::from_host(PORT_MIN + offset as u16)
}

//! Connections that are expected: FTP's data, whose ends were told on another
//! connection.
//!
//! The first packet of one uses its entry up, so no port stays open behind it.
//! What it opens is a connection like any other, and depends on nothing else.

use vsnat_abi::counters::Reason;
use vsnat_abi::destination::dest_state;
use vsnat_abi::expected::{Expected, ExpectedKey4};
use vsnat_abi::flow::{Direction, FlowKey4, FlowRef};
use vsnat_abi::net::{Be16, Be32};
use vsnat_abi::service::ServiceKey4;
use vsnat_abi::settings::{Settings, flag};
use vsnat_abi::slot::{Phase, Slot, state};
use vsnat_abi::time::Coarse;

use crate::counts::{Change, count_connection};
use crate::open::random_port;
use crate::parse::{ACK, Head, RST, SYN, TCP};
use crate::target::Target;
use crate::{Inserted, Loop, Round, Shared, Tables, hop, slots};

/// Ports that are tried beside the one that the client is to see.
const PORT_TRIES: u32 = 8;

/// What was expected; a record of numbers, since it crosses a call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Call {
    /// Not zero: there is one.
    found: u32,
    pub dest: u32,
    service: ServiceKey4,
    vip: Be32,
    port: Be16,
}

impl Call {
    const NONE: Call = Call {
        found: 0,
        dest: 0,
        service: ServiceKey4::of_mark(0),
        vip: Be32::ZERO,
        port: Be16::ZERO,
    };

    #[inline(always)]
    pub fn is_found(&self) -> bool {
        self.found != 0
    }

    /// As what a client's connection is opened.
    #[inline(always)]
    pub fn target(&self) -> Target {
        Target::expected(self.service, self.port)
    }
}

/// Whether a packet without a connection may be an expected one.
#[inline(always)]
pub(crate) fn may_be(settings: Shared<Settings>, head: &Head) -> bool {
    head.key.protocol == TCP
        && head.flags & (SYN | ACK | RST) == SYN
        && settings.has(flag::HAS_HELPER)
}

/// A client's packet: whether it was expected. It is so no more.
///
/// On the eBPF target a function of its own, with a stack frame of its own.
#[cfg_attr(target_arch = "bpf", inline(never))]
pub(crate) fn from_client<T: Tables>(tables: &mut T, key: &FlowKey4, now: Coarse) -> Call {
    match take(tables, key, now) {
        Some(expected) => call(tables, &expected),
        None => Call::NONE,
    }
}

/// The same for a server's packet, which only that very server may send.
///
/// On the eBPF target a function of its own, with a stack frame of its own.
#[cfg_attr(target_arch = "bpf", inline(never))]
pub(crate) fn from_server<T: Tables>(tables: &mut T, key: &FlowKey4, now: Coarse) -> Call {
    let Some(expected) = take(tables, key, now) else {
        return Call::NONE;
    };
    match tables.dest(expected.dest) {
        Some(dest) if dest.address() == key.src => call(tables, &expected),
        Some(_) | None => Call::NONE,
    }
}

#[inline(always)]
fn take<T: Tables>(tables: &mut T, key: &FlowKey4, now: Coarse) -> Option<Expected> {
    let key = ExpectedKey4::new(key.protocol, key.src, key.dst, key.dst_port);
    let expected = tables.take_expected(&key)?;
    // What is overdue lies behind by less than half of the clock's range.
    let left = expected.deadline.wrapping_sub(now);
    if left < 1 << 31 { Some(expected) } else { None }
}

#[inline(always)]
fn call<T: Tables>(tables: &mut T, expected: &Expected) -> Call {
    let Some(dest) = tables.dest(expected.dest) else {
        return Call::NONE;
    };
    // The index may be another server's by now.
    if dest.state() != dest_state::AVAILABLE || dest.service() != expected.service {
        return Call::NONE;
    }
    tables.count(Reason::Expected);
    Call {
        found: 1,
        dest: expected.dest,
        service: expected.service,
        vip: expected.vip,
        port: expected.port,
    }
}

/// Opens the connection of a server's first packet.
///
/// Both keys lead to a slot that is not live yet, so nobody finds it until its
/// word says so.
#[inline(always)]
pub(crate) fn open<T: Tables>(
    tables: &mut T,
    settings: Shared<Settings>,
    head: &Head,
    call: &Call,
    now: Coarse,
) -> Result<(), Reason> {
    let index = slots::take(tables).ok_or(Reason::TableFull)?;
    let slot = tables.slot(index).ok_or(Reason::TableFull)?;
    let word = slot.word().in_phase(Phase::Opening);
    slot.set_word(word);
    slot.set_reply(head.key);
    slot.set_control(0);
    slot.set_dest(call.dest);
    let forward = FlowRef::new(index, word.generation(), Direction::Forward);
    let reply = FlowRef::new(index, word.generation(), Direction::Reply);
    if let Err(reason) = claim_forward(tables, slot, head, call, forward) {
        slots::abandon(slot, now);
        return Err(reason);
    }
    let inserted = tables.insert_flow(&head.key, reply);
    if inserted != Inserted::Yes {
        tables.remove_flow(&slot.forward());
        slots::abandon(slot, now);
        return Err(match inserted {
            Inserted::Full => Reason::TableFull,
            Inserted::Exists | Inserted::Yes => Reason::OpenRace,
        });
    }
    for direction in [Direction::Forward, Direction::Reply] {
        let way = hop::remembered(tables, direction, call.dest, head.key.dst);
        slot.set_way(direction, way);
    }
    // The packet itself, when it is sent, leads to the same state.
    let deadline = now.wrapping_add(settings.timeout(state::SYN_SENT));
    count_connection(tables, call.dest, TCP, state::SYN_SENT, Change::More);
    slot.set_word(word.in_phase(Phase::Live).with(state::SYN_SENT, deadline));
    if let Some(stats) = tables.dest_stats(call.dest) {
        stats.count_connection();
    }
    tables.count(Reason::Opened);
    Ok(())
}

/// Inserts the key of the client's answers: to the port that it was told, or to
/// another one while an older connection has that.
#[inline(always)]
fn claim_forward<T: Tables>(
    tables: &mut T,
    slot: Shared<Slot>,
    head: &Head,
    call: &Call,
    reference: FlowRef,
) -> Result<(), Reason> {
    let key = FlowKey4::new(TCP, head.key.dst, head.key.dst_port, call.vip, call.port);
    slot.set_forward(key);
    match tables.insert_flow(&key, reference) {
        Inserted::Yes => return Ok(()),
        Inserted::Full => return Err(Reason::TableFull),
        Inserted::Exists => {}
    }
    let search = Search {
        key,
        reference: reference.raw(),
        came: tables.zero(),
    };
    let search = tables.repeat(PORT_TRIES, search);
    slot.set_forward(search.key);
    match search.came {
        FOUND => Ok(()),
        FULL => Err(Reason::TableFull),
        _ => Err(Reason::PortsExhausted),
    }
}

/// The search for a port of the VIP that is free towards a client.
#[repr(C)]
struct Search {
    key: FlowKey4,
    reference: u64,
    /// To what it came; 0 while nothing was found.
    came: u64,
}

const FOUND: u64 = 1;
const FULL: u64 = 2;

impl<T: Tables> Loop<T> for Search {
    #[inline(always)]
    fn round(&mut self, tables: &mut T, _index: u32) -> Round {
        self.key.dst_port = random_port(tables);
        self.came = match tables.insert_flow(&self.key, FlowRef::from_raw(self.reference)) {
            Inserted::Yes => FOUND,
            Inserted::Full => FULL,
            Inserted::Exists => return Round::Next,
        };
        Round::Last
    }
}

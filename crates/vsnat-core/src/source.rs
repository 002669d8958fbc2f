//! Connections whose server sees the director's own address: those of clients
//! on its side of the director, of the director itself, and of services that
//! ask for it.
//!
//! Else such a server would answer the client straight, past the director. The
//! key of its answers leads to an address and a port of the director, so both
//! ends of every packet change.

use vsnat_abi::flow::{FlowKey4, FlowRef};
use vsnat_abi::net::{Be16, Be32};
use vsnat_abi::slot::Slot;

use crate::open::{CLAIMED, Opened};
use crate::{Inserted, Loop, Round, Shared, Tables};

/// Ports that the director lends: above those of servers, and below those that
/// a Linux host gives to programs of its own, whose connections to the same
/// server must not meet ours.
const PORT_FIRST: u16 = 1_024;
const PORT_LAST: u16 = 32_767;
/// Ports that are tried for a connection: while nine of ten towards one server
/// are lent, one connection in eight hundred is refused.
const PORT_TRIES: u32 = 64;

/// Inserts the key of the server's answers, with an address and a port of the
/// director's own; the slot then has it. Answers [`CLAIMED`] or why not.
#[inline(always)]
pub(crate) fn claim<T: Tables>(
    tables: &mut T,
    slot: Shared<Slot>,
    reply: FlowKey4,
    dest: u32,
    reference: FlowRef,
) -> u32 {
    let Some(server) = tables.dest(dest) else {
        return Opened::SOURCES;
    };
    let mut search = Search {
        reply,
        reference: reference.raw(),
        came: tables.zero(),
    };
    search.reply.dst = server.source();
    if search.reply.dst == Be32::ZERO {
        return Opened::SOURCES;
    }
    let search = tables.repeat(PORT_TRIES, search);
    slot.set_reply(search.reply);
    match search.came {
        FOUND => CLAIMED,
        FULL => Opened::FULL,
        _ => Opened::SOURCES,
    }
}

/// Whether the packet on its way to the choice of a server comes from within:
/// then its source may be of this side.
#[inline(always)]
pub(crate) fn is_within<T: Tables>(tables: &T) -> bool {
    match tables.decision() {
        Some(decision) => decision.is_within(),
        None => false,
    }
}

/// The search for a port that is free towards a server.
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
        self.reply.dst_port = any_port(tables);
        self.came = match tables.insert_flow(&self.reply, FlowRef::from_raw(self.reference)) {
            Inserted::Yes => FOUND,
            Inserted::Full => FULL,
            Inserted::Exists => return Round::Next,
        };
        Round::Last
    }
}

#[inline(always)]
fn any_port<T: Tables>(tables: &mut T) -> Be16 {
    let span = u64::from(PORT_LAST - PORT_FIRST) + 1;
    let offset = (u64::from(tables.random()) * span) >> 32;
    Be16::from_host(PORT_FIRST + offset as u16)
}

//! Persistence: the clients of one network stay with one server.
//!
//! A template is a slot like a connection's, with a key that no packet
//! carries. It names the server and counts the connections it led there; it
//! ends some time after the last of them was opened, but not while one lives.

use vsnat_abi::counters::Reason;
use vsnat_abi::destination::dest_state;
use vsnat_abi::flow::{Direction, FlowKey4, FlowRef, kind};
use vsnat_abi::net::{Be16, Be32};
use vsnat_abi::settings::flag;
use vsnat_abi::slot::{Phase, Slot, SlotWord, state};
use vsnat_abi::time::Coarse;

use crate::counts::{Change, count_template};
use crate::find::{Found, find};
use crate::open::Wish;
use crate::parse::FTP_CONTROL;
use crate::{Inserted, Shared, Tables, slots};

/// Attempts to hold a template that other CPUs hold too.
const ATTEMPTS: u32 = 3;

/// A server, and the template that holds the client to it.
///
/// A flat record that is always written wholly: it crosses a call, and the
/// verifier sees no payload of an enum moved that is not there.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kept {
    pub dest: u32,
    /// As [`Slot::control`] has it.
    pub control: u32,
    pub came: Came,
}

/// What the search for a server came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum Came {
    Found,
    NoServer,
    TableFull,
    Race,
}

impl Kept {
    #[inline(always)]
    pub const fn found(dest: u32, control: u32) -> Self {
        Kept {
            dest,
            control,
            came: Came::Found,
        }
    }

    #[inline(always)]
    pub const fn nothing(came: Came) -> Self {
        Kept {
            dest: 0,
            control: 0,
            came,
        }
    }
}

/// The server that a client's template leads to, if it has one that does.
///
/// On the eBPF target a function of its own, with a stack frame of its own.
#[cfg_attr(target_arch = "bpf", inline(never))]
pub(crate) fn kept<T: Tables>(tables: &mut T, wish: &Wish<'_>) -> Kept {
    let Some(found) = find(tables, wish.settings, &template_key(wish)) else {
        return Kept::nothing(Came::NoServer);
    };
    if !leads_somewhere(tables, wish, &found) || !hold(&found, wish.now) {
        return Kept::nothing(Came::NoServer);
    }
    Kept::found(found.slot.dest(), found.index.wrapping_add(1))
}

/// Keeps a client at a server from now on.
///
/// On the eBPF target a function of its own, with a stack frame of its own.
#[cfg_attr(target_arch = "bpf", inline(never))]
pub(crate) fn keep<T: Tables>(tables: &mut T, wish: &Wish<'_>, dest: u32) -> Kept {
    let key = template_key(wish);
    let made = match find(tables, wish.settings, &key) {
        Some(found) => turn(tables, wish, &found, dest),
        None => make(tables, wish, &key, dest),
    };
    if made.came == Came::Race {
        tables.count(Reason::TemplateRace);
    }
    made
}

/// A connection of a template ends.
#[inline(always)]
pub(crate) fn release<T: Tables>(tables: &T, control: u32) {
    if control == 0 {
        return;
    }
    if let Some(template) = tables.slot(control.wrapping_sub(1)) {
        template.add_control(Change::Less.value());
    }
}

/// A connection of the template was answered.
#[inline(always)]
pub(crate) fn assure<T: Tables>(tables: &T, control: u32) {
    if control == 0 {
        return;
    }
    let Some(template) = tables.slot(control.wrapping_sub(1)) else {
        return;
    };
    let word = template.word();
    if word.is_live() && word.state() == state::NONE {
        // Lost to another CPU, which refreshed it: the next answer assures it.
        let _ = template.change_word(word, word.with(state::ASSURED, word.deadline()));
    }
}

/// IPVS's keys: a service by mark keeps its clients whatever they ask for; one
/// on all ports, and FTP, by protocol and VIP.
#[inline(always)]
fn template_key(wish: &Wish<'_>) -> FlowKey4 {
    let key = &wish.head.key;
    let client = Be32::from_raw(key.src.raw() & wish.target.netmask.raw());
    if wish.target.key.is_mark() {
        return FlowKey4::template(0, client, wish.target.key.vip, Be16::ZERO);
    }
    let port = if has_port(wish) {
        key.dst_port
    } else {
        Be16::ZERO
    };
    FlowKey4::template(key.protocol, client, key.dst, port)
}

/// Whether the template is for one port only.
#[inline(always)]
fn has_port(wish: &Wish<'_>) -> bool {
    let service = &wish.target.key;
    !service.is_mark()
        && service.port == wish.head.key.dst_port
        && service.port.host() != FTP_CONTROL
}

#[inline(always)]
fn deadline(wish: &Wish<'_>) -> Coarse {
    wish.now.wrapping_add(wish.target.persistence)
}

#[inline(always)]
fn leads_somewhere<T: Tables>(tables: &T, wish: &Wish<'_>, found: &Found) -> bool {
    let Some(dest) = tables.dest(found.slot.dest()) else {
        return false;
    };
    dest.state() == dest_state::AVAILABLE
        && dest.service() == wish.target.key
        && (dest.weight() != 0 || !wish.settings.has(flag::EXPIRE_QUIESCENT_TEMPLATE))
}

/// Adds a connection to a template that is there.
///
/// The count grows first and the deadline moves second: the sweeper ends a
/// template by a change of a word that was overdue, so either that fails or
/// this does. As in IPVS its time is the one it was made with, whatever the
/// service says by now.
#[inline(always)]
fn hold(found: &Found, now: Coarse) -> bool {
    let deadline = now.wrapping_add(found.slot.timeout());
    found.slot.add_control(Change::More.value());
    let mut word = found.word;
    for _ in 0..ATTEMPTS {
        match found
            .slot
            .change_word(word, word.with(word.state(), deadline))
        {
            Ok(()) => return true,
            Err(seen) if seen.same_tenancy(word) => word = seen,
            Err(_) => break,
        }
    }
    found.slot.add_control(Change::Less.value());
    false
}

/// Gives a template another server, whose old one is gone or rests; or takes
/// the one that another CPU gave it meanwhile.
#[inline(always)]
fn turn<T: Tables>(tables: &mut T, wish: &Wish<'_>, found: &Found, dest: u32) -> Kept {
    let control = found.index.wrapping_add(1);
    if leads_somewhere(tables, wish, found) {
        return match hold(found, wish.now) {
            true => Kept::found(found.slot.dest(), control),
            false => Kept::nothing(Came::Race),
        };
    }
    let opening = found.word.in_phase(Phase::Opening).next_epoch();
    if found.slot.change_word(found.word, opening).is_err() {
        return Kept::nothing(Came::Race);
    }
    count_template(tables, found.slot.dest(), Change::Less);
    settle(tables, found.slot, wish, dest);
    found.slot.add_control(Change::More.value());
    let live = opening.in_phase(Phase::Live);
    found.slot.set_word(live.with(state::NONE, deadline(wish)));
    Kept::found(dest, control)
}

/// Makes a template with one connection.
#[inline(always)]
fn make<T: Tables>(tables: &mut T, wish: &Wish<'_>, key: &FlowKey4, dest: u32) -> Kept {
    let Some(index) = slots::take(tables) else {
        return Kept::nothing(Came::TableFull);
    };
    let Some(slot) = tables.slot(index) else {
        return Kept::nothing(Came::TableFull);
    };
    let generation = slot.word().generation();
    slot.set_forward(*key);
    slot.set_control(1);
    settle(tables, slot, wish, dest);
    let live = SlotWord::new(Phase::Live, state::NONE, generation, deadline(wish));
    slot.set_word(live);
    let reference = FlowRef::new(index, generation, Direction::Forward);
    let inserted = tables.insert_flow(key, reference);
    if inserted == Inserted::Yes {
        return Kept::found(dest, index.wrapping_add(1));
    }
    count_template(tables, dest, Change::Less);
    slots::abandon(slot, wish.now);
    Kept::nothing(match inserted {
        Inserted::Full => Came::TableFull,
        Inserted::Exists | Inserted::Yes => Came::Race,
    })
}

/// Writes the server of a template: as its reply key, for those who list it.
#[inline(always)]
fn settle<T: Tables>(tables: &mut T, slot: Shared<Slot>, wish: &Wish<'_>, dest: u32) {
    let mut reply = slot.forward().reversed();
    reply.kind = kind::TEMPLATE;
    reply.src_port = Be16::ZERO;
    if let Some(server) = tables.dest(dest) {
        reply.src = server.address();
        if has_port(wish) {
            reply.src_port = match server.port() {
                Be16::ZERO => wish.head.key.dst_port,
                port => port,
            };
        }
    }
    slot.set_reply(reply);
    slot.set_dest(dest);
    slot.set_timeout(wish.target.persistence);
    count_template(tables, dest, Change::More);
}

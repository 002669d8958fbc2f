//! The life of a connection between opening and expiry.
//!
//! TCP follows IPVS's table: one nibble for each state, one word for each
//! direction and event. UDP has one state. A deadline is moved only when it
//! moves far enough to matter.

use vsnat_abi::flow::Direction;
use vsnat_abi::settings::{Settings, mode};
use vsnat_abi::slot::{Slot, SlotWord, state};
use vsnat_abi::time::Coarse;

use crate::counts::recount;
use crate::open::is_as_it_came;
use crate::parse::{ACK, FIN, Head, RST, SCTP, SYN, TCP, UDP};
use crate::{Shared, Tables, persist, sctp};

/// What a TCP segment says. Of several flags the first in this order counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    Rst,
    Syn,
    Fin,
    Ack,
    /// None of the four: no sender of ours would do that.
    Nothing,
}

impl Event {
    #[inline(always)]
    pub const fn of(flags: u8) -> Event {
        if flags & RST != 0 {
            return Event::Rst;
        }
        if flags & SYN != 0 {
            return Event::Syn;
        }
        if flags & FIN != 0 {
            return Event::Fin;
        }
        if flags & ACK != 0 {
            Event::Ack
        } else {
            Event::Nothing
        }
    }
}

/// Attempts to change a word that other CPUs change too. Losing all of them
/// leaves a deadline that another packet has just moved.
const ATTEMPTS: u32 = 4;

/// A deadline that would move by less than an eighth of the timeout, or by
/// less than about a second, stays.
const SLACK_SHIFT: u32 = 3;
const SLACK_MAX: Coarse = 7;

const ES: u64 = state::ESTABLISHED as u64;
const SS: u64 = state::SYN_SENT as u64;
const SR: u64 = state::SYN_RECV as u64;
const FW: u64 = state::FIN_WAIT as u64;
const TW: u64 = state::TIME_WAIT as u64;
const CL: u64 = state::CLOSE as u64;
const CW: u64 = state::CLOSE_WAIT as u64;
const LA: u64 = state::LAST_ACK as u64;
const LI: u64 = state::LISTEN as u64;
const SA: u64 = state::SYNACK as u64;

/// Next states in the order NO ES SS SR FW TW CL CW LA LI SA.
const fn row(next: [u64; 11]) -> u64 {
    let mut word = 0;
    let mut from = 0;
    while from < 11 {
        word |= next[from] << (4 * from);
        from += 1;
    }
    word
}

// From the client. A SYN opens, or opens again what was closed; one seen in
// SYN_SENT answers an active opening. A FIN before anything else closes. An
// ACK completes the handshake; one without a history is taken as established.
// A reset is believed except while the server has not answered: it may be a
// stray one.
const IN_SYN: u64 = row([SR, ES, ES, SR, SR, SR, SR, SR, SR, SR, SR]);
const IN_FIN: u64 = row([CL, CW, SS, TW, TW, TW, CL, CW, LA, LI, TW]);
const IN_ACK: u64 = row([ES, ES, ES, ES, FW, TW, CL, CW, CL, LI, ES]);
const IN_RST: u64 = row([CL, CL, CL, SR, CL, CL, CL, CL, LA, LI, SR]);
// From the server. Its SYN after SYN_RECV is the second step of the handshake
// and changes nothing; after a close it is an active opening (FTP data). Its
// FIN waits for the client's, or follows it. Its reset closes, but a late one
// does not shorten TIME_WAIT.
const OUT_SYN: u64 = row([SS, ES, SS, SR, SS, SS, SS, SS, SS, LI, SR]);
const OUT_FIN: u64 = row([TW, FW, SS, TW, FW, TW, CL, TW, LA, LI, TW]);
const OUT_ACK: u64 = row([ES, ES, SS, ES, FW, TW, CL, CW, LA, ES, ES]);
const OUT_RST: u64 = row([CL, CL, SS, CL, CL, TW, CL, CL, CL, CL, CL]);

/// Which of IPVS's two tables counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Guard {
    Normal,
    /// `secure_tcp`: a connection is established when the client has answered
    /// the server, not when a first ACK comes.
    Secure,
}

// What the secure table has instead: an ACK of the client alone establishes
// nothing before the server's SYN; after it the server's own ACK does.
const SECURE_IN_SYN: u64 = row([SR, ES, ES, SR, SR, SR, SR, SR, SR, SR, SA]);
const SECURE_IN_FIN: u64 = row([CL, CW, SS, TW, TW, TW, CL, CW, LA, LI, SA]);
const SECURE_IN_ACK: u64 = row([ES, ES, ES, SR, FW, TW, CL, CW, CL, LI, SA]);
const SECURE_IN_RST: u64 = row([CL, CL, CL, SR, CL, CL, CL, CL, LA, LI, CL]);
const SECURE_OUT_SYN: u64 = row([SS, ES, SS, SA, SS, SS, SS, SS, SS, LI, SA]);

// Where the server's answers are not seen: the client's FIN may be the second
// one, and a reset is believed in SYNACK.
const ONLY_IN_FIN: u64 = row([CL, FW, SS, TW, FW, TW, CL, CW, LA, LI, TW]);
const ONLY_IN_RST: u64 = row([CL, CL, CL, SR, CL, CL, CL, CL, LA, LI, CL]);
const SECURE_ONLY_IN_SYN: u64 = row([SA, ES, ES, SR, SA, SA, SA, SA, SA, SA, SA]);

/// The state after a client's segment, of a connection whose answers take
/// another way.
#[inline(always)]
pub const fn tcp_next_unanswered(guard: Guard, from: u32, event: Event) -> u32 {
    let row = match (guard, event) {
        (Guard::Secure, Event::Syn) => SECURE_ONLY_IN_SYN,
        (Guard::Normal, Event::Syn) => IN_SYN,
        (Guard::Normal | Guard::Secure, Event::Fin) => ONLY_IN_FIN,
        (Guard::Normal | Guard::Secure, Event::Ack) => IN_ACK,
        (Guard::Normal | Guard::Secure, Event::Rst) => ONLY_IN_RST,
        (Guard::Normal | Guard::Secure, Event::Nothing) => return state::CLOSE,
    };
    (row >> ((from & 0xf) * 4)) as u32 & 0xf
}

/// Whether the table for unanswered connections says something else than the
/// others; only then is it asked which of them counts.
#[inline(always)]
const fn may_differ(guard: Guard, direction: Direction, event: Event) -> bool {
    match (guard, direction, event) {
        (_, Direction::Reply, _) => false,
        (Guard::Secure, Direction::Forward, _) => true,
        (Guard::Normal, Direction::Forward, Event::Fin | Event::Rst) => true,
        (Guard::Normal, Direction::Forward, Event::Syn | Event::Ack | Event::Nothing) => false,
    }
}

/// The state after a TCP segment, by either table.
#[inline(always)]
pub const fn tcp_next_guarded(guard: Guard, from: u32, direction: Direction, event: Event) -> u32 {
    let row = match (guard, direction, event) {
        (Guard::Secure, Direction::Forward, Event::Syn) => SECURE_IN_SYN,
        (Guard::Secure, Direction::Forward, Event::Fin) => SECURE_IN_FIN,
        (Guard::Secure, Direction::Forward, Event::Ack) => SECURE_IN_ACK,
        (Guard::Secure, Direction::Forward, Event::Rst) => SECURE_IN_RST,
        (Guard::Secure, Direction::Reply, Event::Syn) => SECURE_OUT_SYN,
        (Guard::Normal | Guard::Secure, direction, event) => {
            return tcp_next(from, direction, event);
        }
    };
    (row >> ((from & 0xf) * 4)) as u32 & 0xf
}

/// The state after a TCP segment.
#[inline(always)]
pub const fn tcp_next(from: u32, direction: Direction, event: Event) -> u32 {
    let row = match (direction, event) {
        (Direction::Forward, Event::Syn) => IN_SYN,
        (Direction::Forward, Event::Fin) => IN_FIN,
        (Direction::Forward, Event::Ack) => IN_ACK,
        (Direction::Forward, Event::Rst) => IN_RST,
        (Direction::Reply, Event::Syn) => OUT_SYN,
        (Direction::Reply, Event::Fin) => OUT_FIN,
        (Direction::Reply, Event::Ack) => OUT_ACK,
        (Direction::Reply, Event::Rst) => OUT_RST,
        (Direction::Forward | Direction::Reply, Event::Nothing) => return state::CLOSE,
    };
    (row >> ((from & 0xf) * 4)) as u32 & 0xf
}

/// Which table counts now: `secure_tcp` 1 and 2 ask for the secure one while
/// the table is short of room, 3 always.
#[inline(always)]
fn guard<T: Tables>(tables: &T, settings: Shared<Settings>) -> Guard {
    match settings.mode(mode::SECURE_TCP) {
        0 => Guard::Normal,
        mode::ALWAYS => Guard::Secure,
        _ => match tables.shared().map_or(0, Shared::drop_rate) {
            0 => Guard::Normal,
            _ => Guard::Secure,
        },
    }
}

/// State and timeout of a connection that this packet opens.
///
/// The packet moves the connection on once more when it is sent. A SYN and a
/// datagram lead to the same state then; others must not count twice.
#[inline(always)]
pub(crate) fn opening_state(settings: Shared<Settings>, head: &Head) -> (u32, Coarse) {
    let state = match head.key.protocol {
        TCP if head.flags & (SYN | RST) == SYN => state::SYN_RECV,
        UDP => state::UDP,
        _ => state::NONE,
    };
    (state, settings.timeout(state))
}

#[inline(always)]
fn next(
    guard: Guard,
    settings: Shared<Settings>,
    slot: Shared<Slot>,
    from: u32,
    direction: Direction,
    head: &Head,
) -> (u32, Coarse) {
    match head.key.protocol {
        TCP => {
            let event = Event::of(head.flags);
            let next =
                if may_differ(guard, direction, event) && is_as_it_came(&head.key, &slot.reply()) {
                    tcp_next_unanswered(guard, from, event)
                } else {
                    tcp_next_guarded(guard, from, direction, event)
                };
            (next, settings.timeout(next))
        }
        SCTP => {
            let next = sctp::sctp_next(from, direction, head.chunk);
            (next, settings.sctp_timeout(next))
        }
        _ => (state::UDP, settings.timeout(state::UDP)),
    }
}

/// Moves a connection on by one of its packets.
#[inline(always)]
pub(crate) fn track<T: Tables>(
    tables: &mut T,
    settings: Shared<Settings>,
    slot: Shared<Slot>,
    mut word: SlotWord,
    direction: Direction,
    head: &Head,
    now: Coarse,
) {
    // Read before the word is changed: after that another CPU may already give
    // the slot to another server, while a change proves that it was ours.
    let (dest, control) = (slot.dest(), slot.control());
    let protocol = head.key.protocol;
    if protocol == UDP && direction == Direction::Reply {
        // As in IPVS a template is assured by the first answer.
        persist::assure(tables, control);
    }
    let guard = guard(tables, settings);
    for _ in 0..ATTEMPTS {
        let (next, timeout) = next(guard, settings, slot, word.state(), direction, head);
        let deadline = now.wrapping_add(timeout);
        if next == word.state() && is_near(word.deadline(), deadline, timeout) {
            return;
        }
        match slot.change_word(word, word.with(next, deadline)) {
            Ok(()) => {
                if next != word.state() && is_established(protocol, next) {
                    persist::assure(tables, control);
                }
                return recount(tables, dest, protocol, word.state(), next);
            }
            Err(seen) if !seen.same_tenancy(word) => return,
            Err(seen) => word = seen,
        }
    }
}

#[inline(always)]
fn is_established(protocol: u8, state: u32) -> bool {
    match protocol {
        TCP => state == state::ESTABLISHED,
        SCTP => state == sctp::state::ESTABLISHED,
        _ => false,
    }
}

#[inline(always)]
fn is_near(old: Coarse, new: Coarse, timeout: Coarse) -> bool {
    let slack = timeout >> SLACK_SHIFT;
    let slack = if slack > SLACK_MAX { SLACK_MAX } else { slack };
    new.wrapping_sub(old) <= slack
}

#[cfg(test)]
mod tests {
    use super::*;

    const NO: u64 = state::NONE as u64;

    /// IPVS's table, line by line: from, then the eight next states.
    const TABLE: [(u64, [u64; 8]); 11] = [
        (NO, [SR, CL, ES, CL, SS, TW, ES, CL]),
        (ES, [ES, CW, ES, CL, ES, FW, ES, CL]),
        (SS, [ES, SS, ES, CL, SS, SS, SS, SS]),
        (SR, [SR, TW, ES, SR, SR, TW, ES, CL]),
        (FW, [SR, TW, FW, CL, SS, FW, FW, CL]),
        (TW, [SR, TW, TW, CL, SS, TW, TW, TW]),
        (CL, [SR, CL, CL, CL, SS, CL, CL, CL]),
        (CW, [SR, CW, CW, CL, SS, TW, CW, CL]),
        (LA, [SR, LA, CL, LA, SS, LA, LA, CL]),
        (LI, [SR, LI, LI, LI, LI, LI, ES, CL]),
        (SA, [SR, TW, ES, SR, SR, TW, ES, CL]),
    ];

    #[test]
    fn every_transition_is_the_one_of_ipvs() {
        let events = [Event::Syn, Event::Fin, Event::Ack, Event::Rst];
        let columns = [Direction::Forward, Direction::Reply]
            .into_iter()
            .flat_map(|d| events.into_iter().map(move |e| (d, e)));
        for (place, (direction, event)) in columns.enumerate() {
            for (from, next) in TABLE {
                let got = tcp_next(from as u32, direction, event);
                assert_eq!(
                    got as u64, next[place],
                    "from {from}, {direction:?} {event:?}"
                );
            }
        }
    }

    /// What the secure table says otherwise: event, direction, from, next.
    const SECURE: [(Event, Direction, u64, u64); 7] = [
        (Event::Ack, Direction::Forward, SR, SR),
        (Event::Syn, Direction::Reply, SR, SA),
        (Event::Syn, Direction::Forward, SA, SA),
        (Event::Fin, Direction::Forward, SA, SA),
        (Event::Ack, Direction::Forward, SA, SA),
        (Event::Rst, Direction::Forward, SA, CL),
        (Event::Syn, Direction::Reply, SA, SA),
    ];

    #[test]
    fn the_secure_table_differs_where_ipvs_says() {
        for direction in [Direction::Forward, Direction::Reply] {
            for event in [Event::Syn, Event::Fin, Event::Ack, Event::Rst] {
                for (from, _) in TABLE {
                    let other = SECURE
                        .iter()
                        .find(|(e, d, f, _)| *e == event && *d == direction && *f == from);
                    let wanted = match other {
                        Some((.., next)) => *next as u32,
                        None => tcp_next(from as u32, direction, event),
                    };
                    let got = tcp_next_guarded(Guard::Secure, from as u32, direction, event);
                    assert_eq!(got, wanted, "from {from}, {direction:?} {event:?}");
                }
            }
        }
    }

    #[test]
    fn a_segment_without_any_flag_closes() {
        for (from, _) in TABLE {
            for direction in [Direction::Forward, Direction::Reply] {
                assert_eq!(tcp_next(from as u32, direction, Event::of(0)), state::CLOSE);
            }
        }
    }

    #[test]
    fn a_reset_outweighs_the_other_flags() {
        assert_eq!(Event::of(RST | SYN | FIN | ACK), Event::Rst);
        assert_eq!(Event::of(SYN | FIN | ACK), Event::Syn);
        assert_eq!(Event::of(FIN | ACK), Event::Fin);
    }
}

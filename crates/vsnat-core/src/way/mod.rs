//! The way of a packet, from its arrival to its verdict.
//!
//! Each side is cut into steps, which the kernel runs as programs of their own:
//! its verifier follows all ways through one program, and the packets of
//! established connections should not wade through the rest. [`outer`](mod@outer) has the
//! steps of the clients' side, [`inner`](mod@inner) those of the servers'. Everything that
//! is not translated leaves by a [`Stop`], and [`settle`] is the one table that
//! says what each means.

mod inner;
mod outer;

use vsnat_abi::counters::Reason;
use vsnat_abi::destination::dest_state;
use vsnat_abi::flow::Direction;
use vsnat_abi::settings::{Settings, deny, flag};

use crate::find::{Found, find};
use crate::icmp;
use crate::leave;
use crate::open::is_reuse;
use crate::parse::{Head, parse};
use crate::quote::is_error;
use crate::six::is_six;
use crate::verdict::{Action, Stop};
use crate::{Packet, Shared, Tables, Verdict};

pub use crate::six::{
    inner_six, inner_six_error, outer_six, outer_six_error, six_error_out, six_out,
};
pub use inner::{inner, inner_error, inner_expected, inner_part, inner_rest};
pub use outer::{
    outer, outer_alone, outer_choose, outer_error, outer_expected, outer_open, outer_part,
    outer_refuse, outer_send,
};

/// Where a packet goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    Done(Verdict),
    Choose,
    Open,
    Send,
    Alone,
    Refuse,
    /// A server's packet without the short way.
    Rest,
    /// It is an ICMP error.
    Error,
    /// It is a piece of a datagram.
    Part,
    OuterExpected,
    InnerExpected,
    /// On either side: to the daemon, or to IPv6.
    HandOver,
    /// It is an IPv6 packet.
    Six,
    /// It is an ICMPv6 error about a packet of ours, it seems.
    SixError,
    /// It is an ICMP error that leaves as an ICMPv6 one.
    SixErrorOut,
    /// It was an IPv6 packet, and begins once more.
    Again,
}

/// What does not leave by a next hop: to the host, on whose connection the daemon
/// stands in between, or to an end that speaks IPv6.
#[inline(always)]
pub fn hand_over<P: Packet, T: Tables>(packet: &mut P, tables: &mut T) -> Verdict {
    let Some(head) = parse(packet) else {
        return not_ours(tables);
    };
    let Some(settings) = tables.settings() else {
        return not_ours(tables);
    };
    // Another CPU may have ended it since, or given it another way.
    let Some(found) = find(tables, settings, &head.key) else {
        return lost(tables);
    };
    let now = tables.now();
    let way = found.slot.way(found.direction);
    if way.is_to_six() {
        return match leave::send_six(packet, tables, settings, &head, &found, now) {
            Ok(verdict) => verdict,
            Err(stop) => settle(packet, tables, &head, stop),
        };
    }
    if !way.is_to_host() {
        return lost(tables);
    }
    leave::hand_over(tables, settings, &head, &found, now)
}

/// What is to become of a client's packet on a connection that exists.
pub(crate) enum Standing {
    /// It goes to the connection's server.
    Goes,
    /// The client uses its port again.
    Reused,
    /// The server was deleted, and `expire_nodest_conn` is on.
    ServerGone,
}

#[inline(always)]
pub(crate) fn standing<T: Tables>(
    tables: &T,
    settings: Shared<Settings>,
    head: &Head,
    found: &Found,
) -> Result<Standing, Stop> {
    if found.direction == Direction::Reply {
        return Err(Stop::pass(Reason::NotOurs));
    }
    if settings.denied() != 0 && tables.denied(head.key.src) & deny::DENIED != 0 {
        return Err(Stop::drop(Reason::Denied));
    }
    if is_reuse(tables, settings, head, found) {
        return Ok(Standing::Reused);
    }
    match tables.dest(found.slot.dest()) {
        Some(dest) if dest.state() == dest_state::AVAILABLE => Ok(Standing::Goes),
        Some(_) if settings.has(flag::EXPIRE_NODEST_CONN) => Ok(Standing::ServerGone),
        // IPVS drops in silence what is sent to a server that was deleted.
        Some(_) | None => Err(Stop::drop(Reason::ServerGone)),
    }
}

/// The same for what nobody is told about: error messages, and pieces that are
/// not the first (RFC 1122 §3.2.2).
#[inline(always)]
pub(crate) fn in_silence<T: Tables>(tables: &mut T, stop: Stop) -> Verdict {
    tables.count_one_of(stop.reason);
    if stop.action == Action::Pass {
        return Verdict::Pass;
    }
    Verdict::Drop
}

#[inline(always)]
pub(super) fn settle<P: Packet, T: Tables>(
    packet: &mut P,
    tables: &mut T,
    head: &Head,
    stop: Stop,
) -> Verdict {
    tables.count_one_of(stop.reason);
    match stop.action {
        Action::Pass => Verdict::Pass,
        Action::Drop => Verdict::Drop,
        Action::Refuse => icmp::answer(packet, tables, head, stop.answer),
    }
}

/// What is neither TCP nor UDP nor SCTP.
#[inline(always)]
pub(super) fn other<P: Packet, T: Tables>(packet: &mut P, tables: &mut T) -> Step {
    if is_six(packet) {
        return Step::Six;
    }
    if is_error(packet) {
        return Step::Error;
    }
    Step::Done(not_ours(tables))
}

#[inline(always)]
pub(crate) fn not_ours<T: Tables>(tables: &mut T) -> Verdict {
    tables.count(Reason::NotOurs);
    Verdict::Pass
}

#[inline(always)]
pub(super) fn lost<T: Tables>(tables: &mut T) -> Verdict {
    tables.count(Reason::OpenRace);
    Verdict::Drop
}

//! The way of a packet, from its arrival to its verdict.
//!
//! Each side is cut into steps, which the kernel runs as programs of their own:
//! its verifier follows all ways through one program, and the packets of
//! established connections should not wade through the rest. [`outer`](mod@outer) has the
//! steps of the clients' side, [`inner`](mod@inner) those of the servers'. Everything that
//! is not translated leaves by a [`Stop`], and [`settle`] is the one table that
//! says what each means. Clients that are no strangers come by [`within`](mod@within).

mod inner;
mod outer;
mod within;

use vsnat_abi::counters::Reason;
use vsnat_abi::destination::dest_state;
use vsnat_abi::flow::Direction;
use vsnat_abi::settings::{Settings, deny, flag};

use crate::admit::opens;
use crate::clamp;
use crate::find::{Found, find, look_up};
use crate::icmp;
use crate::leave;
use crate::open::is_reuse;
use crate::parse::{Head, Part, SYN, parse};
use crate::pieces::{first_of, remember_divided};
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
pub use within::{local, within};

/// Where a packet goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    Done(Verdict),
    Choose,
    Open,
    Send,
    /// On either side: a SYN of a connection.
    Begin,
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
    /// It may be to a service, but not from the clients' side.
    Within,
    /// It is an ICMP error of such a client.
    ClientError,
    /// It is a piece of such a client's datagram, whose first one went on.
    ClientPart,
    /// On either side: to the host, which divides it.
    Divide,
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

/// Translates what is too large for the next link and may be divided, and
/// leaves it to the host.
#[inline(always)]
pub fn divide<P: Packet, T: Tables>(packet: &mut P, tables: &mut T) -> Verdict {
    let Some(head) = parse(packet) else {
        return not_ours(tables);
    };
    match divided(packet, tables, &head) {
        Ok(()) => {
            tables.count(Reason::TooBig);
            Verdict::Pass
        }
        Err(stop) => in_silence(tables, stop),
    }
}

#[inline(always)]
fn divided<P: Packet, T: Tables>(packet: &mut P, tables: &mut T, head: &Head) -> Result<(), Stop> {
    let lost = Stop::drop(Reason::OpenRace);
    let settings = tables.settings().ok_or(lost)?;
    let now = tables.now();
    if head.part == Part::Later {
        let found = first_of(packet, tables, head).ok_or(lost)?;
        return leave::to_be_divided(packet, tables, settings, head, found, now);
    }
    let found = look_up(tables, &head.key).ok_or(lost)?;
    remember_divided(packet, tables, head, &found);
    leave::to_be_divided(packet, tables, settings, head, found, now)
}

/// Lowers the segment size that a SYN of a connection announces, from either
/// side, where its service asks for it.
#[inline(always)]
pub fn begin<P: Packet, T: Tables>(packet: &mut P, tables: &mut T) -> Step {
    let Some(head) = parse(packet) else {
        return Step::Done(not_ours(tables));
    };
    let option = clamp::option(packet, tables, &head);
    // Another CPU may have ended it since: the next step says so.
    let Some(found) = look_up(tables, &head.key) else {
        return Step::Send;
    };
    // The daemon announces segments of its own.
    if found.slot.way(found.direction).is_to_host() {
        return Step::Send;
    }
    match clamp::clamp(packet, tables, &head, &found, option) {
        Some(()) => Step::Send,
        // What comes after the first changed byte can only be dropped.
        None => {
            tables.count(Reason::Kernel);
            Step::Done(Verdict::Drop)
        }
    }
}

/// The step that sends a packet on whose connection exists.
#[inline(always)]
pub(super) fn sending(settings: Shared<Settings>, head: &Head) -> Step {
    match is_clamped(settings, head) {
        true => Step::Begin,
        false => Step::Send,
    }
}

/// Whether a packet announces a segment size that some service may lower.
#[inline(always)]
pub(crate) fn is_clamped(settings: Shared<Settings>, head: &Head) -> bool {
    head.flags & SYN != 0 && settings.has(flag::HAS_CLAMP)
}

/// What is to become of a client's packet on a connection that exists.
pub(crate) enum Standing {
    /// It goes to the connection's server.
    Goes,
    /// The same, and it is a SYN: it comes again, or the connection is an old
    /// one that its port is not to begin anew.
    Begins,
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
    let mut goes = Standing::Goes;
    if opens(head) {
        if is_reuse(tables, settings, head, found) {
            return Ok(Standing::Reused);
        }
        goes = Standing::Begins;
    }
    match tables.dest(found.slot.dest()) {
        Some(dest) if dest.state() == dest_state::AVAILABLE => Ok(goes),
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

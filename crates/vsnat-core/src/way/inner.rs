//! The servers' side.
//!
//! [`inner`] sends on what belongs to a connection; [`inner_rest`] tells why
//! something cannot go, and sends what has no connection; [`inner_expected`],
//! [`inner_part`] and [`inner_error`] are as on the clients' side.

use vsnat_abi::counters::Reason;
use vsnat_abi::filter::FILTER_SERVERS;
use vsnat_abi::flow::Direction;
use vsnat_abi::settings::{Settings, flag};

use super::{Step, in_silence, not_ours, other, settle};
use crate::find::{find, look_up};
use crate::icmp::{Answer, Kind};
use crate::leave::{send, send_alone, send_six};
use crate::parse::{Head, Part, RST, SCTP, TCP, parse};
use crate::pieces::{later, remember};
use crate::quote::error;
use crate::verdict::Stop;
use crate::{Packet, Shared, Tables, Verdict, alone, expect, sctp};

/// A packet that arrived from the servers' side.
#[inline(always)]
pub fn inner<P: Packet, T: Tables>(packet: &mut P, tables: &mut T) -> Step {
    tables.count(Reason::Seen);
    let Some(head) = parse(packet) else {
        return other(packet, tables);
    };
    if !tables.filter(FILTER_SERVERS, head.key.src) || !packet.is_for_host() {
        return Step::Done(not_ours(tables));
    }
    if head.part != Part::Whole {
        return Step::Part;
    }
    let Some(settings) = tables.settings() else {
        return Step::Done(not_ours(tables));
    };
    let Some(found) = find(tables, settings, &head.key) else {
        if expect::may_be(settings, &head) {
            return Step::InnerExpected;
        }
        if settings.has(flag::HAS_ONE_PACKET | flag::NAT_ICMP_SEND) {
            return Step::Rest;
        }
        return Step::Done(not_ours(tables));
    };
    if found.direction != Direction::Reply {
        return Step::Done(not_ours(tables));
    }
    let now = tables.now();
    match send(packet, tables, settings, &head, found, now) {
        Ok(verdict) => Step::Done(verdict),
        // What comes after the first changed byte can only be dropped.
        Err(stop) if stop.reason == Reason::Kernel => {
            tables.count(Reason::Kernel);
            Step::Done(Verdict::Drop)
        }
        Err(stop) if stop.reason == Reason::Proxied => Step::HandOver,
        Err(_) => Step::Rest,
    }
}

/// What [`inner`] left: a server's packet that cannot go on, or that has no
/// connection.
#[inline(always)]
pub fn inner_rest<P: Packet, T: Tables>(packet: &mut P, tables: &mut T) -> Step {
    let Some(head) = parse(packet) else {
        return Step::Done(not_ours(tables));
    };
    match from_server(packet, tables, &head) {
        Ok(verdict) => Step::Done(verdict),
        Err(stop) if stop.reason == Reason::Proxied => Step::HandOver,
        Err(stop) => Step::Done(settle(packet, tables, &head, stop)),
    }
}

/// What [`inner`] left: a server's SYN that may be expected.
#[inline(always)]
pub fn inner_expected<P: Packet, T: Tables>(packet: &mut P, tables: &mut T) -> Verdict {
    let Some(head) = parse(packet) else {
        return not_ours(tables);
    };
    match called_by_server(packet, tables, &head) {
        Ok(verdict) => verdict,
        Err(stop) => settle(packet, tables, &head, stop),
    }
}

/// A piece of a datagram from the servers' side.
#[inline(always)]
pub fn inner_part<P: Packet, T: Tables>(packet: &mut P, tables: &mut T) -> Verdict {
    let Some(head) = parse(packet) else {
        return not_ours(tables);
    };
    if head.part == Part::Later {
        return match later(packet, tables, &head, Direction::Reply) {
            Ok(verdict) => verdict,
            Err(stop) => in_silence(tables, stop),
        };
    }
    match first_from_server(packet, tables, &head) {
        Ok(verdict) => verdict,
        Err(stop) => settle(packet, tables, &head, stop),
    }
}

/// An ICMP error from the servers' side.
#[inline(always)]
pub fn inner_error<P: Packet, T: Tables>(packet: &mut P, tables: &mut T) -> Verdict {
    error(packet, tables, Direction::Reply)
}

#[inline(always)]
fn from_server<P: Packet, T: Tables>(
    packet: &mut P,
    tables: &mut T,
    head: &Head,
) -> Result<Verdict, Stop> {
    let settings = tables.settings().ok_or(Stop::pass(Reason::NotOurs))?;
    let now = tables.now();
    match find(tables, settings, &head.key) {
        Some(found) if found.direction == Direction::Reply => {
            return send(packet, tables, settings, head, found, now);
        }
        Some(_) | None => {}
    }
    if let Some(passage) = alone::answer(tables, settings, head) {
        return send_alone(packet, tables, settings, head, &passage, now);
    }
    Err(stranger(tables, settings, head))
}

#[inline(always)]
fn called_by_server<P: Packet, T: Tables>(
    packet: &mut P,
    tables: &mut T,
    head: &Head,
) -> Result<Verdict, Stop> {
    let settings = tables.settings().ok_or(Stop::pass(Reason::NotOurs))?;
    let now = tables.now();
    let call = expect::from_server(tables, &head.key, now);
    if !call.is_found() {
        return Err(stranger(tables, settings, head));
    }
    expect::open(tables, settings, head, &call, now).map_err(Stop::drop)?;
    let found = find(tables, settings, &head.key).ok_or(Stop::drop(Reason::OpenRace))?;
    send(packet, tables, settings, head, found, now)
}

#[inline(always)]
fn first_from_server<P: Packet, T: Tables>(
    packet: &mut P,
    tables: &mut T,
    head: &Head,
) -> Result<Verdict, Stop> {
    let settings = tables.settings().ok_or(Stop::pass(Reason::NotOurs))?;
    let not_ours = Stop::pass(Reason::NotOurs);
    let Some(found) = look_up(tables, &head.key) else {
        return Err(not_ours);
    };
    if found.direction != Direction::Reply {
        return Err(not_ours);
    }
    remember(packet, tables, head, &found)?;
    let now = tables.now();
    if found.slot.way(Direction::Reply).is_to_six() {
        return send_six(packet, tables, settings, head, &found, now);
    }
    send(packet, tables, settings, head, found, now)
}

/// A server speaks, and no connection of it is known: `nat_icmp_send` tells it.
#[inline(always)]
fn stranger<T: Tables>(tables: &T, settings: Shared<Settings>, head: &Head) -> Stop {
    let ends = match head.key.protocol {
        TCP => head.flags & RST != 0,
        SCTP => head.chunk == sctp::Event::Abort,
        _ => false,
    };
    if !settings.has(flag::NAT_ICMP_SEND)
        || ends
        || tables.find_server(&alone::server_key(head)).is_none()
    {
        return Stop::pass(Reason::NotOurs);
    }
    Stop::refuse(
        Reason::UnknownToServer,
        Answer::new(Kind::PortUnreachable, 0, head.key.dst),
    )
}

//! The servers' side.
//!
//! [`inner`] sends on what belongs to a connection; [`inner_rest`] tells why
//! something cannot go, and sends what has no connection; [`inner_expected`],
//! [`inner_part`] and [`inner_error`] are as on the clients' side.

use vsnat_abi::counters::Reason;
use vsnat_abi::filter::FILTER_SERVERS;
use vsnat_abi::flow::Direction;
use vsnat_abi::settings::{Settings, flag};

use super::within::is_asked_for;
use super::{Step, in_silence, is_clamped, not_ours, other, settle};
use crate::find::{find, look_up};
use crate::icmp::{Answer, Kind};
use crate::leave::{send, send_alone};
use crate::parse::{Head, Part, RST, SCTP, TCP, parse};
use crate::pieces::{is_of_client, later, remember};
use crate::quote::{error, is_clients};
use crate::verdict::Stop;
use crate::{Packet, Shared, Tables, Verdict, alone, expect, sctp};

/// A packet that arrived from the servers' side.
#[inline(always)]
pub fn inner<P: Packet, T: Tables>(packet: &mut P, tables: &mut T) -> Step {
    tables.count(Reason::Seen);
    let Some(head) = parse(packet) else {
        return other(packet, tables);
    };
    if !tables.filter(FILTER_SERVERS, head.key.src) {
        return from_client(packet, tables, &head);
    }
    if !packet.is_for_host() {
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
        return from_client(packet, tables, &head);
    };
    if found.direction != Direction::Reply {
        return Step::Within;
    }
    if is_clamped(settings, &head) {
        return Step::Begin;
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
        Err(stop) if stop.reason == Reason::TooBig => Step::Divide,
        Err(stop) => strange(packet, tables, &head, stop),
    }
}

/// What [`inner`] left: a server's SYN that may be expected.
#[inline(always)]
pub fn inner_expected<P: Packet, T: Tables>(packet: &mut P, tables: &mut T) -> Step {
    let Some(head) = parse(packet) else {
        return Step::Done(not_ours(tables));
    };
    match called_by_server(packet, tables, &head) {
        Ok(verdict) => Step::Done(verdict),
        Err(stop) => strange(packet, tables, &head, stop),
    }
}

/// A piece of a datagram from the servers' side.
#[inline(always)]
pub fn inner_part<P: Packet, T: Tables>(packet: &mut P, tables: &mut T) -> Step {
    let Some(head) = parse(packet) else {
        return Step::Done(not_ours(tables));
    };
    if head.part == Part::Later {
        if is_of_client(packet, tables, &head) {
            return Step::ClientPart;
        }
        return match later(packet, tables, &head, Direction::Reply) {
            Ok(verdict) => Step::Done(verdict),
            Err(stop) if stop.reason == Reason::TooBig => Step::Divide,
            Err(stop) if stop.reason == Reason::Proxied => Step::Done(piece_to_host(tables)),
            Err(stop) => Step::Done(in_silence(tables, stop)),
        };
    }
    match first_from_server(packet, tables, &head) {
        Ok(verdict) => Step::Done(verdict),
        Err(stop) if stop.reason == Reason::TooBig => Step::Divide,
        Err(stop) if stop.reason == Reason::Proxied => Step::Done(piece_to_host(tables)),
        Err(stop) => strange(packet, tables, &head, stop),
    }
}

/// An ICMP error from the servers' side.
#[inline(always)]
pub fn inner_error<P: Packet, T: Tables>(packet: &mut P, tables: &mut T) -> Step {
    if is_clients(packet, tables) {
        return Step::ClientError;
    }
    Step::Done(error(packet, tables, Direction::Reply))
}

/// What is no server's, as far as that is known.
#[inline(always)]
fn from_client<P: Packet, T: Tables>(packet: &P, tables: &mut T, head: &Head) -> Step {
    if !is_asked_for(packet, tables, head) {
        return Step::Done(not_ours(tables));
    }
    match head.part {
        Part::Whole => Step::Within,
        Part::First | Part::Later => Step::Part,
    }
}

/// A server's packet that cannot be sent on: a server may be a client too.
#[inline(always)]
fn strange<P: Packet, T: Tables>(packet: &mut P, tables: &mut T, head: &Head, stop: Stop) -> Step {
    let is_strange = stop.reason == Reason::NotOurs || stop.reason == Reason::UnknownToServer;
    if is_strange && is_asked_for(packet, tables, head) {
        return Step::Within;
    }
    Step::Done(settle(packet, tables, head, stop))
}

/// The host puts the datagram together, for the daemon that stands in between.
#[inline(always)]
fn piece_to_host<T: Tables>(tables: &mut T) -> Verdict {
    tables.count(Reason::Proxied);
    tables.count(Reason::Returned);
    Verdict::ToHost
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

//! The way of a packet, from its arrival to its verdict.
//!
//! One function for each side of the director. Everything that is not
//! translated leaves by a [`Stop`], and [`settle`] is the one table that says
//! what each of them means.

use vsnat_abi::counters::Reason;
use vsnat_abi::destination::dest_state;
use vsnat_abi::filter::{FILTER_SERVERS, FILTER_VIPS};
use vsnat_abi::flow::{Direction, FlowKey4};
use vsnat_abi::settings::{Settings, deny};
use vsnat_abi::time::{Coarse, coarse_from_ns};

use crate::find::{Found, find};
use crate::hop::{self, Next, Way};
use crate::icmp::{self, Answer, Kind};
use crate::open::{admit, is_reuse, open, service_of};
use crate::parse::{ETH_LEN, Head, Part, parse};
use crate::rewrite::{Macs, translate};
use crate::track::track;
use crate::verdict::{Action, Stop};
use crate::{Packet, RouteQuery, Shared, Tables, Verdict};

/// A packet that arrived from the clients' side.
#[inline(always)]
pub fn outer<P: Packet, T: Tables>(packet: &mut P, tables: &mut T) -> Verdict {
    tables.count(Reason::Seen);
    let Some(head) = parse(packet) else {
        return not_ours(tables);
    };
    if !tables.filter(FILTER_VIPS, head.key.dst) || !packet.is_for_host() {
        return not_ours(tables);
    }
    match from_client(packet, tables, &head) {
        Ok(verdict) => verdict,
        Err(stop) => settle(packet, tables, &head, stop),
    }
}

/// A packet that arrived from the servers' side.
#[inline(always)]
pub fn inner<P: Packet, T: Tables>(packet: &mut P, tables: &mut T) -> Verdict {
    tables.count(Reason::Seen);
    let Some(head) = parse(packet) else {
        return not_ours(tables);
    };
    if !tables.filter(FILTER_SERVERS, head.key.src) || !packet.is_for_host() {
        return not_ours(tables);
    }
    match from_server(packet, tables, &head) {
        Ok(verdict) => verdict,
        Err(stop) => settle(packet, tables, &head, stop),
    }
}

#[inline(always)]
fn not_ours<T: Tables>(tables: &mut T) -> Verdict {
    tables.count(Reason::NotOurs);
    Verdict::Pass
}

#[inline(always)]
fn settle<P: Packet, T: Tables>(
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

#[inline(always)]
fn from_client<P: Packet, T: Tables>(
    packet: &mut P,
    tables: &mut T,
    head: &Head,
) -> Result<Verdict, Stop> {
    let settings = tables.settings().ok_or(Stop::pass(Reason::NotOurs))?;
    let found = match head.part {
        Part::Whole => find(tables, &head.key),
        Part::First | Part::Later => return Err(fragment(tables, head)),
    };
    let now = coarse_from_ns(tables.now_ns());
    let vip = head.key.dst;
    let found = match found {
        Some(found) if found.direction == Direction::Reply => {
            return Err(Stop::pass(Reason::NotOurs));
        }
        Some(found) => established(tables, settings, head, found, now)?,
        None => {
            let service = service_of(tables, head).ok_or(Stop::pass(Reason::NotOurs))?;
            admit(tables, head)?;
            alive(head, vip)?;
            open(tables, settings, service, head, None, now)?
        }
    };
    send(packet, tables, settings, head, found, vip, now)
}

#[inline(always)]
fn from_server<P: Packet, T: Tables>(
    packet: &mut P,
    tables: &mut T,
    head: &Head,
) -> Result<Verdict, Stop> {
    let settings = tables.settings().ok_or(Stop::pass(Reason::NotOurs))?;
    let found = match find(tables, &head.key) {
        Some(found) if found.direction == Direction::Reply => found,
        Some(_) | None => return Err(Stop::pass(Reason::NotOurs)),
    };
    if head.part != Part::Whole {
        return Err(Stop::drop(Reason::Fragment));
    }
    let now = coarse_from_ns(tables.now_ns());
    send(packet, tables, settings, head, found, found.other.dst, now)
}

/// A client's packet on a connection that exists.
#[inline(always)]
fn established<T: Tables>(
    tables: &mut T,
    settings: Shared<Settings>,
    head: &Head,
    found: Found,
    now: Coarse,
) -> Result<Found, Stop> {
    if settings.denied() != 0 && tables.denied(head.key.src) & deny::DENIED != 0 {
        return Err(Stop::drop(Reason::Denied));
    }
    if is_reuse(head, &found) {
        let service = service_of(tables, head).ok_or(Stop::pass(Reason::NoConnection))?;
        alive(head, head.key.dst)?;
        return open(tables, settings, service, head, Some(found), now);
    }
    // IPVS drops in silence what is sent to a server that was deleted.
    match tables.dest(found.slot.dest()) {
        Some(dest) if dest.state() == dest_state::AVAILABLE => Ok(found),
        Some(_) | None => Err(Stop::drop(Reason::ServerGone)),
    }
}

/// The first fragment of a service's datagram is dropped. Later ones have no
/// ports and may belong to the host: its stack waits in vain for the first.
#[inline(always)]
fn fragment<T: Tables>(tables: &T, head: &Head) -> Stop {
    let ours = match head.part {
        Part::Later => false,
        Part::First | Part::Whole => {
            service_of(tables, head).is_some() || find(tables, &head.key).is_some()
        }
    };
    if ours {
        Stop::drop(Reason::Fragment)
    } else {
        Stop::pass(Reason::NotOurs)
    }
}

#[inline(always)]
fn alive(head: &Head, vip: vsnat_abi::net::Be32) -> Result<(), Stop> {
    if head.ttl > 1 {
        return Ok(());
    }
    Err(Stop::refuse(
        Reason::TtlExceeded,
        Answer::new(Kind::TimeExceeded, 0, vip),
    ))
}

/// The tail that all translated packets share.
#[inline(always)]
fn send<P: Packet, T: Tables>(
    packet: &mut P,
    tables: &mut T,
    settings: Shared<Settings>,
    head: &Head,
    found: Found,
    vip: vsnat_abi::net::Be32,
    now: Coarse,
) -> Result<Verdict, Stop> {
    alive(head, vip)?;
    let to = found.other.reversed();
    let next = next_hop(packet, tables, settings, head, &found, &to, now);
    if next == Next::NoRoute {
        return Err(Stop::drop(Reason::NoRoute));
    }
    fits(packet, head, next.mtu(), vip)?;

    track(
        tables,
        settings,
        found.slot,
        found.word,
        found.direction,
        head,
        now,
    );
    if let Some(stats) = tables.dest_stats(found.slot.dest()) {
        match found.direction {
            Direction::Forward => stats.count_in(u64::from(head.total)),
            Direction::Reply => stats.count_out(u64::from(head.total)),
        }
    }
    tables.count_one_of(match found.direction {
        Direction::Forward => Reason::Forwarded,
        Direction::Reply => Reason::Returned,
    });
    match next {
        Next::Cached {
            ifindex,
            dst_mac,
            src_mac,
            ..
        } => {
            let macs = Macs {
                dst: dst_mac,
                src: src_mac,
            };
            translate(packet, head, &to, Some(macs)).ok_or(Stop::drop(Reason::Kernel))?;
            Ok(Verdict::Redirect { ifindex })
        }
        Next::Asked {
            ifindex, next_hop, ..
        } => {
            tables.count(Reason::NeighbourAsked);
            translate(packet, head, &to, None).ok_or(Stop::drop(Reason::Kernel))?;
            Ok(Verdict::Neighbour { ifindex, next_hop })
        }
        Next::NoRoute => Err(Stop::drop(Reason::NoRoute)),
    }
}

#[inline(always)]
fn next_hop<P: Packet, T: Tables>(
    packet: &mut P,
    tables: &mut T,
    settings: Shared<Settings>,
    head: &Head,
    found: &Found,
    to: &FlowKey4,
    now: Coarse,
) -> Next {
    let generation = settings.hop_generation();
    if let Some(next) = hop::cached(tables, found.slot.way(found.direction), generation, now) {
        return next;
    }
    let query = RouteQuery {
        protocol: to.protocol,
        tos: head.tos,
        src: to.src,
        dst: to.dst,
        src_port: to.src_port,
        dst_port: to.dst_port,
    };
    let (next, name) = hop::ask(packet, tables, &query, generation, now);
    let way = Way {
        hop: name,
        asked: now,
    };
    let client = match found.direction {
        Direction::Forward => head.key.src,
        Direction::Reply => to.dst,
    };
    found.slot.set_way(found.direction, way);
    hop::remember(tables, found.direction, found.slot.dest(), client, way);
    next
}

/// What the next link cannot take must not be sent: a redirect would put it on
/// the wire whole and tell nobody.
#[inline(always)]
fn fits<P: Packet>(
    packet: &P,
    head: &Head,
    mtu: u16,
    vip: vsnat_abi::net::Be32,
) -> Result<(), Stop> {
    let segment = packet.segment_size();
    let length = match segment {
        0 => head.total,
        segment => head.l4 - ETH_LEN + head.l4_len + segment,
    };
    if length <= u32::from(mtu) {
        return Ok(());
    }
    if head.may_fragment {
        return Err(Stop::drop(Reason::TooBig));
    }
    let answer = Answer::new(Kind::FragmentationNeeded, mtu, vip);
    Err(Stop::refuse(Reason::FragmentationNeeded, answer))
}

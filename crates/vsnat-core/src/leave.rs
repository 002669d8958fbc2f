//! The tail that all translated packets share: the way out, what the next link
//! takes, and the translation itself.

use vsnat_abi::counters::Reason;
use vsnat_abi::flow::{Direction, FlowKey4};
use vsnat_abi::net::Be32;
use vsnat_abi::settings::Settings;
use vsnat_abi::time::Coarse;

use crate::find::Found;
use crate::hop::{self, Next, Way};
use crate::icmp::{Answer, Kind};
use crate::parse::{ETH_LEN, FRONT_IP, Head, Part};
use crate::rewrite::{Macs, translate, translate_for_host, write_macs};
use crate::track::track;
use crate::verdict::Stop;
use crate::{Packet, RouteQuery, Shared, Tables, Verdict, six};

/// A packet that has only one router left does not reach its server.
#[inline(always)]
pub(crate) fn alive(head: &Head, vip: Be32) -> Result<(), Stop> {
    if head.ttl > 1 {
        return Ok(());
    }
    Err(Stop::refuse(
        Reason::TtlExceeded,
        Answer::new(Kind::TimeExceeded, 0, vip),
    ))
}

/// Sends a packet of a connection on.
#[inline(always)]
pub(crate) fn send<P: Packet, T: Tables>(
    packet: &mut P,
    tables: &mut T,
    settings: Shared<Settings>,
    head: &Head,
    found: Found,
    now: Coarse,
) -> Result<Verdict, Stop> {
    let vip = vip(head, found.direction, &found.other);
    alive(head, vip)?;
    let to = found.other.reversed();
    let slot = found.slot;
    let generation = settings.hop_generation();
    let way = slot.way(found.direction);
    let next = match hop::cached(tables, way, generation, now) {
        Some(next) => next,
        // Rare, and so a program of its own: see `way::hand_over`.
        None if way.is_apart() => return Err(Stop::pass(Reason::Proxied)),
        None => another_way(packet, tables, generation, head, &found, &to, now),
    };
    fits(packet, head, &next, vip)?;
    go(packet, tables, settings, head, found, next, now)
}

/// Sends a packet of a connection on whose other end speaks IPv6: translated,
/// but for its header, which [`six::six_out`] gives it.
#[inline(always)]
pub(crate) fn send_six<P: Packet, T: Tables>(
    packet: &mut P,
    tables: &mut T,
    settings: Shared<Settings>,
    head: &Head,
    found: &Found,
    now: Coarse,
) -> Result<Verdict, Stop> {
    let vip = vip(head, found.direction, &found.other);
    alive(head, vip)?;
    let to = found.other.reversed();
    fits_into(packet, head, six::mtu(tables, settings, to.dst), vip)?;
    let (slot, word, direction) = (found.slot, found.word, found.direction);
    // The first piece of a datagram has told what there is to tell.
    if head.part != Part::Later {
        track(tables, settings, slot, word, direction, head, now);
    }
    account(tables, direction, slot.dest(), head);
    translate(packet, head, &to, None).ok_or(Stop::drop(Reason::Kernel))?;
    Ok(Verdict::Six)
}

/// The way out of a packet of a connection that the daemon does not stand in.
#[inline(always)]
pub(crate) fn way_out<P: Packet, T: Tables>(
    packet: &mut P,
    tables: &mut T,
    settings: Shared<Settings>,
    head: &Head,
    found: &Found,
    to: &FlowKey4,
    now: Coarse,
) -> Next {
    let generation = settings.hop_generation();
    let way = found.slot.way(found.direction);
    match hop::cached(tables, way, generation, now) {
        Some(next) => next,
        None => another_way(packet, tables, generation, head, found, to, now),
    }
}

/// The daemon stands between client and server: the host's own stack gets the
/// packet as it is, and the connection is tracked and counted as any other.
/// What a server sends to a client needs the host's rules to reach the daemon.
#[inline(always)]
pub(crate) fn hand_over<T: Tables>(
    tables: &mut T,
    settings: Shared<Settings>,
    head: &Head,
    found: &Found,
    now: Coarse,
) -> Verdict {
    let dest = found.slot.dest();
    let (slot, word, direction) = (found.slot, found.word, found.direction);
    track(tables, settings, slot, word, direction, head, now);
    account(tables, direction, dest, head);
    tables.count(Reason::Proxied);
    match direction {
        Direction::Forward => Verdict::Pass,
        Direction::Reply => Verdict::ToHost,
    }
}

/// The host's own stack gets the packet translated: it routes it once more, and
/// divides it for the next link.
#[inline(always)]
pub(crate) fn to_be_divided<P: Packet, T: Tables>(
    packet: &mut P,
    tables: &mut T,
    settings: Shared<Settings>,
    head: &Head,
    found: Found,
    now: Coarse,
) -> Result<(), Stop> {
    if head.ttl <= 1 {
        return Err(Stop::drop(Reason::TtlExceeded));
    }
    let to = found.other.reversed();
    let (slot, word, direction) = (found.slot, found.word, found.direction);
    let dest = slot.dest();
    if stays(&head.key, &to) {
        // To the host it would be a packet for itself.
        return Err(Stop::drop(Reason::TooBig));
    }
    if head.part != Part::Later {
        track(tables, settings, slot, word, direction, head, now);
    }
    account(tables, direction, dest, head);
    translate_for_host(packet, head, &to).ok_or(Stop::drop(Reason::Kernel))
}

/// The way of a connection that has none, or an old one: the one that others
/// of its server or client found lately, or the kernel's answer. A way keeps
/// the time when it was asked, so none lives longer by being handed on.
#[inline(always)]
fn another_way<P: Packet, T: Tables>(
    packet: &mut P,
    tables: &mut T,
    generation: u16,
    head: &Head,
    found: &Found,
    to: &FlowKey4,
    now: Coarse,
) -> Next {
    let (slot, direction) = (found.slot, found.direction);
    let client = client(head, direction, to);
    let lately = hop::remembered(tables, direction, slot.dest(), client);
    if let Some(next) = hop::cached(tables, lately, generation, now) {
        slot.set_way(direction, lately);
        return next;
    }
    let end = end(tables, direction, head, slot.dest(), to);
    let (next, way) = ask(packet, tables, generation, head, to, end, now);
    slot.set_way(direction, way);
    hop::remember(tables, direction, slot.dest(), client, way);
    next
}

/// The way out of a packet that nothing stands in the way of, if that is known
/// without asking anybody. Changes nothing.
#[inline(always)]
pub(crate) fn clear<P: Packet, T: Tables>(
    packet: &P,
    tables: &T,
    settings: Shared<Settings>,
    head: &Head,
    found: &Found,
    now: Coarse,
) -> Option<Next> {
    let vip = vip(head, found.direction, &found.other);
    alive(head, vip).ok()?;
    let way = found.slot.way(found.direction);
    let next = hop::cached(tables, way, settings.hop_generation(), now)?;
    fits(packet, head, &next, vip).ok()?;
    Some(next)
}

/// Tracks, counts, translates: what is left when the way out is clear.
#[inline(always)]
pub(crate) fn go<P: Packet, T: Tables>(
    packet: &mut P,
    tables: &mut T,
    settings: Shared<Settings>,
    head: &Head,
    found: Found,
    next: Next,
    now: Coarse,
) -> Result<Verdict, Stop> {
    let to = found.other.reversed();
    let slot = found.slot;
    let dest = slot.dest();
    let (word, direction) = (found.word, found.direction);
    // The first piece of a datagram has told what there is to tell.
    if head.part != Part::Later {
        track(tables, settings, slot, word, direction, head, now);
    }
    account(tables, direction, dest, head);
    leave(packet, tables, head, &to, next)
}

/// Sends a packet on that leaves no connection behind.
#[inline(always)]
pub(crate) fn send_alone<P: Packet, T: Tables>(
    packet: &mut P,
    tables: &mut T,
    settings: Shared<Settings>,
    head: &Head,
    passage: &Passage,
    now: Coarse,
) -> Result<Verdict, Stop> {
    let to = passage.to;
    let vip = vip(head, passage.direction, &to.reversed());
    alive(head, vip)?;
    if six::is_stand_in(settings, to.dst) {
        fits_into(packet, head, six::mtu(tables, settings, to.dst), vip)?;
        account(tables, passage.direction, passage.dest, head);
        translate(packet, head, &to, None).ok_or(Stop::drop(Reason::Kernel))?;
        return Ok(Verdict::Six);
    }
    let generation = settings.hop_generation();
    let client = client(head, passage.direction, &to);
    let way = hop::remembered(tables, passage.direction, passage.dest, client);
    let next = match hop::cached(tables, way, generation, now) {
        Some(next) => next,
        None => {
            let end = end(tables, passage.direction, head, passage.dest, &to);
            let (next, way) = ask(packet, tables, generation, head, &to, end, now);
            hop::remember(tables, passage.direction, passage.dest, client, way);
            next
        }
    };
    fits(packet, head, &next, vip)?;
    account(tables, passage.direction, passage.dest, head);
    leave(packet, tables, head, &to, next)
}

/// The way of one packet.
pub(crate) struct Passage {
    pub dest: u32,
    pub direction: Direction,
    /// What it becomes.
    pub to: FlowKey4,
}

/// Who an answer of ours comes from: the address that the client knows.
#[inline(always)]
fn vip(head: &Head, direction: Direction, other: &FlowKey4) -> Be32 {
    match direction {
        Direction::Forward => head.key.dst,
        Direction::Reply => other.dst,
    }
}

#[inline(always)]
fn client(head: &Head, direction: Direction, to: &FlowKey4) -> Be32 {
    match direction {
        Direction::Forward => head.key.src,
        Direction::Reply => to.dst,
    }
}

/// Whether a packet keeps its addresses: its server has the VIP itself.
#[inline(always)]
pub(crate) fn stays(from: &FlowKey4, to: &FlowKey4) -> bool {
    from.dst == to.dst && from.src == to.src
}

/// Where a packet goes to: a server that takes it as it came has an address of
/// its own, which the packet does not name.
#[inline(always)]
fn end<T: Tables>(tables: &T, direction: Direction, head: &Head, dest: u32, to: &FlowKey4) -> Be32 {
    if direction == Direction::Reply || !stays(&head.key, to) {
        return to.dst;
    }
    match tables.dest(dest) {
        Some(server) => server.address(),
        None => to.dst,
    }
}

#[inline(always)]
fn ask<P: Packet, T: Tables>(
    packet: &mut P,
    tables: &mut T,
    generation: u16,
    head: &Head,
    to: &FlowKey4,
    end: Be32,
    now: Coarse,
) -> (Next, Way) {
    let query = RouteQuery {
        protocol: to.protocol,
        tos: head.tos,
        src: to.src,
        dst: end,
        src_port: to.src_port,
        dst_port: to.dst_port,
    };
    let (next, hop) = hop::ask(packet, tables, &query, generation, now);
    (next, Way { hop, asked: now })
}

/// What the next link cannot take must not be sent: a redirect would put it on
/// the wire whole and tell nobody.
#[inline(always)]
pub(crate) fn fits<P: Packet>(packet: &P, head: &Head, next: &Next, vip: Be32) -> Result<(), Stop> {
    if *next == Next::NoRoute {
        return Err(Stop::drop(Reason::NoRoute));
    }
    fits_into(packet, head, next.mtu(), vip)
}

#[inline(always)]
fn fits_into<P: Packet>(packet: &P, head: &Head, mtu: u16, vip: Be32) -> Result<(), Stop> {
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

#[inline(always)]
fn account<T: Tables>(tables: &mut T, direction: Direction, dest: u32, head: &Head) {
    if let Some(stats) = tables.dest_stats(dest) {
        match direction {
            Direction::Forward => stats.count_in(u64::from(head.total)),
            Direction::Reply => stats.count_out(u64::from(head.total)),
        }
    }
    tables.count_one_of(match direction {
        Direction::Forward => Reason::Forwarded,
        Direction::Reply => Reason::Returned,
    });
}

#[inline(always)]
fn leave<P: Packet, T: Tables>(
    packet: &mut P,
    tables: &mut T,
    head: &Head,
    to: &FlowKey4,
    next: Next,
) -> Result<Verdict, Stop> {
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
            translate(packet, head, to, Some(macs)).ok_or(Stop::drop(Reason::Kernel))?;
            Ok(Verdict::Redirect { ifindex })
        }
        Next::Asked {
            ifindex, next_hop, ..
        } => {
            tables.count(Reason::NeighbourAsked);
            translate(packet, head, to, None).ok_or(Stop::drop(Reason::Kernel))?;
            Ok(Verdict::Neighbour { ifindex, next_hop })
        }
        Next::NoRoute => Err(Stop::drop(Reason::NoRoute)),
    }
}

/// Sends on what was rewritten by other means.
#[inline(always)]
pub(crate) fn depart<P: Packet, T: Tables>(
    packet: &mut P,
    tables: &mut T,
    next: Next,
) -> Result<Verdict, Stop> {
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
            let front = packet
                .front::<FRONT_IP>()
                .ok_or(Stop::drop(Reason::Kernel))?;
            write_macs(front, macs);
            Ok(Verdict::Redirect { ifindex })
        }
        Next::Asked {
            ifindex, next_hop, ..
        } => {
            tables.count(Reason::NeighbourAsked);
            Ok(Verdict::Neighbour { ifindex, next_hop })
        }
        Next::NoRoute => Err(Stop::drop(Reason::NoRoute)),
    }
}

//! The clients' side.
//!
//! [`outer`] sends on what belongs to a connection and leaves everything else
//! untouched and uncounted; [`outer_choose`] finds service and server, and
//! [`outer_expected`] in front of it what somebody waits for; [`outer_open`]
//! opens the connection, and [`outer_send`] sends what belongs to it now;
//! [`outer_refuse`] tells a sender why nothing does; [`outer_alone`] sends what
//! leaves no connection behind; [`outer_part`] takes fragments, and
//! [`outer_error`] what speaks of a connection.

use vsnat_abi::counters::Reason;
use vsnat_abi::filter::FILTER_VIPS;
use vsnat_abi::flow::Direction;
use vsnat_abi::settings::{Settings, mode, no_server};

use super::{Standing, Step, in_silence, not_ours, other, sending, settle, standing};
use crate::admit::{admit, opens, spare};
use crate::find::{Hint, find, find_by, find_opened, look_up};
use crate::icmp::{self, Kind};
use crate::leave::{alive, send, send_alone};
use crate::open::{Closed, Wish, choose, end, no_server, open};
use crate::parse::{Head, Part, TCP, UDP, parse};
use crate::persist::Kept;
use crate::pieces::{later, remember, remember_foreign};
use crate::quote::error;
use crate::target::{is_nobodys, target};
use crate::verdict::{Action, Stop};
use crate::{Packet, Shared, Tables, Verdict, alone, expect, reset};

/// A packet that arrived from the clients' side. Unless it is done, nothing has
/// happened to it.
#[inline(always)]
pub fn outer<P: Packet, T: Tables>(packet: &mut P, tables: &mut T) -> Step {
    tables.count(Reason::Seen);
    let Some(head) = parse(packet) else {
        return other(packet, tables);
    };
    if !tables.filter(FILTER_VIPS, head.key.dst) || !packet.is_for_host() {
        return Step::Done(not_ours(tables));
    }
    let Some(settings) = tables.settings() else {
        return Step::Done(not_ours(tables));
    };
    match head.part {
        Part::Whole => {}
        Part::First | Part::Later => return Step::Part,
    }
    let hint = match opens(&head) {
        true => Hint::LeftOut,
        false => Hint::Asked,
    };
    let Some(found) = find_by(tables, settings, &head.key, hint) else {
        let next = unknown(settings, &head);
        if next == Step::Choose && is_nobodys(tables, settings, &head.key) {
            return Step::Done(not_ours(tables));
        }
        return next;
    };
    let now = tables.now();
    match standing(tables, settings, &head, &found) {
        Ok(Standing::Goes) => {}
        Ok(Standing::Begins | Standing::Reused | Standing::ServerGone) | Err(_) => {
            return unknown(settings, &head);
        }
    }
    match send(packet, tables, settings, &head, found, now) {
        Ok(verdict) => Step::Done(verdict),
        // What comes after the first changed byte can only be dropped.
        Err(stop) if stop.reason == Reason::Kernel => {
            tables.count(Reason::Kernel);
            Step::Done(Verdict::Drop)
        }
        Err(stop) if stop.reason == Reason::Proxied => Step::HandOver,
        Err(_) => Step::Choose,
    }
}

/// What [`outer`] left: a SYN that may be expected.
#[inline(always)]
pub fn outer_expected<P: Packet, T: Tables>(packet: &mut P, tables: &mut T) -> Step {
    let Some(head) = parse(packet) else {
        return Step::Done(not_ours(tables));
    };
    called_by_client(tables, &head)
}

/// What [`outer`] left: a service and a server for it.
#[inline(always)]
pub fn outer_choose<P: Packet, T: Tables>(packet: &mut P, tables: &mut T) -> Step {
    let Some(head) = parse(packet) else {
        return Step::Done(not_ours(tables));
    };
    let step = match decide(packet, tables, &head) {
        Ok(step) => step,
        Err(stop) => turn_away(tables, &head, stop),
    };
    if let Some(decision) = tables.decision() {
        decision.forget_within();
    }
    step
}

/// Tells the sender what [`outer_choose`] decided that he should know.
#[inline(always)]
pub fn outer_refuse<P: Packet, T: Tables>(packet: &mut P, tables: &mut T) -> Verdict {
    let Some(head) = parse(packet) else {
        return not_ours(tables);
    };
    let (Some(settings), Some(decision)) = (tables.settings(), tables.decision()) else {
        return in_silence(tables, Stop::drop(Reason::Kernel));
    };
    if !decision.is_for(&head.key) {
        return in_silence(tables, Stop::drop(Reason::OpenRace));
    }
    let answer = decision.answer();
    match (answer.kind, settings.mode(mode::NO_SERVER_ANSWER)) {
        (Kind::PortUnreachable, no_server::SILENCE) => Verdict::Drop,
        (Kind::PortUnreachable, no_server::RESET) if head.key.protocol == TCP => {
            reset::answer(packet, tables, &head)
        }
        (_, _) => icmp::answer(packet, tables, &head, answer),
    }
}

/// Opens the connection that [`outer_choose`] decided on.
#[inline(always)]
pub fn outer_open<P: Packet, T: Tables>(packet: &mut P, tables: &mut T) -> Step {
    let Some(head) = parse(packet) else {
        return Step::Done(not_ours(tables));
    };
    match carry_out(tables, &head) {
        Ok(step) => step,
        Err(Reason::SourcePortsExhausted) => {
            let stop = no_server(&head, Reason::SourcePortsExhausted);
            turn_away(tables, &head, stop)
        }
        Err(reason) => {
            tables.count_one_of(reason);
            Step::Done(Verdict::Drop)
        }
    }
}

/// Sends a packet on whose connection was opened just now, or tells its sender
/// why it cannot go.
#[inline(always)]
pub fn outer_send<P: Packet, T: Tables>(packet: &mut P, tables: &mut T) -> Step {
    let Some(head) = parse(packet) else {
        return Step::Done(not_ours(tables));
    };
    match send_found(packet, tables, &head) {
        Ok(verdict) => Step::Done(verdict),
        Err(stop) if stop.reason == Reason::Proxied => Step::HandOver,
        Err(stop) if stop.reason == Reason::TooBig => Step::Divide,
        Err(stop) => Step::Done(settle(packet, tables, &head, stop)),
    }
}

/// Sends a packet to the server that [`outer_choose`] decided on, and leaves
/// nothing behind.
#[inline(always)]
pub fn outer_alone<P: Packet, T: Tables>(packet: &mut P, tables: &mut T) -> Verdict {
    let Some(head) = parse(packet) else {
        return not_ours(tables);
    };
    match send_decided(packet, tables, &head) {
        Ok(verdict) => verdict,
        Err(stop) => settle(packet, tables, &head, stop),
    }
}

/// A piece of a client's datagram: the first goes the way of whole packets, if
/// it is ours.
#[inline(always)]
pub fn outer_part<P: Packet, T: Tables>(packet: &mut P, tables: &mut T) -> Step {
    let Some(head) = parse(packet) else {
        return Step::Done(not_ours(tables));
    };
    if head.part == Part::Later {
        return match later(packet, tables, &head, Direction::Forward) {
            Ok(verdict) => Step::Done(verdict),
            Err(stop) if stop.reason == Reason::TooBig => Step::Divide,
            Err(stop) => Step::Done(in_silence(tables, stop)),
        };
    }
    match first(packet, tables, &head) {
        Ok(()) => Step::Choose,
        Err(stop) => Step::Done(in_silence(tables, stop)),
    }
}

/// An ICMP error from the clients' side.
#[inline(always)]
pub fn outer_error<P: Packet, T: Tables>(packet: &mut P, tables: &mut T) -> Verdict {
    error(packet, tables, Direction::Forward)
}

/// Where a packet goes on that no connection carries.
#[inline(always)]
fn unknown(settings: Shared<Settings>, head: &Head) -> Step {
    match expect::may_be(settings, head) {
        true => Step::OuterExpected,
        false => Step::Choose,
    }
}

/// Decides what becomes of a client's packet.
#[inline(always)]
fn decide<P: Packet, T: Tables>(packet: &mut P, tables: &mut T, head: &Head) -> Result<Step, Stop> {
    let settings = tables.settings().ok_or(Stop::pass(Reason::NotOurs))?;
    let now = tables.now();
    let decision = tables.decision().ok_or(Stop::drop(Reason::Kernel))?;
    let closed = match look_up(tables, &head.key) {
        None => Closed::None,
        Some(found) => match standing(tables, settings, head, &found)? {
            Standing::Goes => return Ok(Step::Send),
            Standing::Begins => return Ok(sending(settings, head)),
            Standing::Reused => Closed::Reused,
            Standing::ServerGone => Closed::ServerGone,
        },
    };
    let target = target(packet, tables, settings, &head.key);
    if !target.is_found() {
        if closed == Closed::ServerGone {
            end(tables, settings, head, closed, now);
        }
        return Err(match closed {
            Closed::ServerGone | Closed::Reused => Stop::pass(Reason::NoConnection),
            Closed::None => target.stop(),
        });
    }
    if let Err(stop) = admit(tables, settings, head) {
        if closed == Closed::ServerGone {
            end(tables, settings, head, closed, now);
        }
        return Err(stop);
    }
    spare(tables, settings)?;
    alive(head, head.key.dst)?;
    let wish = Wish {
        settings,
        target: &target,
        head,
        now,
    };
    let kept = match choose(tables, &wish) {
        Ok(kept) => kept,
        Err(stop) => {
            if closed != Closed::None {
                end(tables, settings, head, closed, now);
            }
            return Err(stop);
        }
    };
    decision.write(&head.key, &target, &kept, closed);
    // Only a connection remembers whose the port is that a server sees.
    if target.is_one_packet() && head.key.protocol == UDP && !decision.hides_client() {
        return Ok(Step::Alone);
    }
    Ok(Step::Open)
}

/// The same where the answer is left to a program of its own.
#[inline(always)]
fn turn_away<T: Tables>(tables: &mut T, head: &Head, stop: Stop) -> Step {
    if stop.action == Action::Refuse
        && let Some(decision) = tables.decision()
    {
        tables.count_one_of(stop.reason);
        decision.write_answer(&head.key, stop.answer);
        return Step::Refuse;
    }
    Step::Done(in_silence(tables, stop))
}

/// What was not expected is left to [`outer_choose`], with all there is to say
/// against it.
#[inline(always)]
fn called_by_client<T: Tables>(tables: &mut T, head: &Head) -> Step {
    let (Some(settings), Some(decision)) = (tables.settings(), tables.decision()) else {
        return Step::Choose;
    };
    let now = tables.now();
    let mut closed = Closed::None;
    if let Some(found) = find(tables, settings, &head.key) {
        closed = match standing(tables, settings, head, &found) {
            Ok(Standing::Reused) => Closed::Reused,
            Ok(Standing::ServerGone) => Closed::ServerGone,
            Ok(Standing::Goes | Standing::Begins) | Err(_) => return Step::Choose,
        };
    }
    if admit(tables, settings, head).is_err() {
        return Step::Choose;
    }
    let call = expect::from_client(tables, &head.key, now);
    if !call.is_found() {
        return Step::Choose;
    }
    if spare(tables, settings).is_err() {
        tables.count(Reason::DropPacket);
        return Step::Done(Verdict::Drop);
    }
    let kept = Kept::found(call.dest, 0);
    decision.write(&head.key, &call.target(), &kept, closed);
    Step::Open
}

/// Whether the first piece of a datagram goes the way of whole packets.
#[inline(always)]
fn first<P: Packet, T: Tables>(packet: &mut P, tables: &mut T, head: &Head) -> Result<(), Stop> {
    let settings = tables.settings().ok_or(Stop::pass(Reason::NotOurs))?;
    if look_up(tables, &head.key).is_some() {
        return Ok(());
    }
    let target = target(packet, tables, settings, &head.key);
    if !target.is_found() {
        remember_foreign(packet, tables, head);
        return Err(target.stop());
    }
    // Nothing would remember the way for the other pieces.
    if target.is_one_packet() && head.key.protocol == UDP {
        return Err(Stop::drop(Reason::Fragment));
    }
    Ok(())
}

#[inline(always)]
fn carry_out<T: Tables>(tables: &mut T, head: &Head) -> Result<Step, Reason> {
    let settings = tables.settings().ok_or(Reason::Kernel)?;
    let decision = tables.decision().ok_or(Reason::Kernel)?;
    if !decision.is_for(&head.key) {
        return Err(Reason::OpenRace);
    }
    let (target, kept) = (decision.target(), decision.kept());
    let wish = Wish {
        settings,
        target: &target,
        head,
        now: tables.now(),
    };
    open(tables, &wish, &kept, decision.closed())?;
    Ok(sending(settings, head))
}

#[inline(always)]
fn send_found<P: Packet, T: Tables>(
    packet: &mut P,
    tables: &mut T,
    head: &Head,
) -> Result<Verdict, Stop> {
    let settings = tables.settings().ok_or(Stop::pass(Reason::NotOurs))?;
    // Another CPU may have ended it since.
    let opened = tables.decision().map_or(0, |decision| decision.opened());
    let found = find_opened(tables, &head.key, opened).ok_or(Stop::drop(Reason::OpenRace))?;
    remember(packet, tables, head, &found)?;
    let now = tables.now();
    send(packet, tables, settings, head, found, now)
}

#[inline(always)]
fn send_decided<P: Packet, T: Tables>(
    packet: &mut P,
    tables: &mut T,
    head: &Head,
) -> Result<Verdict, Stop> {
    let settings = tables.settings().ok_or(Stop::pass(Reason::NotOurs))?;
    let decision = tables.decision().ok_or(Stop::drop(Reason::Kernel))?;
    if !decision.is_for(&head.key) {
        return Err(Stop::drop(Reason::OpenRace));
    }
    let (target, kept) = (decision.target(), decision.kept());
    let now = tables.now();
    let passage = alone::forward(tables, &target, head, &kept)?;
    send_alone(packet, tables, settings, head, &passage, now)
}

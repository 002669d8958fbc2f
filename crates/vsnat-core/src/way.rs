//! The way of a packet, from its arrival to its verdict.
//!
//! On the clients' side it is cut into steps, which the kernel runs as programs
//! of their own: its verifier follows all ways through one program, and the
//! packets of established connections should not wade through the rest.
//! [`outer`] sends on what belongs to a connection and leaves everything else
//! untouched and uncounted; [`outer_choose`] finds service and server;
//! [`outer_open`] opens the connection, and [`outer_send`] sends what belongs
//! to it now; [`outer_refuse`] tells a sender why nothing does, [`outer_alone`]
//! sends what leaves no connection behind,
//! [`outer_part`] later fragments, and [`outer_error`] what speaks of a
//! connection. On the servers' side there are [`inner`], [`inner_rest`],
//! [`inner_part`] and [`inner_error`]. Everything that is not translated leaves by a [`Stop`], and
//! [`settle`] is the one table that says what each means.

use vsnat_abi::counters::Reason;
use vsnat_abi::destination::dest_state;
use vsnat_abi::filter::{FILTER_SERVERS, FILTER_VIPS};
use vsnat_abi::flow::Direction;
use vsnat_abi::settings::{Settings, deny, flag, mode, no_server};

use crate::find::{Found, find, look_up};
use crate::icmp::{self, Answer, Kind};
use crate::leave::{alive, send, send_alone};
use crate::open::{Closed, Wish, admit, choose, end, is_reuse, open, spare};
use crate::parse::{Head, Part, RST, SCTP, TCP, UDP, parse};
use crate::persist::Kept;
use crate::pieces::{later, remember, remember_foreign};
use crate::quote::{error, is_error};
use crate::target::{is_nobodys, target};
use crate::verdict::{Action, Stop};
use crate::{Packet, Shared, Tables, Verdict, alone, expect, leave, reset, sctp};

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
    /// On either side: to the daemon.
    HandOver,
}

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
    let Some(found) = find(tables, settings, &head.key) else {
        let next = unknown(settings, &head);
        if next == Step::Choose && is_nobodys(tables, settings, &head.key) {
            return Step::Done(not_ours(tables));
        }
        return next;
    };
    let now = tables.now();
    match standing(tables, settings, &head, &found) {
        Ok(Standing::Goes) => {}
        Ok(Standing::Reused | Standing::ServerGone) | Err(_) => return unknown(settings, &head),
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

/// Where a packet goes on that no connection carries.
#[inline(always)]
fn unknown(settings: Shared<Settings>, head: &Head) -> Step {
    match expect::may_be(settings, head) {
        true => Step::OuterExpected,
        false => Step::Choose,
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
    match decide(packet, tables, &head) {
        Ok(step) => step,
        Err(stop) => turn_away(tables, &head, stop),
    }
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
        Ok(()) => Step::Send,
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
        Err(stop) => Step::Done(settle(packet, tables, &head, stop)),
    }
}

/// Hands a packet to the host on whose connection the daemon stands in between.
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
    if !found.slot.way(found.direction).is_to_host() {
        return lost(tables);
    }
    let now = tables.now();
    leave::hand_over(tables, settings, &head, &found, now)
}

#[inline(always)]
fn lost<T: Tables>(tables: &mut T) -> Verdict {
    tables.count(Reason::OpenRace);
    Verdict::Drop
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
        let sent = later(packet, tables, &head, Direction::Forward);
        return Step::Done(sent.unwrap_or_else(|stop| in_silence(tables, stop)));
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
        let sent = later(packet, tables, &head, Direction::Reply);
        return sent.unwrap_or_else(|stop| in_silence(tables, stop));
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

/// What is neither TCP nor UDP nor SCTP.
#[inline(always)]
fn other<P: Packet, T: Tables>(packet: &mut P, tables: &mut T) -> Step {
    if is_error(packet) {
        return Step::Error;
    }
    Step::Done(not_ours(tables))
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

/// The same for what nobody is told about: error messages, and pieces that are
/// not the first (RFC 1122 §3.2.2).
#[inline(always)]
pub(crate) fn in_silence<T: Tables>(tables: &mut T, stop: Stop) -> Verdict {
    tables.count_one_of(stop.reason);
    match stop.action {
        Action::Pass => Verdict::Pass,
        Action::Drop | Action::Refuse => Verdict::Drop,
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
    if target.is_one_packet() && head.key.protocol == UDP {
        return Ok(Step::Alone);
    }
    Ok(Step::Open)
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
fn carry_out<T: Tables>(tables: &mut T, head: &Head) -> Result<(), Reason> {
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
    open(tables, &wish, &kept, decision.closed())
}

#[inline(always)]
fn send_found<P: Packet, T: Tables>(
    packet: &mut P,
    tables: &mut T,
    head: &Head,
) -> Result<Verdict, Stop> {
    let settings = tables.settings().ok_or(Stop::pass(Reason::NotOurs))?;
    // Another CPU may have ended it since.
    let found = find(tables, settings, &head.key).ok_or(Stop::drop(Reason::OpenRace))?;
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
            Ok(Standing::Goes) | Err(_) => return Step::Choose,
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

//! The way of a packet, from its arrival to its verdict.
//!
//! On the clients' side it is cut into steps, which the kernel runs as programs
//! of their own: its verifier follows all ways through one program, and the
//! packets of established connections should not wade through the rest.
//! [`outer`] sends on what belongs to a connection and leaves everything else
//! untouched and uncounted; [`outer_choose`] finds service and server;
//! [`outer_open`] opens the connection, and [`outer_send`] sends what belongs
//! to it now; [`outer_alone`] sends what leaves no connection behind. On the
//! servers' side one function does. Everything that is not translated leaves
//! by a [`Stop`], and [`settle`] is the one table that says what each means.

use vsnat_abi::counters::Reason;
use vsnat_abi::destination::dest_state;
use vsnat_abi::filter::{FILTER_SERVERS, FILTER_VIPS};
use vsnat_abi::flow::Direction;
use vsnat_abi::settings::{Settings, deny, flag};

use crate::find::{Found, find};
use crate::icmp::{self, Answer, Kind};
use crate::leave::{alive, send, send_alone};
use crate::open::{Closed, Wish, admit, choose, end, is_reuse, open, spare};
use crate::parse::{Head, Part, RST, SCTP, TCP, UDP, parse};
use crate::persist::Kept;
use crate::target::{is_nobodys, target};
use crate::verdict::{Action, Stop};
use crate::{Packet, Shared, Tables, Verdict, alone, expect, leave, sctp};

/// Where a packet goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    Done(Verdict),
    Choose,
    Open,
    Send,
    Alone,
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
        return Step::Done(not_ours(tables));
    };
    if !tables.filter(FILTER_VIPS, head.key.dst) || !packet.is_for_host() {
        return Step::Done(not_ours(tables));
    }
    let Some(settings) = tables.settings() else {
        return Step::Done(not_ours(tables));
    };
    if head.part != Part::Whole {
        return Step::Choose;
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
        Err(stop) => Step::Done(settle(packet, tables, &head, stop)),
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

/// A packet that arrived from the servers' side.
#[inline(always)]
pub fn inner<P: Packet, T: Tables>(packet: &mut P, tables: &mut T) -> Step {
    tables.count(Reason::Seen);
    let Some(head) = parse(packet) else {
        return Step::Done(not_ours(tables));
    };
    if !tables.filter(FILTER_SERVERS, head.key.src) || !packet.is_for_host() {
        return Step::Done(not_ours(tables));
    }
    match from_server(packet, tables, &head) {
        Ok(step) => step,
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

/// Decides what becomes of a client's packet.
#[inline(always)]
fn decide<P: Packet, T: Tables>(packet: &mut P, tables: &mut T, head: &Head) -> Result<Step, Stop> {
    let settings = tables.settings().ok_or(Stop::pass(Reason::NotOurs))?;
    let found = match head.part {
        Part::Whole => find(tables, settings, &head.key),
        Part::First | Part::Later => return Err(fragment(packet, tables, settings, head)),
    };
    let now = tables.now();
    let decision = tables.decision().ok_or(Stop::drop(Reason::Kernel))?;
    let mut closed = Closed::None;
    if let Some(found) = found {
        match standing(tables, settings, head, &found)? {
            Standing::Goes => return Ok(Step::Send),
            Standing::Reused => closed = Closed::Reused,
            Standing::ServerGone => closed = Closed::ServerGone,
        }
    }
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
) -> Result<Step, Stop> {
    let settings = tables.settings().ok_or(Stop::pass(Reason::NotOurs))?;
    let now = tables.now();
    match find(tables, settings, &head.key) {
        Some(found) if found.direction == Direction::Reply => {
            if head.part != Part::Whole {
                return Err(Stop::drop(Reason::Fragment));
            }
            return send(packet, tables, settings, head, found, now).map(Step::Done);
        }
        Some(_) | None => {}
    }
    if head.part != Part::Whole {
        return Err(Stop::pass(Reason::NotOurs));
    }
    if let Some(passage) = alone::answer(tables, settings, head) {
        return send_alone(packet, tables, settings, head, &passage, now).map(Step::Done);
    }
    if expect::may_be(settings, head) {
        return Ok(Step::InnerExpected);
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

/// The first fragment of a service's datagram is dropped. Later ones have no
/// ports and may belong to the host: its stack waits in vain for the first.
#[inline(always)]
fn fragment<P: Packet, T: Tables>(
    packet: &mut P,
    tables: &mut T,
    settings: Shared<Settings>,
    head: &Head,
) -> Stop {
    let ours = match head.part {
        Part::Later => false,
        Part::First | Part::Whole => {
            find(tables, settings, &head.key).is_some()
                || target(packet, tables, settings, &head.key).is_found()
        }
    };
    if ours {
        Stop::drop(Reason::Fragment)
    } else {
        Stop::pass(Reason::NotOurs)
    }
}

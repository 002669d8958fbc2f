//! IPv6 packets become IPv4 ones, if they are ours.

use vsnat_abi::counters::Reason;
use vsnat_abi::filter::{FILTER_SERVERS, FILTER_VIPS};
use vsnat_abi::flow::{Direction, FlowKey4};
use vsnat_abi::net::Be32;
use vsnat_abi::service::ServiceKey4;
use vsnat_abi::settings::{Settings, deny, flag};

use crate::admit::may_open;
use crate::find::look_up;
use crate::parse::{ETH_LEN, FTP_DATA, Head, Part, SCTP, TCP, UDP};
use crate::sctp;
use crate::six::head::{Head6, head};
use crate::six::pieces::{Belongs, piece, remember_foreign};
use crate::six::sum::{Header4, change, ends4, ends6};
use crate::six::{ETHERTYPE_IPV4, ICMPV6, LEN4, LEN6, NOBODY, pool};
use crate::target::target;
use crate::verdict::Verdict;
use crate::way::{Step, not_ours};
use crate::{Checksum, Packet, Shared, Tables};

/// ICMPv6's errors have types below.
const ERRORS_BELOW: u8 = 128;

/// What [`crate::way::outer`] left: an IPv6 packet from the clients.
#[inline(always)]
pub fn outer_six<P: Packet, T: Tables>(packet: &mut P, tables: &mut T) -> Step {
    let Some(settings) = tables.settings() else {
        return Step::Done(not_ours(tables));
    };
    if !settings.has(flag::HAS_SIX) || !packet.is_for_host() {
        return Step::Done(not_ours(tables));
    }
    let Some(head) = head(packet) else {
        return Step::Done(not_ours(tables));
    };
    let vip = pool::known(tables, settings, &head.dst);
    if vip == NOBODY || !tables.filter(FILTER_VIPS, vip) {
        return Step::Done(not_ours(tables));
    }
    if head.protocol == ICMPV6 {
        return error_or_not(tables, &head);
    }
    let mut client = pool::known(tables, settings, &head.src);
    let inside = inside(&head, client, vip);
    match to_service(packet, tables, settings, &inside, &head) {
        Belongs::Ours => {}
        Belongs::Hosts => return Step::Done(not_ours(tables)),
        Belongs::Nobodys => return Step::Done(dropped(tables, Reason::Fragment)),
    }
    if let Some(reason) = refused(tables, settings, &head) {
        return Step::Done(dropped(tables, reason));
    }
    let now = tables.now();
    if client == NOBODY {
        client = pool::make(tables, settings, &head.src, now);
        if client == NOBODY {
            return Step::Done(dropped(tables, Reason::StandInsExhausted));
        }
    }
    if let Some(stand_in) = pool::stand_in(tables, settings, client) {
        stand_in.touch(now);
    }
    begin_again(packet, tables, &head, client, vip)
}

/// What [`crate::way::inner`] left: an IPv6 packet from the servers.
#[inline(always)]
pub fn inner_six<P: Packet, T: Tables>(packet: &mut P, tables: &mut T) -> Step {
    let Some(settings) = tables.settings() else {
        return Step::Done(not_ours(tables));
    };
    if !settings.has(flag::HAS_SIX) || !packet.is_for_host() {
        return Step::Done(not_ours(tables));
    }
    let Some(head) = head(packet) else {
        return Step::Done(not_ours(tables));
    };
    if head.protocol == ICMPV6 {
        return error_or_not(tables, &head);
    }
    let server = pool::known(tables, settings, &head.src);
    if server == NOBODY || !tables.filter(FILTER_SERVERS, server) {
        return Step::Done(not_ours(tables));
    }
    let client = pool::client_of_server(tables, settings, &head.dst);
    if client == NOBODY {
        return Step::Done(not_ours(tables));
    }
    let inside = inside(&head, server, client);
    if !from_service(tables, settings, &inside, &head) {
        return Step::Done(not_ours(tables));
    }
    begin_again(packet, tables, &head, server, client)
}

#[inline(always)]
fn error_or_not<T: Tables>(tables: &mut T, head: &Head6) -> Step {
    // Their kind is where others have a port.
    let [kind, _] = head.src_port.bytes();
    if kind < ERRORS_BELOW && head.part == Part::Whole {
        return Step::SixError;
    }
    Step::Done(not_ours(tables))
}

/// The head of the packet that it will be.
#[inline(always)]
fn inside(head: &Head6, src: Be32, dst: Be32) -> Head {
    Head {
        key: FlowKey4::new(head.protocol, src, head.src_port, dst, head.dst_port),
        l4: ETH_LEN + LEN4,
        total: head.rest + LEN4,
        l4_len: 0,
        tos: head.class,
        ttl: head.hops,
        flags: match head.protocol {
            TCP => head.flags,
            _ => 0,
        },
        chunk: match head.protocol {
            SCTP => sctp::Event::of(head.flags, None),
            _ => sctp::Event::Data,
        },
        part: head.part,
        may_fragment: false,
    }
}

/// Whether a client's packet belongs to a connection, or opens one with a
/// service that there is. The same questions are asked once more inside.
#[inline(always)]
fn to_service<P: Packet, T: Tables>(
    packet: &mut P,
    tables: &mut T,
    settings: Shared<Settings>,
    inside: &Head,
    head: &Head6,
) -> Belongs {
    let key = &inside.key;
    if head.part == Part::Later {
        return piece(tables, head, key, Direction::Forward);
    }
    if key.src != NOBODY
        && let Some(found) = look_up(tables, key)
        && found.direction == Direction::Forward
    {
        return Belongs::Ours;
    }
    if key.src_port.host() != FTP_DATA
        && may_open(settings, inside)
        && target(packet, tables, settings, key).is_found()
    {
        return Belongs::Ours;
    }
    remember_foreign(tables, head, key);
    Belongs::Hosts
}

/// Whether a server's packet belongs to a connection, or may answer what left
/// none behind.
#[inline(always)]
fn from_service<T: Tables>(
    tables: &T,
    settings: Shared<Settings>,
    inside: &Head,
    head: &Head6,
) -> bool {
    let key = &inside.key;
    if head.part == Part::Later {
        return piece(tables, head, key, Direction::Reply) == Belongs::Ours;
    }
    if let Some(found) = look_up(tables, key) {
        return found.direction == Direction::Reply;
    }
    let server = ServiceKey4 {
        vip: key.src,
        port: key.src_port,
        protocol: key.protocol,
        zero: 0,
    };
    key.protocol == UDP
        && settings.has(flag::HAS_ONE_PACKET)
        && settings.has(flag::ONE_PACKET_ANSWERS)
        && tables.find_server(&server).is_some()
}

/// Sources that the administrator refuses, and sources that cannot be.
#[inline(always)]
fn refused<T: Tables>(tables: &T, settings: Shared<Settings>, head: &Head6) -> Option<Reason> {
    if settings.denied6() == 0 {
        return None;
    }
    let bits = tables.denied6(&head.src);
    if bits & deny::MARTIAN != 0 {
        return Some(Reason::Martian);
    }
    if bits & deny::DENIED != 0 {
        return Some(Reason::Denied);
    }
    None
}

#[inline(always)]
pub(super) fn dropped<T: Tables>(tables: &mut T, reason: Reason) -> Verdict {
    tables.count_one_of(reason);
    Verdict::Drop
}

/// Gives the packet its IPv4 header, and sends it to where those begin.
#[inline(always)]
fn begin_again<P: Packet, T: Tables>(
    packet: &mut P,
    tables: &mut T,
    head: &Head6,
    src: Be32,
    dst: Be32,
) -> Step {
    if translate(packet, head, src, dst).is_none() {
        return Step::Done(dropped(tables, Reason::Kernel));
    }
    tables.take_back(Reason::Seen);
    Step::Again
}

#[inline(always)]
fn translate<P: Packet>(packet: &mut P, head: &Head6, src: Be32, dst: Be32) -> Option<()> {
    let between = head.l4 - (ETH_LEN + LEN6);
    packet.become_v4()?;
    if between != 0 {
        packet.change_room(-(between as i32))?;
    }
    let header = Header4 {
        tos: head.class,
        ttl: head.hops,
        protocol: head.protocol,
        id: head.id,
        fragment: head.fragment,
        rest: head.rest,
        src,
        dst,
    };
    packet.store(12, ETHERTYPE_IPV4)?;
    packet.write(ETH_LEN, header.bytes())?;
    if head.part == Part::Later {
        return Some(());
    }
    let at = ETH_LEN
        + LEN4
        + match head.protocol {
            TCP => 16,
            UDP => 6,
            // SCTP sums no addresses.
            _ => return Some(()),
        };
    let difference = change(ends6(&head.src, &head.dst), ends4(src, dst));
    packet.patch_checksum(at, head.protocol, difference, Checksum::Pseudo)
}

//! ICMPv6 errors become ICMP errors, if they quote a packet of a connection.
//!
//! Message and quote both get IPv4 headers (RFC 7915 §5.2, §5.3): forty bytes
//! less in front of the quoted transport header, which stays where it is.

use vsnat_abi::counters::Reason;
use vsnat_abi::filter::FILTER_VIPS;
use vsnat_abi::flow::{Direction, FlowKey4};
use vsnat_abi::net::{Be16, Be32};
use vsnat_abi::settings::Settings;
use vsnat_abi::stand_in::Ip6;

use crate::checksum::{fold16, patch};
use crate::find::look_up;
use crate::parse::{ETH_LEN, SCTP, TCP, UDP, load16, load32};
use crate::six::arrive::dropped;
use crate::six::head::address;
use crate::six::sum::{Header4, add, change, ends4, ends6, of_bytes};
use crate::six::{ETHERTYPE_IPV4, ICMP, ICMPV6, LEN4, LEN6, MORE, NOBODY, pool};
use crate::way::{Step, not_ours};
use crate::{Packet, Shared, Tables};

/// Where a message has its parts, without headers between them.
const ICMP_AT: u32 = ETH_LEN + LEN6;
const QUOTE_AT: u32 = ICMP_AT + 8;
const L4_AT: u32 = QUOTE_AT + LEN6;
/// All headers but the transport's.
const FRONT: usize = L4_AT as usize;
/// Every quote has so much of the transport header.
const QUOTED_MIN: u32 = 8;
const DF: u16 = 0x4000;
/// Where the same transport header is afterwards.
const L4_THEN: u32 = L4_AT - 2 * MORE;

/// An ICMPv6 error. What is needed of its words are their sums: whole headers
/// are too much for the stack of a program.
struct Message {
    from: Ip6,
    class: u8,
    hops: u8,
    /// Bytes behind the outer header.
    rest: u32,
    kind: Kind,
    checksum: u16,
    /// The sum of all that becomes something else, the pseudo header included.
    before: u32,
    quoted: Quoted,
}

/// The header that it quotes.
struct Quoted {
    src: Ip6,
    dst: Ip6,
    ends: u32,
    class: u8,
    hops: u8,
    protocol: u8,
    rest: u32,
    ports: [u8; 4],
}

/// What an ICMP error says: type and code, and the word behind the checksum.
#[derive(Clone, Copy)]
struct Kind {
    /// 0: nothing that IPv4 knows.
    kind: u8,
    code: u8,
    word: u32,
}

/// An ICMPv6 error from the clients' side.
#[inline(always)]
pub fn outer_six_error<P: Packet, T: Tables>(packet: &mut P, tables: &mut T) -> Step {
    error(packet, tables, Direction::Forward)
}

/// An ICMPv6 error from the servers' side.
#[inline(always)]
pub fn inner_six_error<P: Packet, T: Tables>(packet: &mut P, tables: &mut T) -> Step {
    error(packet, tables, Direction::Reply)
}

#[inline(always)]
fn error<P: Packet, T: Tables>(packet: &mut P, tables: &mut T, towards: Direction) -> Step {
    let (Some(settings), Some(message)) = (tables.settings(), read(packet)) else {
        return Step::Done(not_ours(tables));
    };
    let stand_in = |address: &Ip6| match towards {
        Direction::Forward => pool::known(tables, settings, address),
        Direction::Reply => pool::client_of_server(tables, settings, address),
    };
    let (src, dst) = (stand_in(&message.quoted.src), stand_in(&message.quoted.dst));
    if src == NOBODY || dst == NOBODY {
        return Step::Done(not_ours(tables));
    }
    if towards == Direction::Forward && !tables.filter(FILTER_VIPS, src) {
        return Step::Done(not_ours(tables));
    }
    if !is_of_connection(tables, &message, src, dst, towards) {
        return Step::Done(not_ours(tables));
    }
    if message.kind.kind == 0 {
        return Step::Done(dropped(tables, Reason::Untranslatable));
    }
    let teller = teller(tables, settings, &message, dst);
    if translate(packet, &message, teller, src, dst).is_none() {
        return Step::Done(dropped(tables, Reason::Kernel));
    }
    tables.take_back(Reason::Seen);
    Step::Again
}

/// Whether the quoted packet was one of a connection, sent towards where the
/// message comes from.
#[inline(always)]
fn is_of_connection<T: Tables>(
    tables: &T,
    message: &Message,
    src: Be32,
    dst: Be32,
    towards: Direction,
) -> bool {
    let [s0, s1, d0, d1] = message.quoted.ports;
    let answer = FlowKey4::new(
        message.quoted.protocol,
        dst,
        Be16::from_bytes([d0, d1]),
        src,
        Be16::from_bytes([s0, s1]),
    );
    match look_up(tables, &answer) {
        Some(found) => found.direction == towards,
        None => false,
    }
}

/// Who says it. Routers have no stand-in, and get none: a forged message would
/// be enough. They speak as the one whom the quoted packet was for.
#[inline(always)]
fn teller<T: Tables>(
    tables: &T,
    settings: Shared<Settings>,
    message: &Message,
    quoted_dst: Be32,
) -> Be32 {
    match pool::known(tables, settings, &message.from) {
        NOBODY => quoted_dst,
        teller => teller,
    }
}

#[inline(always)]
fn read<P: Packet>(packet: &mut P) -> Option<Message> {
    let length = packet.length();
    let front = packet.front::<FRONT>()?;
    // Headers between the two are too rare in errors to be worth a look.
    if front[20] != ICMPV6 || front[QUOTE_AT as usize] >> 4 != 6 {
        return None;
    }
    let rest = u32::from(load16(front, 18).host());
    let end = ICMP_AT + rest;
    if L4_AT + QUOTED_MIN > end || end > length {
        return None;
    }
    let icmp = ICMP_AT as usize;
    let word = load32(front, icmp + 4);
    let from = address(front, 22);
    let pseudo = add(
        ends6(&from, &address(front, 38)),
        add(rest.to_be(), u32::from(ICMPV6).to_be()),
    );
    let told = add(u32::from(load16(front, icmp).raw()), word.raw());
    let quoted = quoted(front)?;
    let mut message = Message {
        from,
        class: front[14] << 4 | front[15] >> 4,
        hops: front[21],
        rest,
        kind: kind(front[icmp], front[icmp + 1], word.host()),
        checksum: load16(front, icmp + 2).raw(),
        before: add(pseudo, told),
        quoted,
    };
    let words = add(
        load32(front, QUOTE_AT as usize).raw(),
        load32(front, QUOTE_AT as usize + 4).raw(),
    );
    message.before = add(message.before, add(words, message.quoted.ends));
    message.quoted.ports = packet.load::<4>(L4_AT)?;
    Some(message)
}

#[inline(always)]
fn quoted(front: &[u8; FRONT]) -> Option<Quoted> {
    let at = QUOTE_AT as usize;
    let protocol = front[at + 6];
    if protocol != TCP && protocol != UDP && protocol != SCTP {
        return None;
    }
    let (src, dst) = (address(front, at + 8), address(front, at + 24));
    Some(Quoted {
        src,
        dst,
        ends: ends6(&src, &dst),
        class: front[at] << 4 | front[at + 1] >> 4,
        hops: front[at + 7],
        protocol,
        rest: u32::from(load16(front, at + 4).host()),
        ports: [0; 4],
    })
}

/// RFC 7915 §5.2.
#[inline(always)]
fn kind(kind: u8, code: u8, word: u32) -> Kind {
    let says = |kind, code| Kind {
        kind,
        code,
        word: 0,
    };
    match (kind, code) {
        (1, 1) => says(3, 10),
        (1, 4) => says(3, 3),
        (1, 0 | 2 | 3) => says(3, 1),
        (2, _) => Kind {
            kind: 3,
            code: 4,
            word: word.saturating_sub(MORE) & 0xffff,
        },
        (3, code) => says(11, code),
        (4, 1) => says(3, 2),
        (_, _) => says(0, 0),
    }
}

#[inline(always)]
fn translate<P: Packet>(
    packet: &mut P,
    message: &Message,
    teller: Be32,
    src: Be32,
    dst: Be32,
) -> Option<()> {
    packet.become_v4()?;
    packet.change_room(-(MORE as i32))?;
    packet.store(12, ETHERTYPE_IPV4)?;
    let rest = message.rest - MORE;
    let header = Header4 {
        tos: message.class,
        ttl: message.hops,
        protocol: ICMP,
        id: 0,
        fragment: 0,
        rest,
        src: teller,
        dst: src,
    };
    packet.write(ETH_LEN, header.bytes())?;
    let quoted = &message.quoted;
    let quote = Header4 {
        tos: quoted.class,
        ttl: quoted.hops,
        protocol: quoted.protocol,
        id: 0,
        fragment: DF,
        rest: quoted.rest,
        src,
        dst,
    };
    // The sum of an IPv4 header is that of no words: its checksum sees to it.
    packet.write(L4_THEN - LEN4, quote.bytes())?;
    let addresses = change(quoted.ends, ends4(src, dst));
    let end = ETH_LEN + LEN4 + rest;
    let patched = patch_quoted(packet, quoted.protocol, L4_THEN, end, addresses)?;

    let [w0, w1, w2, w3] = message.kind.word.to_be_bytes();
    let (kind, code) = (message.kind.kind, message.kind.code);
    let told = of_bytes(&[kind, code, 0, 0, w0, w1, w2, w3]);
    let difference = add(change(message.before, told), patched);
    let [c0, c1] = patch(message.checksum, difference).to_ne_bytes();
    packet.write(ETH_LEN + LEN4, [kind, code, c0, c1, w0, w1, w2, w3])
}

/// Patches the quoted transport checksum, if it is quoted at all. Answers by
/// how much the sum of the message changed.
#[inline(always)]
pub(super) fn patch_quoted<P: Packet>(
    packet: &mut P,
    protocol: u8,
    l4: u32,
    end: u32,
    addresses: u32,
) -> Option<u32> {
    let at = match protocol {
        UDP => l4 + 6,
        TCP => l4 + 16,
        _ => return Some(0),
    };
    if at + 2 > end {
        return Some(0);
    }
    let field = u16::from_ne_bytes(packet.load::<2>(at)?);
    if field == 0 && protocol == UDP {
        return Some(0);
    }
    let patched = match patch(field, addresses) {
        0 if protocol == UDP => u16::MAX,
        patched => patched,
    };
    packet.write(at, patched.to_ne_bytes())?;
    Some(u32::from(fold16(u32::from(!field) + u32::from(patched))))
}

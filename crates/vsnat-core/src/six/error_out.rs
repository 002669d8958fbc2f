//! ICMP errors that are for a stand-in leave as ICMPv6 errors.
//!
//! The opposite of what errors that arrive are given (RFC 7915 §4.2, §4.3):
//! forty bytes more in front of the quoted transport header.

use vsnat_abi::counters::Reason;
use vsnat_abi::net::{Be16, Be32};
use vsnat_abi::settings::Settings;

use crate::checksum::patch;
use crate::parse::{ETH_LEN, FRONT_IP, front_of_ip, load16, load32};
use crate::six::arrive::dropped;
use crate::six::error_in::patch_quoted;
use crate::six::out::depart;
use crate::six::sum::{Header6, add, change, ends4, ends6, of_bytes};
use crate::six::{ETHERTYPE_IPV6, ICMP, ICMPV6, LEN4, LEN6, MORE, RouteQuery6, pool};
use crate::verdict::Verdict;
use crate::{Packet, Shared, Tables};

const ICMP_AT: u32 = ETH_LEN + LEN4;
const QUOTE_AT: u32 = ICMP_AT + 8;
const L4_AT: u32 = QUOTE_AT + LEN4;
const L4_THEN: u32 = L4_AT + 2 * MORE;
/// IPv6 has no smaller links.
const MTU_MIN: u32 = 1_280;

/// An ICMP error without IP options in message and quote.
struct Message {
    outer: [u8; LEN4 as usize],
    quote: [u8; LEN4 as usize],
    icmp: [u8; 8],
    /// Bytes behind the outer header.
    rest: u32,
}

/// What an ICMPv6 error says: type and code, and the word behind the checksum.
#[derive(Clone, Copy)]
struct Kind {
    /// 0: nothing that IPv6 knows.
    kind: u8,
    code: u8,
    word: u32,
}

/// What [`super::six_out`] left: an ICMP message.
#[inline(always)]
pub fn six_error_out<P: Packet, T: Tables>(packet: &mut P, tables: &mut T) -> Verdict {
    let Some(settings) = tables.settings() else {
        return dropped(tables, Reason::Kernel);
    };
    let Some(message) = read(packet) else {
        return dropped(tables, Reason::Untranslatable);
    };
    let kind = kind(&message.icmp);
    if kind.kind == 0 {
        return dropped(tables, Reason::Untranslatable);
    }
    let Some(query) = translate(packet, tables, settings, &message, kind) else {
        return dropped(tables, Reason::Kernel);
    };
    let to = load32(&message.outer, 16);
    depart(packet, tables, settings, to, &query)
}

#[inline(always)]
fn read<P: Packet>(packet: &mut P) -> Option<Message> {
    let length = packet.length();
    let front = front_of_ip(packet)?;
    let total = u32::from(load16(front, 16).host());
    // Our own errors have no options, and quotes of ours hardly ever.
    if front[14] != 0x45 || front[23] != ICMP || ETH_LEN + total > length {
        return None;
    }
    let outer = packet.load::<{ LEN4 as usize }>(ETH_LEN)?;
    let icmp = packet.load::<8>(ICMP_AT)?;
    let quote = packet.load::<{ LEN4 as usize }>(QUOTE_AT)?;
    if quote[0] != 0x45 || total < LEN4 + 8 + LEN4 + 8 {
        return None;
    }
    Some(Message {
        outer,
        quote,
        icmp,
        rest: total - LEN4,
    })
}

/// RFC 7915 §4.2.
#[inline(always)]
fn kind(icmp: &[u8; 8]) -> Kind {
    let says = |kind, code| Kind {
        kind,
        code,
        word: 0,
    };
    match (icmp[0], icmp[1]) {
        // The byte of IPv6's header that names the protocol.
        (3, 2) => Kind {
            word: 6,
            ..says(4, 1)
        },
        (3, 3) => says(1, 4),
        (3, 4) => Kind {
            word: larger(u32::from(load16(icmp, 6).host()) + MORE),
            ..says(2, 0)
        },
        (3, 9 | 10 | 13 | 15) => says(1, 1),
        (3, 0 | 1 | 5 | 6 | 7 | 8 | 11 | 12) => says(1, 0),
        (11, code) => says(3, code),
        (_, _) => says(0, 0),
    }
}

#[inline(always)]
fn larger(mtu: u32) -> u32 {
    if mtu < MTU_MIN { MTU_MIN } else { mtu }
}

#[inline(always)]
fn header6<T: Tables>(
    tables: &T,
    settings: Shared<Settings>,
    header: &[u8; LEN4 as usize],
    next: u8,
    rest: u32,
) -> Header6 {
    Header6 {
        class: header[1],
        hops: header[8],
        next,
        rest,
        src: pool::in_six(tables, settings, load32(header, 12)),
        dst: pool::in_six(tables, settings, load32(header, 16)),
    }
}

#[inline(always)]
fn translate<P: Packet, T: Tables>(
    packet: &mut P,
    tables: &T,
    settings: Shared<Settings>,
    message: &Message,
    kind: Kind,
) -> Option<RouteQuery6> {
    let outer = header6(
        tables,
        settings,
        &message.outer,
        ICMPV6,
        message.rest + MORE,
    );
    let quoted_rest = u32::from(load16(&message.quote, 2).host()).wrapping_sub(LEN4);
    let quoted = header6(
        tables,
        settings,
        &message.quote,
        message.quote[9],
        quoted_rest,
    );
    packet.become_v6()?;
    packet.change_room(MORE as i32)?;
    packet.store(12, ETHERTYPE_IPV6)?;
    packet.write(ETH_LEN, outer.bytes())?;
    packet.write(L4_THEN - LEN6, quoted.bytes())?;
    let before: [Be32; 2] = [load32(&message.quote, 12), load32(&message.quote, 16)];
    let addresses = change(ends4(before[0], before[1]), ends6(&quoted.src, &quoted.dst));
    let end = ETH_LEN + LEN6 + outer.rest;
    let patched = patch_quoted(packet, quoted.next, L4_THEN, end, addresses)?;

    let [w0, w1, w2, w3] = kind.word.to_be_bytes();
    let icmp = &message.icmp;
    let told = of_bytes(&[kind.kind, kind.code, 0, 0, w0, w1, w2, w3]);
    let told_before = add(u32::from(load16(icmp, 0).raw()), load32(icmp, 4).raw());
    let pseudo = add(
        ends6(&outer.src, &outer.dst),
        add(outer.rest.to_be(), u32::from(ICMPV6).to_be()),
    );
    let before = add(told_before, of_bytes(&message.quote));
    let after = add(add(pseudo, told), quoted.sum());
    let difference = add(change(before, after), patched);
    let [c0, c1] = patch(load16(icmp, 2).raw(), difference).to_ne_bytes();
    packet.write(
        ETH_LEN + LEN6,
        [kind.kind, kind.code, c0, c1, w0, w1, w2, w3],
    )?;
    Some(RouteQuery6 {
        protocol: ICMPV6,
        class: outer.class,
        src: outer.src,
        dst: outer.dst,
        src_port: Be16::ZERO,
        dst_port: Be16::ZERO,
    })
}

const _: () = assert!(FRONT_IP as u32 == ETH_LEN + LEN4);

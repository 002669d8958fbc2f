//! Packets that are addressed to a stand-in leave as IPv6.

use vsnat_abi::counters::Reason;
use vsnat_abi::hop::HOP_FRESH;
use vsnat_abi::net::{Be16, Be32};
use vsnat_abi::settings::Settings;
use vsnat_abi::stand_in::StandIn;
use vsnat_abi::time::Coarse;

use crate::parse::{ETH_LEN, FRONT_IP, TCP, UDP, front_of_ip, load16, load32};
use crate::rewrite::{Macs, write_macs};
use crate::six::arrive::dropped;
use crate::six::sum::{Header6, change, ends4, ends6};
use crate::six::{
    Came, ETHERTYPE_IPV6, FRAGMENT_HEADER, FRAGMENT_LEN, ICMP, LEN4, LEN6, MORE, RouteQuery6, pool,
};
use crate::verdict::Verdict;
use crate::way::Step;
use crate::{Checksum, Packet, Shared, Tables};

/// IPv4's bits that make a fragment.
const FRAGMENT: u16 = 0x3fff;
const FRAGMENT_OFFSET: u16 = 0x1fff;
const MF: u16 = 0x2000;

/// An IPv4 packet, as far as IPv6 asks.
struct Head4 {
    src: Be32,
    dst: Be32,
    tos: u8,
    ttl: u8,
    protocol: u8,
    id: u16,
    fragment: u16,
    /// Bytes of IP options.
    options: u32,
    /// Bytes behind the header.
    rest: u32,
}

/// The last step of a packet to a stand-in: translated already, it gets the
/// header of the other family and leaves.
#[inline(always)]
pub fn six_out<P: Packet, T: Tables>(packet: &mut P, tables: &mut T) -> Step {
    let (Some(settings), Some(head)) = (tables.settings(), head4(packet)) else {
        return Step::Done(dropped(tables, Reason::Kernel));
    };
    if head.protocol == ICMP {
        return Step::SixErrorOut;
    }
    if !is_translatable(packet, &head) {
        return Step::Done(dropped(tables, Reason::Untranslatable));
    }
    let Some(query) = translate(packet, tables, settings, &head) else {
        return Step::Done(dropped(tables, Reason::Kernel));
    };
    Step::Done(depart(packet, tables, settings, head.dst, &query))
}

#[inline(always)]
fn head4<P: Packet>(packet: &mut P) -> Option<Head4> {
    let length = packet.length();
    let front = front_of_ip(packet)?;
    let header = u32::from(front[14] & 0xf) * 4;
    let total = u32::from(load16(front, 16).host());
    if total < header || ETH_LEN + total > length {
        return None;
    }
    Some(Head4 {
        src: load32(front, 26),
        dst: load32(front, 30),
        tos: front[15],
        ttl: front[22],
        protocol: front[23],
        id: load16(front, 18).host(),
        fragment: load16(front, 20).host() & FRAGMENT,
        options: header - LEN4,
        rest: total - header,
    })
}

/// UDP without a checksum is no IPv6 (RFC 8200 §8.1), and to sum up all of a
/// packet is more than a program of the kernel may do.
#[inline(always)]
fn is_translatable<P: Packet>(packet: &P, head: &Head4) -> bool {
    if head.protocol != UDP || head.fragment & FRAGMENT_OFFSET != 0 {
        return true;
    }
    match packet.load::<2>(ETH_LEN + LEN4 + head.options + 6) {
        Some(field) => field != [0, 0],
        None => false,
    }
}

#[inline(always)]
fn translate<P: Packet, T: Tables>(
    packet: &mut P,
    tables: &T,
    settings: Shared<Settings>,
    head: &Head4,
) -> Option<RouteQuery6> {
    let src = pool::in_six(tables, settings, head.src);
    let dst = pool::in_six(tables, settings, head.dst);
    let ports = packet
        .load::<4>(ETH_LEN + LEN4 + head.options)
        .unwrap_or([0; 4]);
    let is_piece = head.fragment != 0;
    let (next, more) = match is_piece {
        true => (FRAGMENT_HEADER, FRAGMENT_LEN),
        false => (head.protocol, 0),
    };
    packet.become_v6()?;
    let room = more as i32 - head.options as i32;
    if room != 0 {
        packet.change_room(room)?;
    }
    let header = Header6 {
        class: head.tos,
        hops: head.ttl,
        next,
        rest: head.rest + more,
        src,
        dst,
    };
    packet.store(12, ETHERTYPE_IPV6)?;
    packet.write(ETH_LEN, header.bytes())?;
    if is_piece {
        let field = (head.fragment & FRAGMENT_OFFSET) << 3 | u16::from(head.fragment & MF != 0);
        let [f0, f1] = field.to_be_bytes();
        let [i0, i1] = head.id.to_be_bytes();
        packet.write(ETH_LEN + LEN6, [head.protocol, 0, f0, f1, 0, 0, i0, i1])?;
    }
    if head.fragment & FRAGMENT_OFFSET == 0 {
        let difference = change(ends4(head.src, head.dst), ends6(&src, &dst));
        patch_transport(packet, head.protocol, ETH_LEN + LEN6 + more, difference)?;
    }
    Some(RouteQuery6 {
        protocol: head.protocol,
        class: head.tos,
        src,
        dst,
        src_port: Be16::from_bytes([ports[0], ports[1]]),
        dst_port: Be16::from_bytes([ports[2], ports[3]]),
    })
}

#[inline(always)]
fn patch_transport<P: Packet>(
    packet: &mut P,
    protocol: u8,
    l4: u32,
    difference: u32,
) -> Option<()> {
    let at = match protocol {
        TCP => l4 + 16,
        UDP => l4 + 6,
        _ => return Some(()),
    };
    packet.patch_checksum(at, protocol, difference, Checksum::Pseudo)
}

/// Sends an IPv6 packet to whom `stand_in` stands for.
#[inline(always)]
pub(super) fn depart<P: Packet, T: Tables>(
    packet: &mut P,
    tables: &mut T,
    settings: Shared<Settings>,
    stand_in: Be32,
    query: &RouteQuery6,
) -> Verdict {
    let Some(way) = pool::stand_in(tables, settings, stand_in) else {
        return dropped(tables, Reason::Kernel);
    };
    let now = tables.now();
    let generation = settings.hop_generation();
    let asked = way.asked();
    let (dst, src, link) = (way.dst_mac(), way.src_mac(), way.link());
    if is_fresh(asked, generation, now) && way.asked() == asked {
        let Some(front) = packet.front::<FRONT_IP>() else {
            return dropped(tables, Reason::Kernel);
        };
        write_macs(front, Macs { dst, src });
        return Verdict::Redirect {
            ifindex: link as u32,
        };
    }
    ask(packet, tables, way, generation, now, query)
}

#[inline(always)]
fn is_fresh(asked: u64, generation: u16, now: Coarse) -> bool {
    let age = now.wrapping_sub(asked as Coarse);
    asked != 0 && (asked >> 32) as u16 == generation && (age <= HOP_FRESH || age >= 1 << 31)
}

/// The packet that asked leaves by the kernel's neighbour look-up, as with
/// IPv4's next hops.
#[inline(always)]
fn ask<P: Packet, T: Tables>(
    packet: &mut P,
    tables: &mut T,
    way: Shared<StandIn>,
    generation: u16,
    now: Coarse,
    query: &RouteQuery6,
) -> Verdict {
    let route = packet.route6(query);
    match route.came {
        Came::None => return dropped(tables, Reason::NoRoute),
        Came::Unresolved => {}
        Came::Neighbour => {
            way.set_way(
                route.dst_mac,
                route.src_mac,
                u64::from(route.ifindex) | u64::from(route.mtu) << 32,
                u64::from(now) | u64::from(generation) << 32,
            );
            // Only now the link is known: who sends as much again will be told.
            let length = packet.length() - ETH_LEN;
            if packet.segment_size() == 0 && route.mtu != 0 && length > u32::from(route.mtu) {
                return dropped(tables, Reason::TooBig);
            }
        }
    }
    tables.count(Reason::NeighbourAsked);
    Verdict::Resolved {
        ifindex: route.ifindex,
    }
}

const _: () = assert!(MORE == 20);

//! Errors of others: ICMP messages that quote a packet of a connection.
//!
//! A router or a host quotes a packet as it met it, that is, translated. Whoever
//! sent it would not know it again: so the quote becomes what was sent, and the
//! message goes to who sent it. What comes from the servers' side says that the
//! VIP speaks, as in IPVS: a private address tells a client nothing. Beyond IPVS
//! the quoted transport checksum is kept right too (RFC 5508 §4).

use vsnat_abi::counters::Reason;
use vsnat_abi::filter::FILTER_VIPS;
use vsnat_abi::flow::{Direction, FlowKey4};
use vsnat_abi::net::{Be16, Be32};
use vsnat_abi::settings::deny;

use crate::checksum::{difference, fold32, patch};
use crate::find::{Found, look_up};
use crate::leave::{depart, fits, way_out};
use crate::parse::{ETH_LEN, FRONT_IP, Head, Part, SCTP, TCP, UDP, front_of_ip, load16, load32};
use crate::rewrite::write_ip;
use crate::sctp;
use crate::six::is_stand_in;
use crate::verdict::Stop;
use crate::way::in_silence;
use crate::{Packet, Tables, Verdict};

pub(crate) const ICMP: u8 = 1;
/// An ICMP error's header; the quote follows.
const ICMP_LEN: u32 = 8;
const ICMP_CHECKSUM: u32 = 2;
const IP_CHECKSUM: u32 = 10;
const IP_ADDRESSES: u32 = 12;
/// Every quote has so much of the transport header (RFC 792).
const QUOTED_MIN: u32 = 8;
const FRAGMENT: u16 = 0x3fff;
const FRAGMENT_OFFSET: u16 = 0x1fff;

/// Types that quote a packet and concern its sender (RFC 792): unreachable,
/// source quench, time exceeded, parameter problem. A redirect is for hosts of
/// one link, whose routes are not ours.
const ERRORS: [u8; 4] = [3, 4, 11, 12];

/// Whether a packet that is no other's is an ICMP error.
#[inline(always)]
pub(crate) fn is_error<P: Packet>(packet: &mut P) -> bool {
    let Some(front) = front_of_ip(packet) else {
        return false;
    };
    let l4 = ETH_LEN + u32::from(front[14] & 0xf) * 4;
    if front[23] != ICMP || load16(front, 20).host() & FRAGMENT != 0 {
        return false;
    }
    packet
        .load::<1>(l4)
        .is_some_and(|[kind]| ERRORS.contains(&kind))
}

/// An ICMP error from either side; `towards` is where one of that side may go.
#[inline(always)]
pub(crate) fn error<P: Packet, T: Tables>(
    packet: &mut P,
    tables: &mut T,
    towards: Direction,
) -> Verdict {
    match send_error(packet, tables, towards) {
        Ok(verdict) => verdict,
        Err(stop) => in_silence(tables, stop),
    }
}

#[inline(always)]
fn send_error<P: Packet, T: Tables>(
    packet: &mut P,
    tables: &mut T,
    towards: Direction,
) -> Result<Verdict, Stop> {
    let not_ours = Stop::pass(Reason::NotOurs);
    let Some(message) = read(packet) else {
        return Err(not_ours);
    };
    if !packet.is_for_host() {
        return Err(not_ours);
    }
    if towards == Direction::Forward && !tables.filter(FILTER_VIPS, message.dst) {
        return Err(not_ours);
    }
    let settings = tables.settings().ok_or(not_ours)?;
    // Its packets would answer the quoted one.
    let Some(found) = look_up(tables, &message.quoted.reversed()) else {
        return Err(not_ours);
    };
    if found.direction != towards {
        return Err(not_ours);
    }
    // The host's own stack speaks to both sides.
    if found.slot.way(towards).is_to_host() {
        return Err(not_ours);
    }
    if settings.denied() != 0 && tables.denied(message.src) & deny::DENIED != 0 {
        return Err(Stop::drop(Reason::Denied));
    }
    let to = to(&message, &found);
    let head = message.head();
    if head.ttl <= 1 {
        return Err(Stop::drop(Reason::TtlExceeded));
    }
    if is_stand_in(settings, to.dst) {
        return send_six(packet, tables, &message, &found, &to);
    }
    let now = tables.now();
    let next = way_out(packet, tables, settings, &head, &found, &to, now);
    fits(packet, &head, &next, to.src)?;
    account(tables, &message, &found);
    rewrite(packet, &message, &found.other, &to).ok_or(Stop::drop(Reason::Kernel))?;
    depart(packet, tables, next)
}

/// The same to an end that speaks IPv6.
#[inline(always)]
fn send_six<P: Packet, T: Tables>(
    packet: &mut P,
    tables: &mut T,
    message: &Message,
    found: &Found,
    to: &FlowKey4,
) -> Result<Verdict, Stop> {
    account(tables, message, found);
    rewrite(packet, message, &found.other, to).ok_or(Stop::drop(Reason::Kernel))?;
    Ok(Verdict::Six)
}

#[inline(always)]
fn account<T: Tables>(tables: &mut T, message: &Message, found: &Found) {
    tables.count(Reason::ErrorTranslated);
    if let Some(stats) = tables.dest_stats(found.slot.dest()) {
        match found.direction {
            Direction::Forward => stats.count_in(u64::from(message.total)),
            Direction::Reply => stats.count_out(u64::from(message.total)),
        }
    }
}

/// Who the message goes to, and who it says that it comes from.
#[inline(always)]
fn to(message: &Message, found: &Found) -> FlowKey4 {
    let sent = &found.other;
    let src = match found.direction {
        // A router on the way speaks for itself, the client for itself as the
        // server knows it.
        Direction::Forward if message.src == message.quoted.dst => sent.dst,
        Direction::Forward => message.src,
        Direction::Reply => sent.dst,
    };
    FlowKey4::new(ICMP, src, Be16::ZERO, sent.src, Be16::ZERO)
}

/// An ICMP error.
struct Message {
    src: Be32,
    dst: Be32,
    tos: u8,
    ttl: u8,
    /// Length of IP header and payload.
    total: u32,
    /// Bytes from the start of the frame to the ICMP header, to the quoted IP
    /// header, and to the quoted transport header.
    icmp: u32,
    quote: u32,
    l4: u32,
    /// Of the quoted packet.
    quoted: FlowKey4,
}

impl Message {
    /// As much of a head as the way out asks for.
    #[inline(always)]
    fn head(&self) -> Head {
        Head {
            key: FlowKey4::new(ICMP, self.src, Be16::ZERO, self.dst, Be16::ZERO),
            l4: self.icmp,
            total: self.total,
            l4_len: ICMP_LEN,
            tos: self.tos,
            ttl: self.ttl,
            flags: 0,
            chunk: sctp::Event::Data,
            part: Part::Whole,
            // Too big a message about something too big is not worth a word.
            may_fragment: true,
        }
    }
}

/// `None` for what is no whole ICMP error about TCP, UDP or SCTP.
#[inline(always)]
fn read<P: Packet>(packet: &mut P) -> Option<Message> {
    if !is_error(packet) {
        return None;
    }
    let front = front_of_ip(packet)?;
    let (tos, ttl) = (front[15], front[22]);
    let total = u32::from(load16(front, 16).host());
    let (src, dst) = (load32(front, 26), load32(front, 30));
    let icmp = ETH_LEN + u32::from(front[14] & 0xf) * 4;
    let quote = icmp + ICMP_LEN;
    let ip = packet.load::<20>(quote)?;
    let protocol = ip[9];
    if ip[0] >> 4 != 4
        || ip[0] & 0xf < 5
        || (protocol != TCP && protocol != UDP && protocol != SCTP)
        || load16(&ip, 6).host() & FRAGMENT_OFFSET != 0
    {
        return None;
    }
    let l4 = quote + u32::from(ip[0] & 0xf) * 4;
    let end = ETH_LEN + total;
    if l4 + QUOTED_MIN > end || end > packet.length() {
        return None;
    }
    let ports = packet.load::<4>(l4)?;
    Some(Message {
        src,
        dst,
        tos,
        ttl,
        total,
        icmp,
        quote,
        l4,
        quoted: FlowKey4::new(
            protocol,
            load32(&ip, 12),
            load16(&ports, 0),
            load32(&ip, 16),
            load16(&ports, 2),
        ),
    })
}

/// Makes the quoted packet the one that was `sent`, and gives the message its
/// addresses.
#[inline(always)]
fn rewrite<P: Packet>(
    packet: &mut P,
    message: &Message,
    sent: &FlowKey4,
    to: &FlowKey4,
) -> Option<()> {
    let old = &message.quoted;
    let addresses = difference(
        [old.src.raw(), old.dst.raw()],
        [sent.src.raw(), sent.dst.raw()],
    );
    let ports = ports(old, sent);
    // The sum of the quoted IP header stays what it is: a change of addresses
    // is made up for by its own checksum, and the message's sum sees neither.
    patch_at(packet, message.quote + IP_CHECKSUM, addresses)?;
    store_words(
        packet,
        message.quote + IP_ADDRESSES,
        [sent.src.raw(), sent.dst.raw()],
    )?;
    let ends = [sent.src_port.bytes(), sent.dst_port.bytes()];
    packet.store(message.l4, [ends[0][0], ends[0][1], ends[1][0], ends[1][1]])?;
    let transport = patch_quoted(packet, message, addresses, ports)?;
    patch_at(packet, message.icmp + ICMP_CHECKSUM, sum(ports, transport))?;
    let outer = difference(
        [message.src.raw(), message.dst.raw()],
        [to.src.raw(), to.dst.raw()],
    );
    write_ip(packet.front::<FRONT_IP>()?, to, outer);
    Some(())
}

/// Patches the quoted transport checksum, if it is quoted at all. Answers by
/// how much the sum of the message changed.
#[inline(always)]
fn patch_quoted<P: Packet>(
    packet: &mut P,
    message: &Message,
    addresses: u32,
    ports: u32,
) -> Option<u32> {
    let at = match message.quoted.protocol {
        UDP => message.l4 + 6,
        TCP => message.l4 + 16,
        // A checksum over every byte of a packet of which only some are here.
        _ => return Some(0),
    };
    if at + 2 > ETH_LEN + message.total {
        return Some(0);
    }
    let field = u16::from_ne_bytes(packet.load::<2>(at)?);
    if field == 0 && message.quoted.protocol == UDP {
        return Some(0);
    }
    let mut patched = patch(patch(field, addresses), ports);
    if patched == 0 && message.quoted.protocol == UDP {
        patched = u16::MAX;
    }
    packet.store(at, patched.to_ne_bytes())?;
    Some(u32::from(!field) + u32::from(patched))
}

#[inline(always)]
fn ports(old: &FlowKey4, new: &FlowKey4) -> u32 {
    let word = |port: Be16| u32::from(port.raw());
    difference(
        [word(old.src_port), word(old.dst_port)],
        [word(new.src_port), word(new.dst_port)],
    )
}

#[inline(always)]
fn sum(a: u32, b: u32) -> u32 {
    fold32(u64::from(a) + u64::from(b))
}

/// Adds a difference to the checksum at an offset.
#[inline(always)]
fn patch_at<P: Packet>(packet: &mut P, at: u32, difference: u32) -> Option<()> {
    let field = u16::from_ne_bytes(packet.load::<2>(at)?);
    packet.store(at, patch(field, difference).to_ne_bytes())
}

#[inline(always)]
fn store_words<P: Packet>(packet: &mut P, at: u32, words: [u32; 2]) -> Option<()> {
    packet.store(at, words[0].to_ne_bytes())?;
    packet.store(at + 4, words[1].to_ne_bytes())
}

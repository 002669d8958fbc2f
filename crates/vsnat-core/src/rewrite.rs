//! The translation itself. Nothing is checked here any more: after the first
//! changed byte a packet can only leave or be dropped.

use vsnat_abi::flow::FlowKey4;

use crate::checksum::{difference, fold16, fold32, patch};
use crate::parse::{ETH_LEN, FRONT_IP, Head, Part, SCTP, UDP, load16, store16, store32};
use crate::sctp::{self, crc32c};
use crate::{Checksum, Packet};
use vsnat_abi::net::{Be16, Be32};

/// Ethernet, IPv4 and the ports.
const FRONT: usize = 38;
/// The same to the end of the checksum, without IP options.
pub(crate) const FRONT_TCP: usize = 52;
pub(crate) const FRONT_UDP: usize = 42;
/// Distance of the checksum from the start of the transport header.
const TCP_CHECKSUM: u32 = 16;
const UDP_CHECKSUM: u32 = 6;

/// MACs of the next link, in the low 48 bits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Macs {
    pub dst: u64,
    pub src: u64,
}

/// Gives the packet the addresses and ports of `to`, and the next link's MACs.
#[inline(always)]
pub(crate) fn translate<P: Packet>(
    packet: &mut P,
    head: &Head,
    to: &FlowKey4,
    macs: Option<Macs>,
) -> Option<()> {
    let from = &head.key;
    let addresses = difference(
        [from.src.raw(), from.dst.raw()],
        [to.src.raw(), to.dst.raw()],
    );
    if head.part == Part::Later {
        // It may end right behind the IP header.
        let front = packet.front::<FRONT_IP>()?;
        if let Some(macs) = macs {
            write_macs(front, macs);
        }
        write_ip(front, to, addresses);
        return Some(());
    }
    let front = packet.front::<FRONT>()?;
    if let Some(macs) = macs {
        write_macs(front, macs);
    }
    write_ip(front, to, addresses);
    if head.l4 == ETH_LEN + 20 {
        store16(front, 34, to.src_port);
        store16(front, 36, to.dst_port);
    } else {
        let (src, dst) = (to.src_port.bytes(), to.dst_port.bytes());
        packet.store(head.l4, [src[0], src[1], dst[0], dst[1]])?;
    }
    patch_transport(packet, head, to, addresses)
}

/// The same for a packet that the host's stack sends on, and makes older itself.
#[inline(always)]
pub(crate) fn translate_for_host<P: Packet>(
    packet: &mut P,
    head: &Head,
    to: &FlowKey4,
) -> Option<()> {
    let front = packet.front::<FRONT_IP>()?;
    let before = load16(front, 22);
    let [ttl, protocol] = before.bytes();
    let after = Be16::from_bytes([ttl.wrapping_add(1), protocol]);
    let younger = u32::from(!before.raw()) + u32::from(after.raw());
    let checksum = patch(load16(front, 24).raw(), younger);
    store16(front, 22, after);
    store16(front, 24, Be16::from_raw(checksum));
    translate(packet, head, to, None)
}

#[inline(always)]
pub(crate) fn write_macs<const N: usize>(front: &mut [u8; N], macs: Macs) {
    store32(front, 0, Be32::from_raw(macs.dst as u32));
    store16(front, 4, Be16::from_raw((macs.dst >> 32) as u16));
    store16(front, 6, Be16::from_raw(macs.src as u16));
    store32(front, 8, Be32::from_raw((macs.src >> 16) as u32));
}

/// Addresses, and one less to live.
#[inline(always)]
pub(crate) fn write_ip<const N: usize>(front: &mut [u8; N], to: &FlowKey4, addresses: u32) {
    let ttl_before = load16(front, 22);
    let [ttl, protocol] = ttl_before.bytes();
    let ttl_after = Be16::from_bytes([ttl.wrapping_sub(1), protocol]);
    let lived = u32::from(!ttl_before.raw()) + u32::from(ttl_after.raw());
    let checksum = patch(patch(load16(front, 24).raw(), addresses), lived);
    store16(front, 22, ttl_after);
    store16(front, 24, Be16::from_raw(checksum));
    store32(front, 26, to.src);
    store32(front, 30, to.dst);
}

#[inline(always)]
fn patch_transport<P: Packet>(
    packet: &mut P,
    head: &Head,
    to: &FlowKey4,
    addresses: u32,
) -> Option<()> {
    if head.key.protocol == SCTP {
        return patch_association(packet, head, to);
    }
    let from = &head.key;
    let ports = difference(
        [
            u32::from(from.src_port.raw()),
            u32::from(from.dst_port.raw()),
        ],
        [u32::from(to.src_port.raw()), u32::from(to.dst_port.raw())],
    );
    if head.l4 == ETH_LEN + 20 && packet.segment_size() == 0 {
        let patched = match from.protocol {
            UDP => patch_complete::<FRONT_UDP, P>(packet, head, addresses, ports)?,
            _ => patch_complete::<FRONT_TCP, P>(packet, head, addresses, ports)?,
        };
        if patched == Patched::Yes {
            packet.sum_changed(addresses);
            return Some(());
        }
    }
    let at = match from.protocol {
        UDP => head.l4 + UDP_CHECKSUM,
        _ => head.l4 + TCP_CHECKSUM,
    };
    packet.patch_checksum(at, from.protocol, addresses, Checksum::Pseudo)?;
    if from.src_port == to.src_port && from.dst_port == to.dst_port {
        return Some(());
    }
    packet.patch_checksum(at, from.protocol, ports, Checksum::Data)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Patched {
    No,
    Yes,
}

/// Patches a checksum in place if it is certainly complete.
///
/// One that a card is to fill in holds the sum of the pseudo-header, nothing
/// else. Asking the kernel to tell the two apart costs a fifth of a packet, so
/// only what looks like that sum is left to it. `N` is the length up to the
/// end of the checksum.
#[inline(always)]
fn patch_complete<const N: usize, P: Packet>(
    packet: &mut P,
    head: &Head,
    addresses: u32,
    ports: u32,
) -> Option<Patched> {
    let pseudo = pseudo_sum(head);
    let front = packet.front::<N>()?;
    let field = load16(front, N - 2).raw();
    // A sum of zero is none (UDP), or one of the two zeros.
    if field == 0 || field == pseudo {
        return Some(Patched::No);
    }
    let sum = patch(patch(field, addresses), ports);
    // Zero would mean that there is none.
    let sum = if sum == 0 && head.key.protocol == UDP {
        u16::MAX
    } else {
        sum
    };
    store16(front, N - 2, Be16::from_raw(sum));
    Some(Patched::Yes)
}

/// The sum of addresses, protocol and length of the transport's part.
#[inline(always)]
pub(crate) fn pseudo_sum(head: &Head) -> u16 {
    let length = (head.total - (head.l4 - ETH_LEN)) as u16;
    let rest = u32::from(length.to_be()) + u32::from(u16::from(head.key.protocol).to_be());
    let ends = u64::from(head.key.src.raw()) + u64::from(head.key.dst.raw());
    fold16(fold32(ends + u64::from(rest)))
}

/// SCTP sums no addresses, and a sum that is still to be filled in is zero.
#[inline(always)]
fn patch_association<P: Packet>(packet: &mut P, head: &Head, to: &FlowKey4) -> Option<()> {
    let difference = crc32c::difference(&head.key, to);
    if difference == 0 {
        return Some(());
    }
    let at = head.l4 + sctp::CHECKSUM;
    let field = u32::from_ne_bytes(packet.load::<4>(at)?);
    let length = head.total - (head.l4 - ETH_LEN);
    packet.store(at, crc32c::patch(field, difference, length).to_ne_bytes())
}

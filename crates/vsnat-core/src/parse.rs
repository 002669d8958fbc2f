//! What the path needs to know of a packet, read once.

use vsnat_abi::flow::FlowKey4;
use vsnat_abi::net::{Be16, Be32};

pub(crate) use crate::sctp::SCTP;
use crate::{Packet, sctp};

pub(crate) const ETH_LEN: u32 = 14;
pub(crate) const TCP: u8 = 6;
pub(crate) const UDP: u8 = 17;

pub(crate) const FTP_DATA: u16 = 20;
pub(crate) const FTP_CONTROL: u16 = 21;

/// TCP flags, as bits of the fourteenth byte.
pub(crate) const FIN: u8 = 0x01;
pub(crate) const SYN: u8 = 0x02;
pub(crate) const RST: u8 = 0x04;
pub(crate) const ACK: u8 = 0x10;

const ETHERTYPE_IPV4: [u8; 2] = [0x08, 0x00];
/// Don't-fragment bit, and the bits that make a fragment.
const DF: u16 = 0x4000;
const FRAGMENT: u16 = 0x3fff;
const FRAGMENT_OFFSET: u16 = 0x1fff;

/// Ethernet, IPv4 without options, and the shortest transport header.
pub(crate) const FRONT_IP: usize = 34;
const FRONT_UDP: usize = 42;
const FRONT_TCP: usize = 54;
/// An SCTP header, and with it the header of its first chunk.
const SCTP_FRONT: usize = sctp::LEN_MIN as usize;
/// A UDP header; for TCP the front is the test.
const TRANSPORT_MIN: u32 = 8;

/// Place of a packet in the datagram it is part of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Whole,
    /// A fragment that has the ports.
    First,
    Later,
}

/// An IPv4 packet of TCP, UDP or SCTP.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Head {
    pub key: FlowKey4,
    /// Bytes from the start of the frame to the transport header.
    pub l4: u32,
    /// Length of IP header and payload.
    pub total: u32,
    /// TCP: length of its header. UDP: 8. SCTP: 12.
    pub l4_len: u32,
    pub tos: u8,
    pub ttl: u8,
    /// TCP only.
    pub flags: u8,
    /// SCTP only.
    pub chunk: sctp::Event,
    pub part: Part,
    pub may_fragment: bool,
}

/// `None` for everything that is not IPv4 TCP, UDP or SCTP, or is cut short.
#[inline(always)]
pub(crate) fn parse<P: Packet>(packet: &mut P) -> Option<Head> {
    let front = front_of_ip(packet)?;
    let version_ihl = front[14];
    let protocol = front[23];
    if protocol != TCP && protocol != UDP && protocol != SCTP {
        return None;
    }
    let fragment = load16(front, 20).host();
    let l4 = ETH_LEN + u32::from(version_ihl & 0xf) * 4;
    let mut head = Head {
        key: FlowKey4::new(
            protocol,
            load32(front, 26),
            Be16::ZERO,
            load32(front, 30),
            Be16::ZERO,
        ),
        l4,
        total: u32::from(load16(front, 16).host()),
        l4_len: 8,
        tos: front[15],
        ttl: front[22],
        flags: 0,
        chunk: sctp::Event::Data,
        part: part(fragment),
        may_fragment: fragment & DF == 0,
    };
    if head.total == 0 && packet.segment_size() != 0 {
        // More than 64 KiB in one packet of many segments (BIG TCP): the field
        // cannot hold it.
        head.total = packet.length().wrapping_sub(ETH_LEN);
    }
    let least = match head.part {
        Part::Whole | Part::First => TRANSPORT_MIN,
        // The last piece may be a single byte.
        Part::Later => 0,
    };
    if head.total < l4 - ETH_LEN + least || head.total > packet.length().wrapping_sub(ETH_LEN) {
        // The stack counts and drops what lies about its length.
        return None;
    }
    if head.part == Part::Later {
        return Some(head);
    }
    if protocol == SCTP {
        association(packet, &mut head)?;
        return Some(head);
    }
    match version_ihl & 0xf {
        5 => transport_at_front(packet, &mut head)?,
        _ => transport_behind_options(packet, &mut head)?,
    }
    Some(head)
}

/// The start of an IPv4 packet of any protocol.
#[inline(always)]
pub(crate) fn front_of_ip<P: Packet>(packet: &mut P) -> Option<&mut [u8; FRONT_IP]> {
    let front = packet.front::<FRONT_IP>()?;
    if load16(front, 12).bytes() != ETHERTYPE_IPV4 {
        return None;
    }
    if front[14] >> 4 != 4 || front[14] & 0xf < 5 {
        return None;
    }
    Some(front)
}

#[inline(always)]
fn part(fragment: u16) -> Part {
    if fragment & FRAGMENT == 0 {
        return Part::Whole;
    }
    if fragment & FRAGMENT_OFFSET == 0 {
        Part::First
    } else {
        Part::Later
    }
}

#[inline(always)]
fn transport_at_front<P: Packet>(packet: &mut P, head: &mut Head) -> Option<()> {
    if head.key.protocol == UDP {
        let front = packet.front::<FRONT_UDP>()?;
        head.key.src_port = load16(front, 34);
        head.key.dst_port = load16(front, 36);
        return Some(());
    }
    let front = packet.front::<FRONT_TCP>()?;
    head.key.src_port = load16(front, 34);
    head.key.dst_port = load16(front, 36);
    head.l4_len = u32::from(front[46] >> 4) * 4;
    head.flags = front[47];
    Some(())
}

/// SCTP is rare enough: a copy of its header and of two chunk headers.
#[inline(always)]
fn association<P: Packet>(packet: &mut P, head: &mut Head) -> Option<()> {
    let header = packet.load::<SCTP_FRONT>(head.l4)?;
    head.key.src_port = Be16::from_bytes([header[0], header[1]]);
    head.key.dst_port = Be16::from_bytes([header[2], header[3]]);
    head.l4_len = sctp::HEADER_LEN;
    let (first, length) = (header[12], u16::from_be_bytes([header[14], header[15]]));
    let mut second = None;
    if sctp::abort_may_follow(first)
        && let Some(at) = sctp::second_chunk(length)
        && head.l4 + at < ETH_LEN + head.total
    {
        second = packet.load::<1>(head.l4 + at).map(|[kind]| kind);
    }
    head.chunk = sctp::Event::of(first, second);
    Some(())
}

/// IP options are rare: a copy is good enough.
#[inline(always)]
fn transport_behind_options<P: Packet>(packet: &mut P, head: &mut Head) -> Option<()> {
    if head.key.protocol == UDP {
        let udp = packet.load::<8>(head.l4)?;
        head.key.src_port = Be16::from_bytes([udp[0], udp[1]]);
        head.key.dst_port = Be16::from_bytes([udp[2], udp[3]]);
        return Some(());
    }
    let tcp = packet.load::<20>(head.l4)?;
    head.key.src_port = Be16::from_bytes([tcp[0], tcp[1]]);
    head.key.dst_port = Be16::from_bytes([tcp[2], tcp[3]]);
    head.l4_len = u32::from(tcp[12] >> 4) * 4;
    head.flags = tcp[13];
    Some(())
}

/// A 16-bit word of the front, at a constant offset.
#[inline(always)]
pub(crate) fn load16<const N: usize>(front: &[u8; N], at: usize) -> Be16 {
    assert!(at + 2 <= N);
    // SAFETY: within the array.
    Be16::from_raw(unsafe { load(front.as_ptr().add(at).cast()) })
}

/// A 32-bit word of the front, at a constant offset.
#[inline(always)]
pub(crate) fn load32<const N: usize>(front: &[u8; N], at: usize) -> Be32 {
    assert!(at + 4 <= N);
    // SAFETY: within the array.
    Be32::from_raw(unsafe { load(front.as_ptr().add(at).cast()) })
}

/// Writes a 16-bit word of the front, at a constant offset.
#[inline(always)]
pub(crate) fn store16<const N: usize>(front: &mut [u8; N], at: usize, value: Be16) {
    assert!(at + 2 <= N);
    // SAFETY: within the array.
    unsafe { store(front.as_mut_ptr().add(at).cast(), value.raw()) }
}

/// Writes a 32-bit word of the front, at a constant offset.
#[inline(always)]
pub(crate) fn store32<const N: usize>(front: &mut [u8; N], at: usize, value: Be32) {
    assert!(at + 4 <= N);
    // SAFETY: within the array.
    unsafe { store(front.as_mut_ptr().add(at).cast(), value.raw()) }
}

/// On the eBPF target alignment is not the compiler's business: the verifier
/// and every JIT we run on take unaligned words of a packet, and a bytewise
/// load costs four instructions for each byte.
///
/// # Safety
/// `word` is within a packet.
#[inline(always)]
unsafe fn load<T>(word: *const T) -> T {
    // SAFETY: as the caller promised.
    unsafe {
        #[cfg(target_arch = "bpf")]
        return word.read();
        #[cfg(not(target_arch = "bpf"))]
        return word.read_unaligned();
    }
}

/// # Safety
/// `word` is within a packet.
#[inline(always)]
unsafe fn store<T>(word: *mut T, value: T) {
    // SAFETY: as in `load`.
    unsafe {
        #[cfg(target_arch = "bpf")]
        word.write(value);
        #[cfg(not(target_arch = "bpf"))]
        word.write_unaligned(value);
    }
}

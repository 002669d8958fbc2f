//! The SCTP checksum after a changed port, without a look at the payload.
//!
//! CRC32c is linear: the checksums of two packets of one length differ by the
//! checksum of their difference, in which the start value and the final
//! inversion cancel. Ports are the first four bytes, so that difference is
//! four bytes and then zeros, and each further byte multiplies by x^8 modulo
//! the polynomial. The addresses are not covered: SCTP has no pseudo header.

use vsnat_abi::flow::FlowKey4;

/// CRC32c's polynomial (RFC 9260, appendix A) with the bits reflected: the
/// highest bit is the coefficient of x^0.
const POLYNOMIAL: u32 = 0x82f6_3b78;
const ONE: u32 = 1 << 31;
const X_TO_8: u32 = ONE >> 8;

/// A packet's length has two bytes; one table for each makes two
/// multiplications of any length.
const TABLE: usize = 256;
static BYTES: [u32; TABLE] = powers(X_TO_8);
static BYTES_256: [u32; TABLE] = powers(multiply(BYTES[TABLE - 1], X_TO_8));

/// The field of a packet whose checksum is not there yet.
///
/// Three senders leave it zero, and for each of them zero must stay:
/// - A kernel that lets the card fill the checksum in. It clears the field
///   (`sctp_packet_transmit`, net/sctp/output.c), and whoever fills it in,
///   the card or `skb_crc32c_csum_help` (net/core/dev.c), sums over the final
///   ports and over the field as it lies there.
/// - The same with a packet of many segments: each gets its own checksum when
///   it is cut off (net/sctp/offload.c).
/// - A peer that has agreed to no checksum at all (RFC 9653).
///
/// A true checksum is zero once in four thousand million packets. Such a
/// packet with a changed port is lost.
pub const ABSENT: u32 = 0;

/// Difference of the ports of two keys, for [`patch`]. Zero if they are alike.
#[inline(always)]
pub const fn difference(from: &FlowKey4, to: &FlowKey4) -> u32 {
    ports(from) ^ ports(to)
}

/// A checksum field after `difference` was added to the first four bytes of
/// what it covers. Field and difference are words as they lie in the packet.
///
/// `packet_len` is the length of the whole SCTP packet from the common header
/// on, as the IP header has it: without the padding of the frame, below
/// 65,536. Of a fragmented packet it is not known before the last fragment
/// has come, so there only the difference zero can be applied.
#[inline(always)]
pub fn patch(field: u32, difference: u32, packet_len: u32) -> u32 {
    if field == ABSENT || difference == 0 {
        return field;
    }
    // On the wire the bits of the CRC are in the order in which they were
    // computed (RFC 9260, appendix A): with reflected bits that is the
    // little-endian word.
    let low = BYTES[packet_len as usize % TABLE];
    let high = BYTES_256[(packet_len >> 8) as usize % TABLE];
    let shifted = multiply(multiply(u32::from_le(difference), low), high);
    field ^ shifted.to_le()
}

#[inline(always)]
const fn ports(key: &FlowKey4) -> u32 {
    let (src, dst) = (key.src_port.bytes(), key.dst_port.bytes());
    u32::from_ne_bytes([src[0], src[1], dst[0], dst[1]])
}

/// Product of two polynomials modulo [`POLYNOMIAL`]. Always the same steps:
/// the verifier walks them once, and there is no branch to mispredict.
#[inline(always)]
const fn multiply(mut a: u32, mut b: u32) -> u32 {
    let mut product = 0;
    let mut round = 0;
    while round < 32 {
        product ^= a & mask(b >> 31);
        b <<= 1;
        a = (a >> 1) ^ (POLYNOMIAL & mask(a & 1));
        round += 1;
    }
    product
}

/// All ones for 1, zero for 0.
#[inline(always)]
const fn mask(bit: u32) -> u32 {
    0u32.wrapping_sub(bit)
}

/// `base` to the powers 0 to 255.
const fn powers(base: u32) -> [u32; TABLE] {
    let mut table = [ONE; TABLE];
    let mut exponent = 1;
    while exponent < TABLE {
        table[exponent] = multiply(table[exponent - 1], base);
        exponent += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::*;
    use proptest::prelude::*;
    use std::vec;
    use std::vec::Vec;
    use vsnat_abi::net::{Be16, Be32};

    /// Bytes of the largest packet that fits into IPv4.
    const LEN_MAX: usize = 65_515;

    /// The definition, bit by bit.
    fn crc32c(bytes: &[u8]) -> u32 {
        let mut crc = !0u32;
        for byte in bytes {
            crc ^= u32::from(*byte);
            for _ in 0..8 {
                let carry = crc & 1;
                crc >>= 1;
                if carry == 1 {
                    crc ^= POLYNOMIAL;
                }
            }
        }
        !crc
    }

    fn word(packet: &[u8], at: usize) -> u32 {
        u32::from_ne_bytes(packet[at..at + 4].try_into().unwrap())
    }

    /// Fills the checksum in as a sender does.
    fn seal(packet: &mut [u8]) {
        packet[8..12].fill(0);
        let crc = crc32c(packet);
        packet[8..12].copy_from_slice(&crc.to_le_bytes());
    }

    /// Changes the ports and checks that the patched checksum is the new one.
    fn translate(packet: &mut [u8], ports: [u8; 4]) -> (u32, u32) {
        seal(packet);
        let before = word(packet, 8);
        let difference = word(packet, 0) ^ u32::from_ne_bytes(ports);
        packet[..4].copy_from_slice(&ports);
        seal(packet);
        let length = packet.len() as u32;
        (patch(before, difference, length), word(packet, 8))
    }

    /// Random bytes of a seed: proptest itself would spend minutes on them.
    fn noise(mut seed: u64, length: usize) -> Vec<u8> {
        let mut packet = vec![0; length];
        for byte in &mut packet {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005);
            seed = seed.wrapping_add(1_442_695_040_888_963_407);
            *byte = (seed >> 56) as u8;
        }
        packet
    }

    #[test]
    fn the_reference_gives_the_known_values() {
        // RFC 3720, B.4: 32 bytes of zeros, of ones, counting up and down.
        let up: Vec<u8> = (0..32).collect();
        let down: Vec<u8> = (0..32).rev().collect();
        assert_eq!(crc32c(&[0; 32]).to_le_bytes(), [0xaa, 0x36, 0x91, 0x8a]);
        assert_eq!(crc32c(&[0xff; 32]).to_le_bytes(), [0x43, 0xab, 0xa8, 0x62]);
        assert_eq!(crc32c(&up).to_le_bytes(), [0x4e, 0x79, 0xdd, 0x46]);
        assert_eq!(crc32c(&down).to_le_bytes(), [0x5c, 0xdb, 0x3f, 0x11]);
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1_000))]
        #[test]
        fn a_patched_checksum_equals_a_new_one(
            length in 12..=LEN_MAX, seed: u64, ports: [u8; 4],
        ) {
            let (patched, new) = translate(&mut noise(seed, length), ports);
            prop_assert_eq!(patched, new);
        }
    }

    #[test]
    fn every_length_of_an_ethernet_frame_and_the_largest_are_right() {
        for length in (12..=1_500).chain([255, 256, 257, LEN_MAX - 1, LEN_MAX]) {
            let mut packet = noise(length as u64, length);
            let (patched, new) = translate(&mut packet, [0x12, 0x34, 0x0b, 0x59]);
            assert_eq!(patched, new, "length {length}");
        }
    }

    #[test]
    fn an_absent_checksum_stays_absent() {
        assert_eq!(patch(ABSENT, 0x1234_5678, 100), ABSENT);
    }

    #[test]
    fn equal_ports_change_nothing_whatever_the_length() {
        assert_eq!(patch(0x1234_5678, 0, 0), 0x1234_5678);
    }

    #[test]
    fn a_difference_lies_as_the_ports_do() {
        let key = |src, dst| {
            let (src, dst) = (Be16::from_bytes(src), Be16::from_bytes(dst));
            FlowKey4::new(super::super::SCTP, Be32::ZERO, src, Be32::ZERO, dst)
        };
        let (from, to) = (key([1, 2], [3, 4]), key([1, 6], [11, 4]));
        assert_eq!(difference(&from, &to).to_ne_bytes(), [0, 4, 8, 0]);
        assert_eq!(difference(&from, &from), 0);
    }
}

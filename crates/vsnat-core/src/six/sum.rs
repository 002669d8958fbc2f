//! Headers of both families as words, and the sums of those words.

use vsnat_abi::net::{Be16, Be32};
use vsnat_abi::stand_in::Ip6;

use crate::checksum::{fold16, fold32};
use crate::six::{LEN4, LEN6};

/// What both headers say.
#[derive(Clone, Copy)]
pub(super) struct Header4 {
    pub tos: u8,
    pub ttl: u8,
    pub protocol: u8,
    pub id: u16,
    /// Flags and offset.
    pub fragment: u16,
    /// Bytes behind the header.
    pub rest: u32,
    pub src: Be32,
    pub dst: Be32,
}

impl Header4 {
    /// The header without options.
    #[inline(always)]
    pub fn bytes(&self) -> [u8; LEN4 as usize] {
        let total = Be16::from_host((self.rest + LEN4) as u16).bytes();
        let id = Be16::from_host(self.id).bytes();
        let fragment = Be16::from_host(self.fragment).bytes();
        let halves = [
            Be16::from_bytes([0x45, self.tos]),
            Be16::from_bytes(total),
            Be16::from_bytes(id),
            Be16::from_bytes(fragment),
            Be16::from_bytes([self.ttl, self.protocol]),
        ];
        let mut sum = u64::from(self.src.raw()) + u64::from(self.dst.raw());
        for half in halves {
            sum += u64::from(half.raw());
        }
        let sum = (!fold16(fold32(sum))).to_ne_bytes();
        let (src, dst) = (self.src.bytes(), self.dst.bytes());
        [
            0x45,
            self.tos,
            total[0],
            total[1],
            id[0],
            id[1],
            fragment[0],
            fragment[1],
            self.ttl,
            self.protocol,
            sum[0],
            sum[1],
            src[0],
            src[1],
            src[2],
            src[3],
            dst[0],
            dst[1],
            dst[2],
            dst[3],
        ]
    }
}

/// The words of an IPv6 header.
#[derive(Clone, Copy)]
pub(super) struct Header6 {
    pub class: u8,
    pub hops: u8,
    pub next: u8,
    /// Bytes behind the header.
    pub rest: u32,
    pub src: Ip6,
    pub dst: Ip6,
}

impl Header6 {
    #[inline(always)]
    fn words(&self) -> [u32; 10] {
        let rest = Be16::from_host(self.rest as u16).bytes();
        let (s, d) = (self.src.words, self.dst.words);
        [
            u32::from_ne_bytes([0x60 | self.class >> 4, self.class << 4, 0, 0]),
            u32::from_ne_bytes([rest[0], rest[1], self.next, self.hops]),
            s[0],
            s[1],
            s[2],
            s[3],
            d[0],
            d[1],
            d[2],
            d[3],
        ]
    }

    #[inline(always)]
    pub fn bytes(&self) -> [u8; LEN6 as usize] {
        // SAFETY: ten words are forty bytes.
        unsafe { core::mem::transmute(self.words()) }
    }

    #[inline(always)]
    pub fn sum(&self) -> u32 {
        let [first, second, ..] = self.words();
        fold32(u64::from(first) + u64::from(second) + u64::from(ends6(&self.src, &self.dst)))
    }
}

/// The sum of two addresses.
#[inline(always)]
pub(super) fn ends6(src: &Ip6, dst: &Ip6) -> u32 {
    let (s, d) = (src.words, dst.words);
    let sum = u64::from(s[0])
        + u64::from(s[1])
        + u64::from(s[2])
        + u64::from(s[3])
        + u64::from(d[0])
        + u64::from(d[1])
        + u64::from(d[2])
        + u64::from(d[3]);
    fold32(sum)
}

#[inline(always)]
pub(super) fn ends4(src: Be32, dst: Be32) -> u32 {
    fold32(u64::from(src.raw()) + u64::from(dst.raw()))
}

/// What must be added where `old` becomes `new`.
#[inline(always)]
pub(super) fn change(old: u32, new: u32) -> u32 {
    fold32(u64::from(!old) + u64::from(new))
}

#[inline(always)]
pub(super) fn add(a: u32, b: u32) -> u32 {
    fold32(u64::from(a) + u64::from(b))
}

/// The sum of the words of a header.
#[inline(always)]
pub(super) fn of_bytes<const N: usize>(bytes: &[u8; N]) -> u32 {
    let mut sum = 0u64;
    let mut at = 0;
    while at + 4 <= N {
        let word = [bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]];
        sum += u64::from(u32::from_ne_bytes(word));
        at += 4;
    }
    fold32(sum)
}

//! The hashes of IPVS's hashing schedulers. The daemon fills their tables with
//! the same functions that the packet path looks them up with.

/// Slots of the tables of `sh` and `dh` (IPVS's default of 8 bits).
pub const HASH_SLOTS: u32 = 256;
/// Slots of the table of `mh`: IPVS's default, a prime.
pub const MAGLEV_SLOTS: u32 = 4_093;

/// Key of the hash that finds a slot, and of the step between slots.
pub const MAGLEV_KEY: u64 = 2_654_435_761;
pub const MAGLEV_STEP_KEY: u64 = 2_654_446_892;

/// The kernel's multiplicative hash, cut to the slots of `sh` and `dh`.
#[inline(always)]
pub const fn slot_hash(value: u32) -> u32 {
    value.wrapping_mul(0x61c8_8647) >> 24
}

/// The kernel's `hsiphash` of one word, as 64-bit kernels compute it:
/// SipHash-1-3 under a key of twice the same half, cut to 32 bits.
#[inline(always)]
pub const fn sip_hash(value: u32, key: u64) -> u32 {
    let last = 4 << 56 | value as u64;
    let mut v = [
        0x736f_6d65_7073_6575 ^ key,
        0x646f_7261_6e64_6f6d ^ key,
        0x6c79_6765_6e65_7261 ^ key,
        0x7465_6462_7974_6573 ^ key,
    ];
    v[3] ^= last;
    v = sip_round(v);
    v[0] ^= last;
    v[2] ^= 0xff;
    v = sip_round(sip_round(sip_round(v)));
    (v[0] ^ v[1] ^ v[2] ^ v[3]) as u32
}

#[inline(always)]
const fn sip_round(v: [u64; 4]) -> [u64; 4] {
    let [mut a, mut b, mut c, mut d] = v;
    a = a.wrapping_add(b);
    b = b.rotate_left(13) ^ a;
    a = a.rotate_left(32);
    c = c.wrapping_add(d);
    d = d.rotate_left(16) ^ c;
    a = a.wrapping_add(d);
    d = d.rotate_left(21) ^ a;
    c = c.wrapping_add(b);
    b = b.rotate_left(17) ^ c;
    c = c.rotate_left(32);
    [a, b, c, d]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Slots that the addresses of `sh` and `dh` fall on.
    #[test]
    fn slots_of_known_addresses() {
        let slot = |a, b, c, d| slot_hash(u32::from_be_bytes([a, b, c, d]));
        assert_eq!(slot(10, 0, 0, 1), 39);
        assert_eq!(slot(10, 0, 0, 2), 137);
        assert_eq!(slot(10, 0, 0, 3), 235);
        assert_eq!(slot(192, 168, 1, 100), 89);
        assert_eq!(slot(203, 0, 113, 7), 124);
        let with_port = |last: u32, port: u32| slot_hash(0x0a00_0000 + last + port);
        assert_eq!(
            [1, 2, 3].map(|last| with_port(last, 40_000)),
            [203, 45, 143]
        );
    }
}

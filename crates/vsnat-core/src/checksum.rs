//! One's-complement sums, updated by difference (RFC 1624).
//!
//! Words are added as they lie in memory: the sum is the same in either byte
//! order, and no word needs a swap.

/// Folds a sum of 32-bit words to 32 bits, carries added back.
#[inline(always)]
pub const fn fold32(sum: u64) -> u32 {
    let sum = (sum & 0xffff_ffff) + (sum >> 32);
    let sum = (sum & 0xffff_ffff) + (sum >> 32);
    sum as u32
}

/// Folds a 32-bit sum to 16 bits, carries added back.
#[inline(always)]
pub const fn fold16(sum: u32) -> u16 {
    let sum = (sum & 0xffff) + (sum >> 16);
    let sum = (sum & 0xffff) + (sum >> 16);
    sum as u16
}

/// The sum that must be added when two words are replaced.
#[inline(always)]
pub const fn difference(old: [u32; 2], new: [u32; 2]) -> u32 {
    fold32(!old[0] as u64 + !old[1] as u64 + new[0] as u64 + new[1] as u64)
}

/// A checksum field after `difference` was added to what it covers.
///
/// RFC 1624, equation 3: `HC' = ~(~HC + ~m + m')`. It never turns a sum that
/// was not zero into the wrong one of the two zeros.
#[inline(always)]
pub const fn patch(field: u16, difference: u32) -> u16 {
    !fold16(fold32(!field as u64 + difference as u64))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn full(words: &[u16]) -> u16 {
        let sum: u32 = words.iter().map(|w| u32::from(*w)).sum();
        !fold16(sum)
    }

    proptest! {
        #[test]
        fn a_patched_sum_equals_a_new_one(mut words: [u16; 10], new: [u16; 4], keep in 1u16..) {
            // The sum of real headers is never all zero bits: version and
            // protocol are not zero.
            words[9] = keep;
            let word = |a: u16, b: u16| u32::from_ne_bytes([
                a.to_ne_bytes()[0], a.to_ne_bytes()[1], b.to_ne_bytes()[0], b.to_ne_bytes()[1],
            ]);
            let before = full(&words);
            let old = [word(words[0], words[1]), word(words[2], words[3])];
            words[..4].copy_from_slice(&new);
            let new = [word(new[0], new[1]), word(new[2], new[3])];
            prop_assert_eq!(patch(before, difference(old, new)), full(&words));
        }
    }
}

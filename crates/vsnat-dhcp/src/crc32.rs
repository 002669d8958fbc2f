//! CRC-32 (IEEE 802.3), so that a line of the journal proves itself.

const POLYNOMIAL: u32 = 0xedb8_8320;

pub(crate) fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..u8::BITS {
            let carry = match crc & 1 {
                0 => 0,
                _ => POLYNOMIAL,
            };
            crc = (crc >> 1) ^ carry;
        }
    }
    !crc
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_check_value() {
        assert_eq!(super::crc32(b"123456789"), 0xcbf4_3926);
    }
}

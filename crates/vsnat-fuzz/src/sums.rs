//! Whether a packet's checksums are right, judged without our own code: sums
//! by etherparse, and a bitwise CRC32c.

use etherparse::checksum::Sum16BitWords;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sum {
    Right,
    Wrong,
    /// The pseudo header's: a card is to fill in the rest.
    Partial,
    /// There is none, or it covers what is not here.
    None,
}

/// Of a packet, and of the packet that it quotes as an ICMP error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sums {
    pub ip: Sum,
    pub transport: Sum,
    pub quoted_ip: Sum,
    pub quoted_transport: Sum,
    /// What the transport's part adds up to: a translation keeps it, right or
    /// wrong.
    pub rest: Option<u16>,
}

const ETH_LEN: usize = 14;
const ICMP: u8 = 1;
const TCP: u8 = 6;
const UDP: u8 = 17;
const ICMPV6: u8 = 58;
const SCTP: u8 = 132;
const ICMP_LEN: usize = 8;
/// Types that quote a packet: unreachable, source quench, time exceeded,
/// parameter problem; ICMPv6 has errors below 128.
const ICMP_ERRORS: [u8; 4] = [3, 4, 11, 12];
const ICMPV6_INFORMATIONAL: u8 = 128;

impl Sums {
    const NONE: Sums = Sums {
        ip: Sum::None,
        transport: Sum::None,
        quoted_ip: Sum::None,
        quoted_transport: Sum::None,
        rest: None,
    };

    pub fn of(frame: &[u8]) -> Sums {
        let Some(ip) = frame.get(ETH_LEN..).and_then(Ip::read) else {
            return Sums::NONE;
        };
        let (transport, rest) = ip.transport();
        let mut sums = Sums {
            ip: ip.header,
            transport,
            rest,
            ..Sums::NONE
        };
        if let Some(quoted) = ip.quoted() {
            sums.quoted_ip = quoted.header;
            // SCTP's covers every byte, of which a quote has only some: the
            // packet path leaves it alone even where all are there.
            sums.quoted_transport = match quoted.protocol {
                SCTP => Sum::None,
                _ => quoted.transport().0,
            };
        }
        sums
    }
}

/// What an IP header says of its packet.
struct Ip<'p> {
    header: Sum,
    protocol: u8,
    /// Addresses, protocol and length, as far as a transport sums them up.
    addresses: &'p [u8],
    payload: &'p [u8],
    /// Whether the payload is all there.
    is_whole: bool,
}

impl<'p> Ip<'p> {
    fn read(bytes: &'p [u8]) -> Option<Ip<'p>> {
        match bytes.first()? >> 4 {
            4 => Ip::read_v4(bytes),
            6 => Ip::read_v6(bytes),
            _ => None,
        }
    }

    fn read_v4(bytes: &'p [u8]) -> Option<Ip<'p>> {
        let length = usize::from(bytes[0] & 0xf) * 4;
        if length < 20 {
            return None;
        }
        let header = bytes.get(..length)?;
        let total = usize::from(u16::from_be_bytes([header[2], header[3]]));
        let is_piece = u16::from_be_bytes([header[6], header[7]]) & 0x3fff != 0;
        Some(Ip {
            header: judged(&Sum16BitWords::new().add_slice(header)),
            protocol: header[9],
            addresses: &header[12..20],
            payload: &bytes[length..total.clamp(length, bytes.len())],
            is_whole: !is_piece && total >= length && total <= bytes.len(),
        })
    }

    fn read_v6(bytes: &'p [u8]) -> Option<Ip<'p>> {
        let header = bytes.get(..40)?;
        let total = 40 + usize::from(u16::from_be_bytes([header[4], header[5]]));
        Some(Ip {
            header: Sum::None,
            protocol: header[6],
            addresses: &header[8..40],
            payload: &bytes[40..total.min(bytes.len())],
            is_whole: total <= bytes.len(),
        })
    }

    fn transport(&self) -> (Sum, Option<u16>) {
        let field_end = match self.protocol {
            TCP => 18,
            UDP => 8,
            ICMP | ICMPV6 => 4,
            SCTP if self.is_whole => return (association(self.payload), None),
            _ => return (Sum::None, None),
        };
        if self.payload.len() < field_end {
            return (Sum::None, None);
        }
        if self.protocol == UDP && self.payload[6..8] == [0, 0] {
            return (Sum::None, None);
        }
        if self.protocol == ICMP && !self.is_whole {
            return (Sum::None, None);
        }
        if self.protocol == ICMP {
            let sum = Sum16BitWords::new().add_slice(self.payload);
            return (judged(&sum), None);
        }
        let length = self.payload.len() as u32;
        let pseudo = Sum16BitWords::new()
            .add_slice(self.addresses)
            .add_4bytes(length.to_be_bytes())
            .add_2bytes([0, self.protocol]);
        let partial = (!pseudo.ones_complement()).to_ne_bytes();
        let whole = pseudo.add_slice(self.payload);
        let is_partial = self.payload[field_end - 2..field_end] == partial;
        match (is_partial, self.is_whole) {
            (true, _) => (Sum::Partial, None),
            (false, true) => (judged(&whole), Some(whole.ones_complement())),
            (false, false) => (Sum::None, None),
        }
    }

    /// The packet in an ICMP error, as far as it is there.
    fn quoted(&self) -> Option<Ip<'p>> {
        let kind = *self.payload.first()?;
        let is_error = match self.protocol {
            ICMP => ICMP_ERRORS.contains(&kind),
            ICMPV6 => kind < ICMPV6_INFORMATIONAL,
            _ => false,
        };
        match is_error && self.is_whole {
            true => Ip::read(self.payload.get(ICMP_LEN..)?),
            false => None,
        }
    }
}

fn judged(sum: &Sum16BitWords) -> Sum {
    match sum.ones_complement() {
        0 => Sum::Right,
        _ => Sum::Wrong,
    }
}

/// Zero stands for a checksum that is not there.
fn association(packet: &[u8]) -> Sum {
    let (Some(field), Some(rest)) = (packet.get(8..12), packet.get(12..)) else {
        return Sum::None;
    };
    if field == [0; 4] {
        return Sum::None;
    }
    let mut crc = Crc::new();
    crc.add(&packet[..8]);
    crc.add(&[0; 4]);
    crc.add(rest);
    match field == crc.end().to_le_bytes() {
        true => Sum::Right,
        false => Sum::Wrong,
    }
}

/// CRC32c bit by bit (RFC 9260, appendix A).
pub struct Crc(u32);

impl Crc {
    pub fn new() -> Self {
        Crc(u32::MAX)
    }

    pub fn add(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 ^= u32::from(*byte);
            for _ in 0..8 {
                let carry = self.0 & 1;
                self.0 = (self.0 >> 1) ^ (carry * 0x82f6_3b78);
            }
        }
    }

    pub fn end(self) -> u32 {
        !self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_check_value_of_crc32c() {
        let mut crc = Crc::new();
        crc.add(b"123456789");
        assert_eq!(crc.end(), 0xe306_9283);
    }
}

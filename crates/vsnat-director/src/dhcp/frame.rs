//! Frames with UDP over IPv4, as a client without an address sends and needs them.

use std::net::Ipv4Addr;

use vsnat_dhcp::Hardware;

const ETHERNET: usize = 14;
const IP: usize = 20;
const UDP: usize = 8;
const IPV4: u16 = 0x0800;
const UDP_NUMBER: u8 = 17;
const TIME_TO_LIVE: u8 = 64;

/// A UDP datagram and where it came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Datagram<'b> {
    pub sender: Hardware,
    pub source: Ipv4Addr,
    pub destination: Ipv4Addr,
    pub payload: &'b [u8],
}

/// Both ends of a datagram to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ends {
    pub from: (Hardware, Ipv4Addr, u16),
    pub to: (Hardware, Ipv4Addr, u16),
}

impl<'b> Datagram<'b> {
    /// Of a frame that the socket's filter let pass. The UDP checksum is not
    /// looked at: one that is still to be filled in by a card, as between two
    /// namespaces, cannot be told from a wrong one.
    pub fn read(frame: &'b [u8]) -> Option<Self> {
        let (ethernet, packet) = frame.split_first_chunk::<ETHERNET>()?;
        if u16::from_be_bytes([ethernet[12], ethernet[13]]) != IPV4 {
            return None;
        }
        let fixed: &[u8; IP] = packet.first_chunk()?;
        let header = usize::from(fixed[0] & 0x0f) * 4;
        let total = usize::from(u16::from_be_bytes([fixed[2], fixed[3]]));
        let is_udp = fixed[0] >> 4 == 4 && fixed[9] == UDP_NUMBER;
        // Short frames are padded behind the packet.
        let datagram = packet
            .get(header..total)
            .filter(|_| is_udp && header >= IP)?;
        if checksum(&[packet.get(..header)?]) != 0 {
            return None;
        }
        let (udp, rest) = datagram.split_first_chunk::<UDP>()?;
        let length = usize::from(u16::from_be_bytes([udp[4], udp[5]]));
        let sender = [
            ethernet[6],
            ethernet[7],
            ethernet[8],
            ethernet[9],
            ethernet[10],
            ethernet[11],
        ];
        Some(Datagram {
            sender: Hardware::new(sender),
            source: Ipv4Addr::new(fixed[12], fixed[13], fixed[14], fixed[15]),
            destination: Ipv4Addr::new(fixed[16], fixed[17], fixed[18], fixed[19]),
            payload: rest.get(..length.checked_sub(UDP)?)?,
        })
    }
}

/// None for what does not fit into a packet.
pub(super) fn write(ends: Ends, payload: &[u8]) -> Option<Vec<u8>> {
    let udp_length = u16::try_from(UDP + payload.len()).ok()?;
    let total = udp_length.checked_add(IP as u16)?;
    let (from_mac, from, from_port) = ends.from;
    let (to_mac, to, to_port) = ends.to;

    let mut ip = [0; IP];
    ip[0] = 0x45;
    ip[2..4].copy_from_slice(&total.to_be_bytes());
    ip[8] = TIME_TO_LIVE;
    ip[9] = UDP_NUMBER;
    ip[12..16].copy_from_slice(&from.octets());
    ip[16..20].copy_from_slice(&to.octets());
    let sum = checksum(&[&ip]);
    ip[10..12].copy_from_slice(&sum.to_be_bytes());

    let mut udp = [0; UDP];
    udp[0..2].copy_from_slice(&from_port.to_be_bytes());
    udp[2..4].copy_from_slice(&to_port.to_be_bytes());
    udp[4..6].copy_from_slice(&udp_length.to_be_bytes());
    let mut pseudo = [0; 12];
    pseudo[0..8].copy_from_slice(&ip[12..20]);
    pseudo[9] = UDP_NUMBER;
    pseudo[10..12].copy_from_slice(&udp_length.to_be_bytes());
    // Zero would say that there is none.
    let sum = match checksum(&[&pseudo, &udp, payload]) {
        0 => u16::MAX,
        sum => sum,
    };
    udp[6..8].copy_from_slice(&sum.to_be_bytes());

    let mut frame = Vec::with_capacity(ETHERNET + usize::from(total));
    frame.extend(to_mac.octets());
    frame.extend(from_mac.octets());
    frame.extend(IPV4.to_be_bytes());
    frame.extend(ip);
    frame.extend(udp);
    frame.extend(payload);
    Some(frame)
}

/// The Internet checksum; each part but the last has an even length.
pub(super) fn checksum(parts: &[&[u8]]) -> u16 {
    let words = parts.iter().flat_map(|part| part.chunks(2));
    let words = words.map(|pair| match pair {
        [high, low] => u32::from(u16::from_be_bytes([*high, *low])),
        [high] => u32::from(*high) << 8,
        _ => 0,
    });
    let mut sum: u32 = words.sum();
    while sum > u32::from(u16::MAX) {
        sum = (sum >> 16) + (sum & 0xffff);
    }
    !(sum as u16)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: Hardware = Hardware::new([2, 0, 0, 0, 0, 1]);
    const ENDS: Ends = Ends {
        from: (HERE, Ipv4Addr::new(10, 0, 0, 1), 67),
        to: (Hardware::BROADCAST, Ipv4Addr::BROADCAST, 68),
    };

    #[test]
    fn what_is_written_is_read() {
        let mut frame = write(ENDS, b"hello").unwrap();
        frame.extend([0; 13]);
        let datagram = Datagram::read(&frame).unwrap();
        assert_eq!(datagram.payload, b"hello");
        assert_eq!((datagram.sender, datagram.source), (HERE, ENDS.from.1));
        assert_eq!(datagram.destination, Ipv4Addr::BROADCAST);
        // Summed with its own checksum everything is zero.
        assert_eq!(checksum(&[&frame[14..34]]), 0);
    }

    #[test]
    fn no_length_leads_beyond_the_frame() {
        let frame = write(ENDS, b"hello").unwrap();
        for length in 0..frame.len() {
            assert_eq!(Datagram::read(&frame[..length]), None, "{length}");
        }
        for at in 14..42 {
            for byte in [0, 1, 0x4f, 0x45, 0xff] {
                let mut odd = frame.clone();
                odd[at] = byte;
                // Whatever is read, it is inside.
                let _ = Datagram::read(&odd);
            }
        }
        let mut short = frame;
        short[39] = 7;
        assert_eq!(Datagram::read(&short), None, "shorter than its header");
    }
}

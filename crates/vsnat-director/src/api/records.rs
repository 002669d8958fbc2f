//! The connections in their compact form: one small record for each.
//!
//! A million of them take 24 MB with IPv4 alone, and are read as fast as they arrive, where JSON
//! takes 150 MB and seconds. A header names the form and its version. All
//! numbers are big-endian.

use std::net::{IpAddr, SocketAddr};

use thiserror::Error;
use vsnat_api::{ConnectionState, ConnectionView, Protocol};

/// What a client accepts, and gets.
pub(crate) const MEDIA_TYPE: &str = "application/vnd.vsnat.connections";

/// The form and, at the end, its version: to be raised with every change.
pub(crate) const HEADER: [u8; 8] = *b"vsnatc\x00\x02";

/// Protocol, state and families, milliseconds, three ports; behind them three
/// addresses, each of four bytes or of sixteen.
const FIXED: usize = 1 + 1 + 4 + 3 * 2;

/// The state stands in the low bits; each bit above, from the highest on, tells
/// that an address is of IPv6: the client's, the virtual one, the server's.
const STATE_BITS: u8 = 0x1f;
const IPV6_BITS: [u8; 3] = [0x80, 0x40, 0x20];

/// Bytes of an address of either family.
const ADDRESS4: usize = 4;
const ADDRESS6: usize = 16;

/// In place of a protocol's number.
const NO_PROTOCOL: u8 = 0;

#[derive(Clone, Copy, Debug)]
enum Family {
    V4,
    V6,
}

/// Not the records of this version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub(crate) enum RecordsError {
    #[error("it does not begin as a list of connections of this version")]
    Header,
    #[error("it names the unknown connection state {0}")]
    State(u8),
    #[error("it names the unknown protocol {0}")]
    Protocol(u8),
    #[error("it ends within a connection")]
    Cut,
}

/// The records of some connections, without a header.
pub(crate) fn encode(views: &[ConnectionView]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(views.len() * (FIXED + 3 * ADDRESS4));
    for view in views {
        let ends = [view.client, view.virtual_address, view.server];
        let families = ends.iter().zip(IPV6_BITS);
        let families = families.filter(|(end, _)| end.is_ipv6());
        let families = families.fold(0, |bits, (_, bit)| bits | bit);
        bytes.push(view.protocol.map_or(NO_PROTOCOL, Protocol::number));
        bytes.push(view.state as u8 | families);
        let expires_ms = u32::try_from(view.expires_ms).unwrap_or(u32::MAX);
        bytes.extend(expires_ms.to_be_bytes());
        for end in ends {
            bytes.extend(end.port().to_be_bytes());
        }
        for end in ends {
            match end.ip() {
                IpAddr::V4(address) => bytes.extend(address.octets()),
                IpAddr::V6(address) => bytes.extend(address.octets()),
            }
        }
    }
    bytes
}

/// Reads what arrives in pieces of any size.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    /// The beginning of a header or record.
    rest: Vec<u8>,
    has_header: bool,
}

impl Reader {
    /// The connections that the next bytes complete.
    pub fn read(&mut self, bytes: &[u8]) -> Result<Vec<ConnectionView>, RecordsError> {
        self.rest.extend_from_slice(bytes);
        let header = match self.has_header {
            true => 0,
            false => HEADER.len(),
        };
        if self.rest.len() < header {
            return Ok(Vec::new());
        }
        if !self.has_header && !self.rest.starts_with(&HEADER) {
            return Err(RecordsError::Header);
        }
        self.has_header = true;
        let mut rest = &self.rest[header..];
        let mut views = Vec::new();
        while let Some((view, behind)) = decode(rest)? {
            views.push(view);
            rest = behind;
        }
        self.rest = rest.to_vec();
        Ok(views)
    }

    /// To be called when no more bytes come.
    pub fn finish(&self) -> Result<(), RecordsError> {
        match self.has_header && self.rest.is_empty() {
            true => Ok(()),
            false => Err(RecordsError::Cut),
        }
    }
}

/// The first connection and what is behind it; none of a beginning.
fn decode(bytes: &[u8]) -> Result<Option<(ConnectionView, &[u8])>, RecordsError> {
    let Some((fixed, mut rest)) = bytes.split_first_chunk::<FIXED>() else {
        return Ok(None);
    };
    let [protocol, state, e0, e1, e2, e3, ports @ ..] = fixed;
    let mut ends = [SocketAddr::from(([0; ADDRESS4], 0)); 3];
    let (ports, _) = ports.as_chunks::<2>();
    for ((end, bit), port) in ends.iter_mut().zip(IPV6_BITS).zip(ports) {
        let family = match state & bit {
            0 => Family::V4,
            _ => Family::V6,
        };
        let Some((address, behind)) = address(rest, family) else {
            return Ok(None);
        };
        *end = SocketAddr::new(address, u16::from_be_bytes(*port));
        rest = behind;
    }
    let protocol = match *protocol {
        NO_PROTOCOL => None,
        number => Some(Protocol::from_number(number).ok_or(RecordsError::Protocol(number))?),
    };
    let number = state & STATE_BITS;
    let state = ConnectionState::ALL.get(usize::from(number));
    let [client, virtual_address, server] = ends;
    let view = ConnectionView {
        protocol,
        state: *state.ok_or(RecordsError::State(number))?,
        client,
        virtual_address,
        server,
        expires_ms: u64::from(u32::from_be_bytes([*e0, *e1, *e2, *e3])),
    };
    Ok(Some((view, rest)))
}

fn address(bytes: &[u8], family: Family) -> Option<(IpAddr, &[u8])> {
    match family {
        Family::V4 => {
            let (address, behind) = bytes.split_first_chunk::<ADDRESS4>()?;
            Some((IpAddr::from(*address), behind))
        }
        Family::V6 => {
            let (address, behind) = bytes.split_first_chunk::<ADDRESS6>()?;
            Some((IpAddr::from(*address), behind))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One of each state and protocol, and the largest numbers.
    fn views() -> Vec<ConnectionView> {
        let protocols = Protocol::ALL.map(Some).into_iter().chain([None]);
        let states = ConnectionState::ALL.into_iter();
        let views = states.zip(protocols.cycle()).map(|(state, protocol)| {
            let number = state as u16;
            let end = |first: u8| {
                let address = IpAddr::from([first, 0, 2, number as u8]);
                SocketAddr::new(address, u16::MAX - number)
            };
            let six = |first: u16| {
                let address = IpAddr::from([first, 0xdb8, 0, 0, 0, 0, 0, number]);
                SocketAddr::new(address, number)
            };
            ConnectionView {
                protocol,
                client: if number.is_multiple_of(2) {
                    end(203)
                } else {
                    six(0x2001)
                },
                virtual_address: if number.is_multiple_of(3) {
                    end(192)
                } else {
                    six(0xfd00)
                },
                server: if number.is_multiple_of(5) {
                    end(10)
                } else {
                    six(0xfc00)
                },
                state,
                expires_ms: u64::from(u32::MAX) - u64::from(number),
            }
        });
        views.collect()
    }

    #[test]
    fn states_are_numbered_as_they_are_listed() {
        for (number, state) in ConnectionState::ALL.into_iter().enumerate() {
            assert_eq!(state as usize, number);
        }
    }

    #[test]
    fn what_is_written_is_read_whatever_the_pieces() {
        let views = views();
        let bytes = [&HEADER[..], &encode(&views)].concat();
        let ends = views
            .iter()
            .flat_map(|v| [v.client, v.virtual_address, v.server]);
        let six = ends.filter(SocketAddr::is_ipv6).count();
        let four = 3 * views.len() - six;
        let expected = views.len() * FIXED + four * ADDRESS4 + six * ADDRESS6;
        assert_eq!(bytes.len(), HEADER.len() + expected);
        for piece in [1, 7, 8, 24, 25, bytes.len()] {
            let mut reader = Reader::default();
            let pieces = bytes.chunks(piece);
            let read = pieces.flat_map(|piece| reader.read(piece).unwrap());
            assert_eq!(read.collect::<Vec<_>>(), views, "pieces of {piece}");
            reader.finish().unwrap();
        }
    }

    #[test]
    fn what_is_not_ours_is_refused() {
        let read = |bytes: &[u8]| Reader::default().read(bytes);
        assert_eq!(read(b"{\"connections\":[]}"), Err(RecordsError::Header));
        let mut bytes = [&HEADER[..], &encode(&views()[..1])].concat();
        bytes[HEADER.len()] = 1;
        assert_eq!(read(&bytes), Err(RecordsError::Protocol(1)));
        bytes[HEADER.len()] = 6;
        bytes[HEADER.len() + 1] = 25;
        assert_eq!(read(&bytes), Err(RecordsError::State(25)));
        let mut reader = Reader::default();
        reader.read(&bytes[..9]).unwrap();
        assert_eq!(reader.finish(), Err(RecordsError::Cut));
        assert_eq!(Reader::default().finish(), Err(RecordsError::Cut));
    }
}

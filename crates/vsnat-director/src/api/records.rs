//! The connections in their compact form: one small record for each.
//!
//! A million of them take 24 MB and are read as fast as they arrive, where JSON
//! takes 150 MB and seconds. A header names the form and its version. All
//! numbers are big-endian.

use std::net::{Ipv4Addr, SocketAddrV4};

use thiserror::Error;
use vsnat_api::{ConnectionState, ConnectionView, Protocol};

/// What a client accepts, and gets.
pub(crate) const MEDIA_TYPE: &str = "application/vnd.vsnat.connections";

/// The form and, at the end, its version: to be raised with every change.
pub(crate) const HEADER: [u8; 8] = *b"vsnatc\x00\x01";

/// Protocol, state, three ports, three addresses, milliseconds.
const RECORD: usize = 1 + 1 + 3 * 2 + 3 * 4 + 4;

/// In place of a protocol's number.
const NO_PROTOCOL: u8 = 0;

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
    let mut bytes = Vec::with_capacity(views.len() * RECORD);
    for view in views {
        bytes.push(view.protocol.map_or(NO_PROTOCOL, Protocol::number));
        bytes.push(view.state as u8);
        let ends = [view.client, view.virtual_address, view.server];
        for end in ends {
            bytes.extend(end.port().to_be_bytes());
        }
        for end in ends {
            bytes.extend(end.ip().octets());
        }
        let expires_ms = u32::try_from(view.expires_ms).unwrap_or(u32::MAX);
        bytes.extend(expires_ms.to_be_bytes());
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
        let (records, rest) = self.rest[header..].as_chunks::<RECORD>();
        let views = records.iter().map(decode).collect();
        self.rest = rest.to_vec();
        views
    }

    /// To be called when no more bytes come.
    pub fn finish(&self) -> Result<(), RecordsError> {
        match self.has_header && self.rest.is_empty() {
            true => Ok(()),
            false => Err(RecordsError::Cut),
        }
    }
}

fn decode(record: &[u8; RECORD]) -> Result<ConnectionView, RecordsError> {
    let port = |at: usize| u16::from_be_bytes([record[at], record[at + 1]]);
    let word = |at: usize| {
        u32::from_be_bytes([record[at], record[at + 1], record[at + 2], record[at + 3]])
    };
    let end = |port_at, address_at| {
        let address = Ipv4Addr::from_bits(word(address_at));
        SocketAddrV4::new(address, port(port_at))
    };
    let protocol = match record[0] {
        NO_PROTOCOL => None,
        number => Some(Protocol::from_number(number).ok_or(RecordsError::Protocol(number))?),
    };
    let state = ConnectionState::ALL.get(usize::from(record[1]));
    Ok(ConnectionView {
        protocol,
        state: *state.ok_or(RecordsError::State(record[1]))?,
        client: end(2, 8),
        virtual_address: end(4, 12),
        server: end(6, 16),
        expires_ms: u64::from(word(20)),
    })
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
                let address = Ipv4Addr::new(first, 0, 2, number as u8);
                SocketAddrV4::new(address, u16::MAX - number)
            };
            ConnectionView {
                protocol,
                client: end(203),
                virtual_address: end(192),
                server: end(10),
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
        assert_eq!(bytes.len(), HEADER.len() + views.len() * RECORD);
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

//! Who a client is: its hardware address and, where it sends one, its identifier.
//!
//! The identifier alone would do by RFC 2131, but machines made from one image
//! share it, and each of them shall get an address. So both count: two machines
//! with the same identifier are two clients.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The longest identifier of RFC 4361: a type, an IAID and a DUID of 130 bytes.
/// It bounds what each lease takes of memory.
const MAX_ID: usize = 1 + 4 + 130;

/// An Ethernet address.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Hardware([u8; 6]);

impl Hardware {
    pub const BROADCAST: Hardware = Hardware([0xff; 6]);

    pub const fn new(octets: [u8; 6]) -> Self {
        Hardware(octets)
    }

    pub const fn octets(self) -> [u8; 6] {
        self.0
    }

    /// Whether one interface can have it.
    pub const fn is_unicast(self) -> bool {
        self.0[0] & 1 == 0 && u64::from_be_bytes(self.widened()) != 0
    }

    const fn widened(self) -> [u8; 8] {
        let [a, b, c, d, e, f] = self.0;
        [0, 0, a, b, c, d, e, f]
    }
}

/// The type of an identifier that is the Ethernet address once more.
const ETHERNET: u8 = 1;

/// A client identifier (option 61), never empty.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ClientId(Vec<u8>);

impl ClientId {
    pub fn new(bytes: &[u8]) -> Result<Self, ClientError> {
        match bytes.len() {
            1..=MAX_ID => Ok(ClientId(bytes.to_vec())),
            _ => Err(ClientError::Id),
        }
    }

    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// The hardware address that this identifier repeats.
    pub fn hardware(&self) -> Option<Hardware> {
        let (kind, octets) = self.0.split_first()?;
        let octets: [u8; 6] = octets.try_into().ok()?;
        (*kind == ETHERNET).then_some(Hardware(octets))
    }
}

/// Not the address of an interface, or not an identifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ClientError {
    #[error("write a hardware address as six bytes, like 52:54:00:12:34:56")]
    Hardware,
    #[error("write a client identifier as 1 to {MAX_ID} bytes, like ff:12:34:56:78")]
    Id,
}

/// Who holds a lease, or wants one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Client {
    pub hardware: Hardware,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<ClientId>,
}

impl Client {
    /// Some programs send the hardware address as identifier and some send
    /// none: a machine that boots by one and runs the other stays the same.
    pub fn new(hardware: Hardware, id: Option<ClientId>) -> Self {
        let id = id.filter(|id| id.hardware() != Some(hardware));
        Client { hardware, id }
    }
}

impl fmt::Display for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.hardware.fmt(f)?;
        match &self.id {
            Some(id) => write!(f, " (identifier {id})"),
            None => Ok(()),
        }
    }
}

impl FromStr for Hardware {
    type Err = ClientError;

    fn from_str(text: &str) -> Result<Self, ClientError> {
        let bytes = bytes_of(text).ok_or(ClientError::Hardware)?;
        let octets = bytes.try_into().map_err(|_| ClientError::Hardware)?;
        Ok(Hardware(octets))
    }
}

impl FromStr for ClientId {
    type Err = ClientError;

    fn from_str(text: &str) -> Result<Self, ClientError> {
        ClientId::new(&bytes_of(text).ok_or(ClientError::Id)?)
    }
}

impl TryFrom<String> for Hardware {
    type Error = ClientError;

    fn try_from(text: String) -> Result<Self, ClientError> {
        text.parse()
    }
}

impl TryFrom<String> for ClientId {
    type Error = ClientError;

    fn try_from(text: String) -> Result<Self, ClientError> {
        text.parse()
    }
}

impl From<Hardware> for String {
    fn from(hardware: Hardware) -> String {
        hardware.to_string()
    }
}

impl From<ClientId> for String {
    fn from(id: ClientId) -> String {
        id.to_string()
    }
}

impl fmt::Display for Hardware {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_bytes(&self.0, f)
    }
}

impl fmt::Display for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_bytes(&self.0, f)
    }
}

impl fmt::Debug for Hardware {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_bytes(&self.0, f)
    }
}

impl fmt::Debug for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_bytes(&self.0, f)
    }
}

fn write_bytes(bytes: &[u8], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    for (index, byte) in bytes.iter().enumerate() {
        if index > 0 {
            f.write_str(":")?;
        }
        write!(f, "{byte:02x}")?;
    }
    Ok(())
}

/// Two digits for each byte, with colons or dashes between them.
fn bytes_of(text: &str) -> Option<Vec<u8>> {
    let byte = |part: &str| {
        let is_byte = part.len() == 2 && part.bytes().all(|b| b.is_ascii_hexdigit());
        is_byte.then(|| u8::from_str_radix(part, 16).ok())?
    };
    text.split([':', '-']).map(byte).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn written_as_it_is_read() {
        let mac: Hardware = "52:54:00:AB-cd:01".parse().unwrap();
        assert_eq!(mac.to_string(), "52:54:00:ab:cd:01");
        assert!(mac.is_unicast());
        for wrong in [
            "",
            "52:54:00:ab:cd",
            "52:54:00:ab:cd:1",
            "+2:54:00:ab:cd:01",
        ] {
            assert_eq!(wrong.parse::<Hardware>(), Err(ClientError::Hardware));
        }
        let id: ClientId = "ff:01".parse().unwrap();
        assert_eq!(id.bytes(), [0xff, 1]);
        assert!(ClientId::new(&[]).is_err());
        assert!(ClientId::new(&[0; MAX_ID + 1]).is_err());
    }

    #[test]
    fn only_a_unicast_address_is_an_interfaces() {
        assert!(!Hardware::new([0; 6]).is_unicast());
        assert!(!Hardware::BROADCAST.is_unicast());
        assert!(!Hardware::new([1, 0, 0x5e, 0, 0, 1]).is_unicast());
    }
}

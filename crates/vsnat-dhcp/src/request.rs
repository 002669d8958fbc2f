//! What a client asks, taken from the bytes of its message.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use dhcproto::v4::{MAGIC, OptionCode};
use thiserror::Error;

use crate::{Client, ClientId, Hardware, HostName, Link, RelayInformation, scan};

/// Up to the options: the fields of BOOTP and the magic number.
const FIXED: usize = 240;

const BOOT_REQUEST: u8 = 1;
const BOOT_REPLY: u8 = 2;
const ETHERNET: u8 = 1;
const HARDWARE_LENGTH: u8 = 6;
const BROADCAST_FLAG: u16 = 0x8000;

/// Every host takes a message of this size (RFC 2131); a smaller wish is not
/// believed.
const LEAST_SIZE: u16 = 576;

/// A vendor class is shown and compared; real ones have some 20 bytes. It
/// bounds what each lease takes of memory.
const MAX_VENDOR_CLASS: usize = 64;

/// The codes that are read here.
const HOST_NAME: u8 = 12;
const REQUESTED_ADDRESS: u8 = 50;
const OVERLOAD: u8 = 52;
const MESSAGE_TYPE: u8 = 53;
const SERVER_IDENTIFIER: u8 = 54;
const PARAMETER_LIST: u8 = 55;
const MAX_SIZE: u8 = 57;
const VENDOR_CLASS: u8 = 60;
const CLIENT_IDENTIFIER: u8 = 61;
const RELAY_INFORMATION: u8 = 82;

/// What a client wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Discover,
    Request,
    Decline,
    Release,
    Inform,
}

/// Where a message came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrival {
    pub link: Link,
    /// Source of the frame.
    pub sender: Hardware,
    /// Source of the packet.
    pub source: Ipv4Addr,
}

/// A client's message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    pub kind: Kind,
    pub xid: u32,
    pub flags: u16,
    pub hops: u8,
    /// The address the client says it has.
    pub ciaddr: Ipv4Addr,
    /// The relay agent, if there is one.
    pub giaddr: Ipv4Addr,
    pub client: Client,
    /// The identifier as the client wrote it, which it wants back.
    pub sent_id: Option<ClientId>,
    pub requested: Option<Ipv4Addr>,
    pub server: Option<Ipv4Addr>,
    /// Which options the client asks for, the most wanted first.
    pub wanted: Vec<OptionCode>,
    pub max_size: u16,
    pub host_name: Option<HostName>,
    pub vendor_class: Option<String>,
    pub relay: Option<RelayInformation>,
}

/// Not a message of a client that could be answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum RequestError {
    #[error("it is too short, or not DHCP")]
    NotDhcp,
    #[error("it comes from a server")]
    FromServer,
    #[error("its hardware address is not one of Ethernet")]
    Hardware,
    #[error("its options cannot be read")]
    Options,
    #[error("it is of no kind that clients send")]
    Kind,
}

/// What another server says: enough to know that there is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reply {
    pub xid: u32,
    /// Its identifier, where it gives one.
    pub server: Option<Ipv4Addr>,
}

impl Request {
    /// Reads a message; whatever is in it, this neither panics nor takes more
    /// memory than a few times its length.
    pub fn read(bytes: &[u8]) -> Result<Self, RequestError> {
        let fixed = fixed(bytes)?;
        if fixed[0] != BOOT_REQUEST {
            return Err(RequestError::FromServer);
        }
        if fixed[1] != ETHERNET || fixed[2] != HARDWARE_LENGTH {
            return Err(RequestError::Hardware);
        }
        let hardware = hardware(fixed);
        if !hardware.is_unicast() {
            return Err(RequestError::Hardware);
        }
        let options = options(bytes).ok_or(RequestError::Options)?;
        let id = match options.get(&CLIENT_IDENTIFIER) {
            Some(bytes) => Some(ClientId::new(bytes).map_err(|_| RequestError::Options)?),
            None => None,
        };
        Ok(Request {
            kind: kind(&options)?,
            xid: xid(fixed),
            flags: u16::from_be_bytes([fixed[10], fixed[11]]),
            hops: fixed[3],
            ciaddr: address_at(fixed, 12),
            giaddr: address_at(fixed, 24),
            client: Client::new(hardware, id.clone()),
            sent_id: id,
            requested: address(&options, REQUESTED_ADDRESS)?,
            server: address(&options, SERVER_IDENTIFIER)?,
            wanted: wanted(&options),
            max_size: max_size(&options)?,
            host_name: text(&options, HOST_NAME).and_then(HostName::new),
            vendor_class: vendor_class(&options),
            relay: options
                .get(&RELAY_INFORMATION)
                .map(|bytes| RelayInformation::new(bytes)),
        })
    }

    pub fn wants_broadcast(&self) -> bool {
        self.flags & BROADCAST_FLAG != 0
    }

    pub fn is_relayed(&self) -> bool {
        !self.giaddr.is_unspecified()
    }
}

impl Reply {
    /// None for what is no message of a server.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let fixed = fixed(bytes).ok()?;
        if fixed[0] != BOOT_REPLY {
            return None;
        }
        let options = options(bytes)?;
        let server = address(&options, SERVER_IDENTIFIER).ok()?;
        Some(Reply {
            xid: xid(fixed),
            server,
        })
    }
}

fn fixed(bytes: &[u8]) -> Result<&[u8; FIXED], RequestError> {
    let (fixed, _) = bytes.split_first_chunk().ok_or(RequestError::NotDhcp)?;
    match fixed.ends_with(&MAGIC) {
        true => Ok(fixed),
        false => Err(RequestError::NotDhcp),
    }
}

fn xid(fixed: &[u8; FIXED]) -> u32 {
    u32::from_be_bytes([fixed[4], fixed[5], fixed[6], fixed[7]])
}

fn hardware(fixed: &[u8; FIXED]) -> Hardware {
    let octets = [
        fixed[28], fixed[29], fixed[30], fixed[31], fixed[32], fixed[33],
    ];
    Hardware::new(octets)
}

fn address_at(fixed: &[u8; FIXED], at: usize) -> Ipv4Addr {
    Ipv4Addr::new(fixed[at], fixed[at + 1], fixed[at + 2], fixed[at + 3])
}

/// The options behind the fixed fields, and those in the names' fields where the
/// client says that there are some.
fn options(bytes: &[u8]) -> Option<BTreeMap<u8, Vec<u8>>> {
    let (fixed, rest) = bytes.split_first_chunk::<FIXED>()?;
    let mut options = scan::options(rest)?;
    let (file, server_name) = (&fixed[108..236], &fixed[44..108]);
    let overloaded: &[&[u8]] = match options.get(&OVERLOAD).map(Vec::as_slice) {
        None => &[],
        Some([1]) => &[file],
        Some([2]) => &[server_name],
        Some([3]) => &[file, server_name],
        Some(_) => return None,
    };
    for field in overloaded {
        for (code, value) in scan::options(field)? {
            options.entry(code).or_default().extend(value);
        }
    }
    Some(options)
}

fn kind(options: &BTreeMap<u8, Vec<u8>>) -> Result<Kind, RequestError> {
    match options.get(&MESSAGE_TYPE).map(Vec::as_slice) {
        Some([1]) => Ok(Kind::Discover),
        Some([3]) => Ok(Kind::Request),
        Some([4]) => Ok(Kind::Decline),
        Some([7]) => Ok(Kind::Release),
        Some([8]) => Ok(Kind::Inform),
        Some(_) | None => Err(RequestError::Kind),
    }
}

fn address(options: &BTreeMap<u8, Vec<u8>>, code: u8) -> Result<Option<Ipv4Addr>, RequestError> {
    let Some(bytes) = options.get(&code) else {
        return Ok(None);
    };
    let octets: [u8; 4] = bytes
        .as_slice()
        .try_into()
        .map_err(|_| RequestError::Options)?;
    Ok(Some(Ipv4Addr::from(octets)))
}

fn max_size(options: &BTreeMap<u8, Vec<u8>>) -> Result<u16, RequestError> {
    match options.get(&MAX_SIZE).map(Vec::as_slice) {
        None => Ok(LEAST_SIZE),
        Some([high, low]) => Ok(LEAST_SIZE.max(u16::from_be_bytes([*high, *low]))),
        Some(_) => Err(RequestError::Options),
    }
}

fn wanted(options: &BTreeMap<u8, Vec<u8>>) -> Vec<OptionCode> {
    let codes = options.get(&PARAMETER_LIST).map(Vec::as_slice);
    let codes = codes.unwrap_or_default().iter();
    codes.map(|code| OptionCode::from(*code)).collect()
}

/// Some clients end their texts with a zero.
fn text(options: &BTreeMap<u8, Vec<u8>>, code: u8) -> Option<&str> {
    let bytes = options.get(&code)?;
    let text = std::str::from_utf8(bytes).ok()?;
    Some(text.trim_end_matches('\0'))
}

fn vendor_class(options: &BTreeMap<u8, Vec<u8>>) -> Option<String> {
    let class = text(options, VENDOR_CLASS)?;
    let is_plain = class.chars().all(|c| c.is_ascii_graphic() || c == ' ');
    let is_fit = is_plain && (1..=MAX_VENDOR_CLASS).contains(&class.len());
    is_fit.then(|| class.to_owned())
}

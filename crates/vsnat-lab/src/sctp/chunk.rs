//! The chunks of a packet, as far as the peers speak them (RFC 9260,
//! section 3.3).

const DATA: u8 = 0;
const INIT: u8 = 1;
const INIT_ACK: u8 = 2;
const SACK: u8 = 3;
const HEARTBEAT: u8 = 4;
const HEARTBEAT_ACK: u8 = 5;
const ABORT: u8 = 6;
const SHUTDOWN: u8 = 7;
const SHUTDOWN_ACK: u8 = 8;
const COOKIE_ECHO: u8 = 10;
const COOKIE_ACK: u8 = 11;
const SHUTDOWN_COMPLETE: u8 = 14;

/// The parameter of an INIT ACK that holds the cookie.
const STATE_COOKIE: u16 = 7;
const HEADER_LEN: usize = 4;
/// A DATA chunk that is a whole message.
const WHOLE: u8 = 0x03;
/// One message is under way at a time, so there is no order to keep.
const UNORDERED: u8 = 0x04;
/// The tag is the sender's own.
const T_BIT: u8 = 0x01;
/// Bytes the peers say they can take.
const WINDOW: u32 = 65_536;

/// What INIT and INIT ACK agree on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Start {
    /// Verification tag that the other end must use.
    pub tag: u32,
    /// Number of the first DATA chunk.
    pub tsn: u32,
}

/// Whose verification tag a packet with an ABORT or SHUTDOWN COMPLETE carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TagOf {
    /// As in every packet: the one its receiver has chosen.
    Receiver,
    /// The one of the packet it answers, for want of an association.
    Sender,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Chunk {
    /// A whole message on stream 0.
    Data {
        tsn: u32,
        message: Vec<u8>,
    },
    Init(Start),
    InitAck {
        start: Start,
        cookie: Vec<u8>,
    },
    Sack {
        cumulative: u32,
    },
    Heartbeat(Vec<u8>),
    HeartbeatAck(Vec<u8>),
    Abort(TagOf),
    Shutdown {
        cumulative: u32,
    },
    ShutdownAck,
    CookieEcho(Vec<u8>),
    CookieAck,
    ShutdownComplete(TagOf),
    /// Of a type that the peers do not know, or not as it should be.
    Other(u8),
}

impl Chunk {
    /// Appends the chunk and its padding.
    pub(super) fn write(&self, packet: &mut Vec<u8>) {
        let at = packet.len();
        packet.extend_from_slice(&[self.kind(), self.flags(), 0, 0]);
        self.write_value(packet);
        let length = u16::try_from(packet.len() - at).unwrap_or(u16::MAX);
        packet[at + 2..at + HEADER_LEN].copy_from_slice(&length.to_be_bytes());
        packet.resize(packet.len().next_multiple_of(4), 0);
    }

    /// Reads the first chunk of `bytes`; gives it and what is behind it.
    pub(super) fn read(bytes: &[u8]) -> Option<(Chunk, &[u8])> {
        let header = bytes.first_chunk::<HEADER_LEN>()?;
        let length = usize::from(u16::from_be_bytes([header[2], header[3]]));
        let value = bytes.get(HEADER_LEN..length)?;
        let rest = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
        let chunk = Chunk::of(header[0], header[1], value).unwrap_or(Chunk::Other(header[0]));
        Some((chunk, rest))
    }

    fn kind(&self) -> u8 {
        match self {
            Chunk::Data { .. } => DATA,
            Chunk::Init(_) => INIT,
            Chunk::InitAck { .. } => INIT_ACK,
            Chunk::Sack { .. } => SACK,
            Chunk::Heartbeat(_) => HEARTBEAT,
            Chunk::HeartbeatAck(_) => HEARTBEAT_ACK,
            Chunk::Abort(_) => ABORT,
            Chunk::Shutdown { .. } => SHUTDOWN,
            Chunk::ShutdownAck => SHUTDOWN_ACK,
            Chunk::CookieEcho(_) => COOKIE_ECHO,
            Chunk::CookieAck => COOKIE_ACK,
            Chunk::ShutdownComplete(_) => SHUTDOWN_COMPLETE,
            Chunk::Other(kind) => *kind,
        }
    }

    fn flags(&self) -> u8 {
        match self {
            Chunk::Data { .. } => WHOLE | UNORDERED,
            Chunk::Abort(TagOf::Sender) | Chunk::ShutdownComplete(TagOf::Sender) => T_BIT,
            Chunk::Abort(TagOf::Receiver) | Chunk::ShutdownComplete(TagOf::Receiver) => 0,
            Chunk::Init(_) | Chunk::InitAck { .. } | Chunk::Sack { .. } => 0,
            Chunk::Heartbeat(_) | Chunk::HeartbeatAck(_) => 0,
            Chunk::Shutdown { .. } | Chunk::ShutdownAck => 0,
            Chunk::CookieEcho(_) | Chunk::CookieAck | Chunk::Other(_) => 0,
        }
    }

    fn write_value(&self, packet: &mut Vec<u8>) {
        match self {
            Chunk::Data { tsn, message } => {
                packet.extend_from_slice(&tsn.to_be_bytes());
                // Stream 0, no place in it, and no protocol identifier.
                packet.extend_from_slice(&[0; 8]);
                packet.extend_from_slice(message);
            }
            Chunk::Init(start) => write_start(packet, *start),
            Chunk::InitAck { start, cookie } => {
                write_start(packet, *start);
                let length = u16::try_from(HEADER_LEN + cookie.len()).unwrap_or(u16::MAX);
                packet.extend_from_slice(&STATE_COOKIE.to_be_bytes());
                packet.extend_from_slice(&length.to_be_bytes());
                packet.extend_from_slice(cookie);
            }
            Chunk::Sack { cumulative } => {
                packet.extend_from_slice(&cumulative.to_be_bytes());
                packet.extend_from_slice(&WINDOW.to_be_bytes());
                // No gaps, no duplicates.
                packet.extend_from_slice(&[0; 4]);
            }
            Chunk::Shutdown { cumulative } => packet.extend_from_slice(&cumulative.to_be_bytes()),
            Chunk::Heartbeat(value) | Chunk::HeartbeatAck(value) | Chunk::CookieEcho(value) => {
                packet.extend_from_slice(value);
            }
            Chunk::Abort(_) | Chunk::ShutdownComplete(_) => {}
            Chunk::ShutdownAck | Chunk::CookieAck | Chunk::Other(_) => {}
        }
    }

    /// `None` if the value is not what this type of chunk has, or not spoken
    /// here: a piece of a message, for one.
    fn of(kind: u8, flags: u8, value: &[u8]) -> Option<Chunk> {
        let tag_of = match flags & T_BIT {
            0 => TagOf::Receiver,
            _ => TagOf::Sender,
        };
        Some(match kind {
            DATA if flags & WHOLE == WHOLE => Chunk::Data {
                tsn: word(value, 0)?,
                message: value.get(12..)?.to_vec(),
            },
            INIT => Chunk::Init(read_start(value)?),
            INIT_ACK => Chunk::InitAck {
                start: read_start(value)?,
                cookie: cookie(value.get(16..)?)?,
            },
            SACK => Chunk::Sack {
                cumulative: word(value, 0)?,
            },
            HEARTBEAT => Chunk::Heartbeat(value.to_vec()),
            HEARTBEAT_ACK => Chunk::HeartbeatAck(value.to_vec()),
            ABORT => Chunk::Abort(tag_of),
            SHUTDOWN => Chunk::Shutdown {
                cumulative: word(value, 0)?,
            },
            SHUTDOWN_ACK => Chunk::ShutdownAck,
            COOKIE_ECHO => Chunk::CookieEcho(value.to_vec()),
            COOKIE_ACK => Chunk::CookieAck,
            SHUTDOWN_COMPLETE => Chunk::ShutdownComplete(tag_of),
            _ => return None,
        })
    }
}

fn write_start(packet: &mut Vec<u8>, start: Start) {
    packet.extend_from_slice(&start.tag.to_be_bytes());
    packet.extend_from_slice(&WINDOW.to_be_bytes());
    // One stream each way.
    packet.extend_from_slice(&[0, 1, 0, 1]);
    packet.extend_from_slice(&start.tsn.to_be_bytes());
}

fn read_start(value: &[u8]) -> Option<Start> {
    Some(Start {
        tag: word(value, 0)?,
        tsn: word(value, 12)?,
    })
}

/// The cookie among the parameters of an INIT ACK.
fn cookie(mut parameters: &[u8]) -> Option<Vec<u8>> {
    loop {
        let header = parameters.first_chunk::<HEADER_LEN>()?;
        let length = usize::from(u16::from_be_bytes([header[2], header[3]]));
        let value = parameters.get(HEADER_LEN..length)?;
        if u16::from_be_bytes([header[0], header[1]]) == STATE_COOKIE {
            return Some(value.to_vec());
        }
        parameters = parameters.get(length.next_multiple_of(4)..)?;
    }
}

/// A word of 32 bits, in the order of the network.
pub(super) fn word(bytes: &[u8], at: usize) -> Option<u32> {
    let word = bytes.get(at..)?.first_chunk::<4>()?;
    Some(u32::from_be_bytes(*word))
}

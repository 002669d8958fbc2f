//! An answer, and where to it goes.

use std::net::Ipv4Addr;

use dhcproto::v4::{
    CLIENT_PORT, DhcpOption, Encodable, Flags, Message, MessageType, Opcode, SERVER_PORT,
};

use crate::options::{self, Granted};
use crate::{Arrival, Hardware, Kind, Link, Network, Request};

/// Old BOOTP clients and relays take nothing shorter.
const LEAST_LENGTH: usize = 300;

/// The broadcast flag, by which a relay agent knows how to pass a refusal on.
const BROADCAST_FLAG: u16 = 0x8000;

/// IP and UDP headers, which count in a message's largest size.
const HEADERS: usize = 28;

/// Who gets an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Destination {
    /// Everybody on the link.
    Broadcast,
    /// A client that has no address yet, so nobody can be asked for its
    /// hardware address.
    Hardware {
        hardware: Hardware,
        address: Ipv4Addr,
    },
    /// A client at its address.
    Client(Ipv4Addr),
    /// A relay agent.
    Relay(Ipv4Addr),
}

impl Destination {
    pub const fn port(self) -> u16 {
        match self {
            Destination::Broadcast | Destination::Hardware { .. } | Destination::Client(_) => {
                CLIENT_PORT
            }
            Destination::Relay(_) => SERVER_PORT,
        }
    }
}

/// A message to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The interface that the question came by.
    pub link: Link,
    /// The director's address that answers.
    pub source: Ipv4Addr,
    pub to: Destination,
    pub bytes: Vec<u8>,
}

/// An OFFER or ACK.
pub(crate) fn grant(
    kind: MessageType,
    request: &Request,
    arrival: &Arrival,
    network: &Network,
    granted: Granted,
) -> Option<Answer> {
    let mut message = reply(kind, request, network);
    if let Some(address) = granted.address() {
        message.set_yiaddr(address);
    }
    if kind == MessageType::Ack {
        message.set_ciaddr(request.ciaddr);
    }
    for option in options::of_lease(network, granted) {
        message.opts_mut().insert(option);
    }
    let to = destination(request, granted.address());
    let extras = options::of_network(network, request, granted);
    let bytes = encode_within(message, extras, request.max_size)?;
    Some(answer(arrival, network, to, bytes))
}

/// A NAK: broadcast, since the client may have no right to any address.
pub(crate) fn refuse(
    request: &Request,
    arrival: &Arrival,
    network: &Network,
    why: &str,
) -> Option<Answer> {
    let mut message = reply(MessageType::Nak, request, network);
    message
        .opts_mut()
        .insert(DhcpOption::Message(why.to_owned()));
    let to = match request.is_relayed() {
        true => {
            message.set_flags(Flags::new(request.flags | BROADCAST_FLAG));
            Destination::Relay(request.giaddr)
        }
        false => Destination::Broadcast,
    };
    Some(answer(arrival, network, to, encode(&message)?))
}

fn answer(arrival: &Arrival, network: &Network, to: Destination, bytes: Vec<u8>) -> Answer {
    Answer {
        link: arrival.link,
        source: network.server,
        to,
        bytes,
    }
}

/// RFC 2131, 4.1.
fn destination(request: &Request, granted: Option<Ipv4Addr>) -> Destination {
    if request.is_relayed() {
        return Destination::Relay(request.giaddr);
    }
    // Who looks for an address has none, whatever he writes there.
    let has_address = request.kind != Kind::Discover && !request.ciaddr.is_unspecified();
    match (has_address, granted) {
        (true, _) => Destination::Client(request.ciaddr),
        (false, Some(address)) if !request.wants_broadcast() => Destination::Hardware {
            hardware: request.client.hardware,
            address,
        },
        (false, _) => Destination::Broadcast,
    }
}

/// What every answer has.
fn reply(kind: MessageType, request: &Request, network: &Network) -> Message {
    let none = Ipv4Addr::UNSPECIFIED;
    let hardware = request.client.hardware.octets();
    let giaddr = request.giaddr;
    let mut message = Message::new_with_id(request.xid, none, none, none, giaddr, &hardware);
    message
        .set_opcode(Opcode::BootReply)
        .set_flags(Flags::new(request.flags));
    let options = message.opts_mut();
    options.insert(DhcpOption::MessageType(kind));
    options.insert(DhcpOption::ServerIdentifier(network.server));
    // RFC 6842: clients that share an address of hardware tell them apart.
    if let Some(id) = &request.sent_id {
        options.insert(DhcpOption::ClientIdentifier(id.bytes().to_vec()));
    }
    if let Some(relay) = &request.relay {
        options.insert(relay.option());
    }
    message
}

/// With as many of the extras, the most wanted first, as the client can take.
fn encode_within(mut message: Message, extras: Vec<DhcpOption>, max_size: u16) -> Option<Vec<u8>> {
    let room = usize::from(max_size).saturating_sub(HEADERS);
    let mut bytes = encode(&message)?;
    for extra in extras {
        let mut larger = message.clone();
        larger.opts_mut().insert(extra);
        let encoded = encode(&larger)?;
        if encoded.len() <= room {
            (message, bytes) = (larger, encoded);
        }
    }
    Some(bytes)
}

/// None for what cannot be encoded, which is nothing that is made here.
fn encode(message: &Message) -> Option<Vec<u8>> {
    let mut bytes = message.to_vec().ok()?;
    if bytes.len() < LEAST_LENGTH {
        bytes.resize(LEAST_LENGTH, 0);
    }
    Some(bytes)
}

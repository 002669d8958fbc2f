//! A network, and clients that speak as real ones do.

#![allow(dead_code, reason = "each test program uses a part of it")]

use std::net::Ipv4Addr;

use vsnat_dhcp::wire::relay::RelayAgentInformation;
use vsnat_dhcp::wire::{
    Decodable, Decoder, DhcpOption, Encodable, Flags, Message, MessageType, OptionCode,
};
use vsnat_dhcp::{
    Action, Answer, Arrival, Hardware, Lease, Link, Network, Range, Request, Reservation, Server,
    UnixTime,
};

pub const LINK: Link = Link(0);
pub const SERVER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
pub const START: UnixTime = UnixTime::from_s(1_700_000_000);
pub const LEASE_S: u32 = 600;
pub const NOBODY: Ipv4Addr = Ipv4Addr::UNSPECIFIED;

/// 10.0.0.0/24 on the first link, with a pool from .10 to the given end.
pub fn network(last: u8) -> Network {
    Network {
        network: "10.0.0.0/24".parse().unwrap(),
        link: Some(LINK),
        server: SERVER,
        router: SERVER,
        pools: vec![Range::new(host(10), host(last)).unwrap()],
        lease_time_s: LEASE_S,
        dns: vec![host(2)],
        domain: None,
        mtu: None,
        ntp: Vec::new(),
        routes: Vec::new(),
    }
}

pub fn host(last: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 0, 0, last)
}

pub fn mac(number: u16) -> Hardware {
    let [high, low] = number.to_be_bytes();
    Hardware::new([0x52, 0x54, 0, 0, high, low])
}

pub fn server(networks: Vec<Network>, reservations: Vec<Reservation>) -> Server {
    Server::new(networks, reservations, Vec::new(), START)
}

/// A message before it is sent.
pub struct Ask {
    pub message: Message,
    pub arrival: Arrival,
}

impl Ask {
    pub fn new(kind: MessageType, client: u16) -> Self {
        let hardware = mac(client);
        let mut message =
            Message::new_with_id(7, NOBODY, NOBODY, NOBODY, NOBODY, &hardware.octets());
        message.opts_mut().insert(DhcpOption::MessageType(kind));
        Ask {
            message,
            arrival: Arrival {
                link: LINK,
                sender: hardware,
                source: NOBODY,
            },
        }
    }

    pub fn with(mut self, option: DhcpOption) -> Self {
        self.message.opts_mut().insert(option);
        self
    }

    pub fn requested(self, address: Ipv4Addr) -> Self {
        self.with(DhcpOption::RequestedIpAddress(address))
    }

    pub fn to(self, server: Ipv4Addr) -> Self {
        self.with(DhcpOption::ServerIdentifier(server))
    }

    pub fn id(self, id: &[u8]) -> Self {
        self.with(DhcpOption::ClientIdentifier(id.to_vec()))
    }

    pub fn wanting(self, codes: &[OptionCode]) -> Self {
        self.with(DhcpOption::ParameterRequestList(codes.to_vec()))
    }

    /// From an address that the client has.
    pub fn from(mut self, address: Ipv4Addr) -> Self {
        self.message.set_ciaddr(address);
        self.arrival.source = address;
        self
    }

    pub fn broadcast(mut self) -> Self {
        self.message.set_flags(Flags::default().set_broadcast());
        self
    }

    pub fn relayed(mut self, agent: Ipv4Addr, information: RelayAgentInformation) -> Self {
        self.message.set_giaddr(agent);
        self.arrival.source = agent;
        self.arrival.sender = mac(9_999);
        self.with(DhcpOption::RelayAgentInformation(information))
    }

    pub fn bytes(&self) -> Vec<u8> {
        self.message.to_vec().unwrap()
    }

    pub fn tell(&self, server: &mut Server, now: UnixTime) -> Vec<Action> {
        let request = Request::read(&self.bytes()).unwrap();
        server.handle(&request, &self.arrival, now)
    }

    /// The only answer, probes passing unanswered.
    #[track_caller]
    pub fn answer(&self, server: &mut Server, now: UnixTime) -> Heard {
        let actions = self.tell(server, now);
        let actions = settled(server, actions, now);
        let mut answers = actions.iter().filter_map(|action| match action {
            Action::Send(answer) => Some(answer.clone()),
            Action::Write(_) | Action::Probe(_) | Action::Tell(_) => None,
        });
        let answer = answers
            .next()
            .unwrap_or_else(|| panic!("no answer: {actions:?}"));
        assert_eq!(answers.next(), None);
        Heard::new(answer)
    }

    #[track_caller]
    pub fn is_ignored(&self, server: &mut Server, now: UnixTime) {
        assert_eq!(self.tell(server, now), []);
    }
}

/// Lets every probe end in silence.
pub fn settled(server: &mut Server, actions: Vec<Action>, now: UnixTime) -> Vec<Action> {
    let mut settled = Vec::new();
    for action in actions {
        match action {
            Action::Probe(probe) => {
                let silent = vsnat_dhcp::ProbeResult::Silent;
                settled.extend(server.probed(probe.address, silent, now));
            }
            Action::Write(_) | Action::Send(_) | Action::Tell(_) => settled.push(action),
        }
    }
    settled
}

/// An answer, decoded.
pub struct Heard {
    pub answer: Answer,
    pub message: Message,
}

impl Heard {
    pub fn new(answer: Answer) -> Self {
        let message = Message::decode(&mut Decoder::new(&answer.bytes)).unwrap();
        Heard { answer, message }
    }

    pub fn kind(&self) -> MessageType {
        self.message.opts().msg_type().unwrap()
    }

    pub fn option(&self, code: OptionCode) -> Option<&DhcpOption> {
        self.message.opts().get(code)
    }

    #[track_caller]
    pub fn is(&self, kind: MessageType, address: Ipv4Addr) {
        assert_eq!((self.kind(), self.message.yiaddr()), (kind, address));
    }

    #[track_caller]
    pub fn is_nak(&self) {
        self.is(MessageType::Nak, NOBODY);
    }
}

/// Discovers and requests, and gives the address.
#[track_caller]
pub fn lease(server: &mut Server, client: u16, now: UnixTime) -> Ipv4Addr {
    let offer = Ask::new(MessageType::Discover, client).answer(server, now);
    let address = offer.message.yiaddr();
    let ack = select(client, address).answer(server, now);
    ack.is(MessageType::Ack, address);
    address
}

pub fn select(client: u16, address: Ipv4Addr) -> Ask {
    Ask::new(MessageType::Request, client)
        .requested(address)
        .to(SERVER)
}

pub fn renew(client: u16, address: Ipv4Addr) -> Ask {
    Ask::new(MessageType::Request, client).from(address)
}

pub fn release(client: u16, address: Ipv4Addr) -> Ask {
    Ask::new(MessageType::Release, client)
        .from(address)
        .to(SERVER)
}

pub fn decline(client: u16, address: Ipv4Addr) -> Ask {
    Ask::new(MessageType::Decline, client)
        .requested(address)
        .to(SERVER)
}

/// The lease at an address.
pub fn lease_at(server: &Server, address: Ipv4Addr, now: UnixTime) -> Option<Lease> {
    let mut leases = server.leases(now).into_iter();
    leases.find(|lease| lease.address == address)
}

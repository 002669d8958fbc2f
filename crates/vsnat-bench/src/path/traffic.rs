//! Which packets go through a chain, and what they are to arrive as.

use std::net::SocketAddrV4;

use crate::path::frame::{Frame, blank};
use crate::path::network::{
    CLIENTS_MAC, INNER_MAC, NOBODY_MAC, OUTER_MAC, SERVERS, SERVERS_MAC, VIP, client, flow_of,
    server, server_number,
};

/// An end of a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    Clients,
    Servers,
}

impl Side {
    pub fn other(self) -> Side {
        match self {
            Side::Clients => Side::Servers,
            Side::Servers => Side::Clients,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Traffic {
    /// From the clients to the VIP.
    ToVip,
    /// From the clients to the servers by their own addresses.
    ToServers,
    /// The servers' answers, which arrive as they were sent.
    FromServers,
    /// The servers' answers, which arrive as the VIP's.
    FromVip,
    /// From the clients, in frames that are not for the director: their way
    /// ends where the others' begins.
    Stray,
}

/// The server of each flow.
#[derive(Clone, Debug, Default)]
pub struct Picks(Vec<u8>);

impl Picks {
    /// Flows take turns.
    pub fn in_turn(flows: u32) -> Self {
        Picks((0..flows).map(|flow| flow as u8 % SERVERS).collect())
    }

    pub fn of(&self, flow: u32) -> SocketAddrV4 {
        server(self.0.get(flow as usize).copied().unwrap_or(0))
    }

    pub fn set(&mut self, flow: u32, number: u8) {
        if let Some(place) = self.0.get_mut(flow as usize) {
            *place = number;
        }
    }
}

impl Traffic {
    pub fn from(self) -> Side {
        match self {
            Traffic::ToVip | Traffic::ToServers | Traffic::Stray => Side::Clients,
            Traffic::FromServers | Traffic::FromVip => Side::Servers,
        }
    }

    /// A frame of this traffic, of no flow yet.
    pub fn frame(self) -> Frame {
        match self {
            Traffic::ToVip | Traffic::ToServers => blank(CLIENTS_MAC, OUTER_MAC),
            Traffic::FromServers | Traffic::FromVip => blank(SERVERS_MAC, INNER_MAC),
            Traffic::Stray => blank(CLIENTS_MAC, NOBODY_MAC),
        }
    }

    /// Source and destination of a flow's packet as it is sent.
    pub fn ends(self, flow: u32, picks: &Picks) -> (SocketAddrV4, SocketAddrV4) {
        match self {
            Traffic::ToVip | Traffic::Stray => (client(flow), VIP),
            Traffic::ToServers => (client(flow), picks.of(flow)),
            Traffic::FromServers | Traffic::FromVip => (picks.of(flow), client(flow)),
        }
    }

    /// The flow of a packet that came through, and the server's number where
    /// the packet tells it.
    pub fn arrived(self, src: SocketAddrV4, dst: SocketAddrV4) -> Option<(u32, Option<u8>)> {
        match self {
            Traffic::ToVip | Traffic::ToServers => Some((flow_of(src)?, Some(server_number(dst)?))),
            Traffic::FromServers => Some((flow_of(dst)?, Some(server_number(src)?))),
            Traffic::FromVip => (src == VIP).then_some((flow_of(dst)?, None)),
            Traffic::Stray => None,
        }
    }

    /// What a packet that came through is to be, in words.
    pub fn wanted(self) -> &'static str {
        match self {
            Traffic::ToVip | Traffic::ToServers => "from a client to a server",
            Traffic::FromServers => "from a server to a client",
            Traffic::FromVip => "from the VIP to a client",
            Traffic::Stray => "nothing",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Picks, Traffic};
    use crate::path::network::{VIP, client, server};

    #[test]
    fn what_arrives_tells_flow_and_server() {
        let mut picks = Picks::in_turn(8);
        picks.set(5, 3);
        assert_eq!(picks.of(5), server(3));
        assert_eq!(picks.of(6), server(2));
        let to_vip = Traffic::ToVip;
        assert_eq!(to_vip.ends(5, &picks), (client(5), VIP));
        assert_eq!(to_vip.arrived(client(5), server(3)), Some((5, Some(3))));
        assert_eq!(to_vip.arrived(client(5), VIP), None);
        let from_vip = Traffic::FromVip;
        assert_eq!(from_vip.ends(5, &picks), (server(3), client(5)));
        assert_eq!(from_vip.arrived(VIP, client(5)), Some((5, None)));
        assert_eq!(from_vip.arrived(server(3), client(5)), None);
    }
}

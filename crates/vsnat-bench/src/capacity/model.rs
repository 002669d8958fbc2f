//! The arithmetic: from the price of a packet to servers.
//!
//! It counts bytes of IP packets towards the clients, which is what a service
//! is for; everything else is a cost of those.

use serde::Serialize;

use super::quantity::ByteRate;

/// What Ethernet adds to a packet on the wire: header, checksum, preamble and
/// the gap to the next frame.
const ETHERNET_BYTES: f64 = 14.0 + 4.0 + 8.0 + 12.0;

/// Packets of a connection that carry none of the document and acknowledge
/// nothing of it, besides the SYN. From the client: the handshake's end, the
/// request, FIN, the last acknowledgement. From the server: SYN-ACK, the
/// request's acknowledgement, FIN.
const CONTROL_TO_SERVER: f64 = 4.0;
const CONTROL_TO_CLIENT: f64 = 3.0;

/// A number of servers that fits but for the rounding of fractions, fits.
const ROUNDING: f64 = 1e-9;

/// Nanoseconds that a packet takes of one CPU, by its direction.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct PacketPrice {
    pub to_client_ns: f64,
    pub to_server_ns: f64,
}

/// What passes through the director.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Traffic {
    /// Bytes of a packet to a client, its IP header included.
    pub packet_bytes: u32,
    /// Packets that clients send for each packet they get.
    pub packets_back: f64,
    /// None when connections last so long that opening them costs nothing.
    pub connection: Option<Connection>,
}

/// A connection, and what its first packet takes of a CPU.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Connection {
    /// Bytes that it carries to the client.
    pub bytes: f64,
    pub opening_ns: f64,
}

/// A director, its links and its servers.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Plan {
    pub price: PacketPrice,
    pub traffic: Traffic,
    pub cpus: u32,
    /// Speed of the link to the clients, in each direction.
    pub outer_link_bytes_per_s: Option<ByteRate>,
    /// Speed of the links to the servers together, in each direction.
    pub inner_link_bytes_per_s: Option<ByteRate>,
    /// What one server sends.
    pub server_bytes_per_s: ByteRate,
    /// How many servers there are, if that is settled.
    pub servers: Option<u32>,
}

/// What can be the first to give out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LimitKind {
    OneCpu,
    AllCpus,
    OuterLink,
    InnerLink,
    Servers,
}

/// How much one part carries when the others are no hindrance.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Limit {
    pub kind: LimitKind,
    pub bytes_per_s: f64,
    /// Packets of both directions.
    pub packets_per_s: f64,
    /// Servers that send so much.
    pub servers: f64,
    /// How many times what the first part to give out carries.
    pub headroom: f64,
}

/// What follows from a plan.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Answer {
    /// In the order in which they give out. One CPU is among them, but is no
    /// limit where there are several.
    pub limits: Vec<Limit>,
    pub first: LimitKind,
    /// What director, links and servers carry together.
    pub bytes_per_s: f64,
    /// Whole servers that can send all they can.
    pub servers: u64,
}

impl Limit {
    /// Servers of which each can send all it can.
    pub fn whole_servers(&self) -> u64 {
        (self.servers * (1.0 + ROUNDING)).floor() as u64
    }
}

impl Answer {
    pub fn limit(&self, kind: LimitKind) -> Option<&Limit> {
        self.limits.iter().find(|limit| limit.kind == kind)
    }
}

impl Plan {
    pub fn answer(&self) -> Answer {
        let parts = self.parts();
        // Every plan has its CPUs, so there is a lowest.
        let lowest = |(first, low), (kind, rate)| match kind {
            LimitKind::OneCpu => (first, low),
            _ if rate < low => (kind, rate),
            _ => (first, low),
        };
        let all_cpus = (LimitKind::AllCpus, self.cpu_bytes_per_s(self.cpus));
        let (first, bytes_per_s) = parts.iter().copied().fold(all_cpus, lowest);
        let mut limits: Vec<Limit> = parts
            .into_iter()
            .map(|(kind, rate)| Limit {
                kind,
                bytes_per_s: rate,
                packets_per_s: self.packets_per_s(rate),
                servers: rate / self.server_bytes_per_s.bytes_per_s(),
                headroom: rate / bytes_per_s,
            })
            .collect();
        limits.sort_by(|a, b| a.bytes_per_s.total_cmp(&b.bytes_per_s));
        let servers = bytes_per_s / self.server_bytes_per_s.bytes_per_s();
        Answer {
            limits,
            first,
            bytes_per_s,
            servers: (servers * (1.0 + ROUNDING)).floor() as u64,
        }
    }

    /// Nanoseconds that a byte to a client takes of a CPU, with all that it
    /// brings along.
    pub fn ns_per_byte(&self) -> f64 {
        let PacketPrice {
            to_client_ns,
            to_server_ns,
        } = self.price;
        let packet = to_client_ns + self.traffic.packets_back * to_server_ns;
        let opening = self.traffic.connection.map_or(0.0, |connection| {
            let control = CONTROL_TO_SERVER * to_server_ns + CONTROL_TO_CLIENT * to_client_ns;
            (connection.opening_ns + control) / connection.bytes
        });
        packet / f64::from(self.traffic.packet_bytes) + opening
    }

    fn parts(&self) -> Vec<(LimitKind, f64)> {
        let cpu = |cpus| self.cpu_bytes_per_s(cpus);
        let mut parts = vec![(LimitKind::OneCpu, cpu(1))];
        parts.push((LimitKind::AllCpus, cpu(self.cpus)));
        let links = [
            (LimitKind::OuterLink, self.outer_link_bytes_per_s),
            (LimitKind::InnerLink, self.inner_link_bytes_per_s),
        ];
        for (kind, speed) in links {
            parts.extend(speed.map(|speed| (kind, self.carried_by(speed))));
        }
        let servers = self.servers.map(f64::from);
        let all = servers.map(|servers| servers * self.server_bytes_per_s.bytes_per_s());
        parts.extend(all.map(|rate| (LimitKind::Servers, rate)));
        parts
    }

    fn cpu_bytes_per_s(&self, cpus: u32) -> f64 {
        f64::from(cpus) * 1e9 / self.ns_per_byte()
    }

    /// Links carry both directions at once, so only the fuller one counts:
    /// that to the clients.
    fn carried_by(&self, link: ByteRate) -> f64 {
        let packet = f64::from(self.traffic.packet_bytes);
        link.bytes_per_s() * packet / (packet + ETHERNET_BYTES)
    }

    /// Packets of both directions that go with so many bytes to the clients.
    fn packets_per_s(&self, bytes_per_s: f64) -> f64 {
        let per_byte = (1.0 + self.traffic.packets_back) / f64::from(self.traffic.packet_bytes);
        // The SYN is one of the packets to the server.
        let control = 1.0 + CONTROL_TO_SERVER + CONTROL_TO_CLIENT;
        let opening = self.traffic.connection;
        bytes_per_s * (per_byte + opening.map_or(0.0, |connection| control / connection.bytes))
    }
}

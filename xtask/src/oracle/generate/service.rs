//! What a script knows of the services it has made.

use std::net::{Ipv4Addr, SocketAddrV4};

use oracle::world::{self, MARKED_VIPS, TCP_PORTS, UDP_PORTS};

use crate::oracle::draw::Draw;

/// What a service is found by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    Tcp { vip: u8, port: u16 },
    Udp { vip: u8, port: u16 },
    Mark(u32),
}

#[derive(Clone, Debug)]
pub struct Service {
    pub key: Key,
    pub servers: Vec<Server>,
    /// Servers that were deleted, to be added again.
    pub deleted: Vec<Server>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Server {
    pub address: Ipv4Addr,
    /// None: left out of the line, which means the service's.
    pub port: Option<u16>,
}

/// A client's packet, as far as a service is found by it.
#[derive(Clone, Copy, Debug)]
pub enum Packet {
    Tcp(SocketAddrV4),
    Udp(SocketAddrV4),
}

impl Key {
    /// The words that name it.
    pub fn words(self) -> [String; 2] {
        match self {
            Key::Tcp { vip, port } => ["-t".to_owned(), endpoint(vip, port)],
            Key::Udp { vip, port } => ["-u".to_owned(), endpoint(vip, port)],
            Key::Mark(mark) => ["-f".to_owned(), mark.to_string()],
        }
    }

    /// A packet that belongs to it.
    pub fn packet(self, draw: &mut Draw) -> Packet {
        let any = |draw: &mut Draw, ports: &[u16], port: u16| match port {
            0 => draw.pick(ports),
            port => port,
        };
        match self {
            Key::Tcp { vip, port } => Packet::Tcp(socket(vip, any(draw, &TCP_PORTS, port))),
            Key::Udp { vip, port } => Packet::Udp(socket(vip, any(draw, &UDP_PORTS, port))),
            // The marking rules of the world.
            Key::Mark(1) => Packet::Tcp(socket(4, draw.pick(&TCP_PORTS))),
            Key::Mark(2) => Packet::Udp(socket(5, draw.pick(&UDP_PORTS))),
            Key::Mark(3) => {
                let vip = draw.pick(&[6, 7]);
                match draw.percent(70) {
                    true => Packet::Tcp(socket(vip, draw.pick(&TCP_PORTS))),
                    false => Packet::Udp(socket(vip, draw.pick(&UDP_PORTS))),
                }
            }
            Key::Mark(4) => Packet::Tcp(socket(0, 443)),
            Key::Mark(_) => {
                let vips: Vec<u8> = MARKED_VIPS.collect();
                Packet::Tcp(socket(draw.pick(&vips), 80))
            }
        }
    }

    /// Whether one-packet scheduling is for it.
    pub fn may_be_one_packet(self) -> bool {
        match self {
            Key::Udp { .. } | Key::Mark(_) => true,
            Key::Tcp { .. } => false,
        }
    }

    /// A port 0 that only persistence allows.
    pub fn has_port_zero(self) -> bool {
        match self {
            Key::Tcp { port, .. } | Key::Udp { port, .. } => port == 0,
            Key::Mark(_) => false,
        }
    }

    pub fn server_ports(self) -> &'static [u16] {
        match self {
            Key::Tcp { .. } => &TCP_PORTS,
            Key::Udp { .. } => &UDP_PORTS,
            Key::Mark(2) => &UDP_PORTS,
            Key::Mark(_) => &TCP_PORTS,
        }
    }
}

impl Server {
    pub fn word(&self) -> String {
        match self.port {
            Some(port) => format!("{}:{port}", self.address),
            None => self.address.to_string(),
        }
    }
}

fn socket(vip: u8, port: u16) -> SocketAddrV4 {
    SocketAddrV4::new(world::vip(vip), port)
}

fn endpoint(vip: u8, port: u16) -> String {
    socket(vip, port).to_string()
}

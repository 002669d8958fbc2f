//! What was found on the machine and asked of its director.

use std::net::{Ipv4Addr, SocketAddrV4};

use ipnet::Ipv4Net;

use crate::firewall::Chain;

#[derive(Clone, Debug, Default)]
pub struct Facts {
    pub kernel: Kernel,
    /// IPv4 forwarding as a whole.
    pub forwarding: Option<Switch>,
    /// Those of the director, whether they are there or not.
    pub interfaces: Vec<Interface>,
    pub addresses: Vec<Address>,
    pub vips: Vec<Ipv4Addr>,
    /// VIPs that somebody else on the outer link answers for.
    pub foreign_vips: Vec<(Ipv4Addr, MacAddress)>,
    pub servers: Vec<Server>,
    /// Chains of the host's firewall that forwarded packets pass.
    pub chains: Vec<Chain>,
    pub conntrack: Option<Conntrack>,
    pub memory: Option<Memory>,
    /// Whether anything keeps the clock right.
    pub clock: Option<Switch>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Switch {
    Off,
    On,
}

impl From<bool> for Switch {
    fn from(is_on: bool) -> Self {
        match is_on {
            true => Switch::On,
            false => Switch::Off,
        }
    }
}

#[derive(Clone, Debug, Default)]
pub struct Kernel {
    /// Such as 6.1.0-18-amd64.
    pub release: String,
    /// The kernel's own types (BTF).
    pub types: Option<Switch>,
    /// The compiler of BPF programs.
    pub jit: Option<Switch>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    Outer,
    Inner,
}

#[derive(Clone, Debug)]
pub struct Interface {
    pub name: String,
    pub side: Side,
    /// `None` where there is no such interface.
    pub link: Option<Link>,
}

#[derive(Clone, Debug)]
pub struct Link {
    pub mtu: u32,
    /// Administratively.
    pub up: Switch,
    pub forwarding: Option<Switch>,
    /// 0 off, 1 strict, 2 loose; the larger of the interface's and of all's.
    pub reverse_path_filter: Option<u32>,
    /// An XDP program stands in front.
    pub xdp: Switch,
    /// The card takes VLAN tags off before anybody sees them.
    pub strips_tags: Option<Switch>,
}

#[derive(Clone, Debug)]
pub struct Address {
    pub interface: String,
    pub network: Ipv4Net,
}

/// As text, with colons.
pub type MacAddress = String;

/// A real server of one service.
#[derive(Clone, Debug)]
pub struct Server {
    /// ipvsadm's words for the service, such as `-t 192.0.2.1:80`.
    pub service: String,
    pub transport: Option<Transport>,
    pub address: SocketAddrV4,
    pub weight: u32,
    /// Packets to it and from it, since it was added and in a second.
    pub in_packets: u64,
    pub out_packets: u64,
    pub in_rate: u64,
    pub out_rate: u64,
    /// The interface that routing would take to it.
    pub leaves_by: Option<String>,
    pub neighbour: Neighbour,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    Tcp,
    Udp,
    Sctp,
}

/// What the kernel knows of a neighbour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Neighbour {
    Unknown,
    Known,
    /// It was asked for, and did not answer.
    Silent,
}

#[derive(Clone, Copy, Debug)]
pub struct Conntrack {
    pub entries: u64,
    pub limit: u64,
}

/// Of the control group that the director runs in.
#[derive(Clone, Debug)]
pub struct Memory {
    /// The file that holds the limit.
    pub file: String,
    pub limit_bytes: u64,
    /// What the tables take.
    pub needed_bytes: u64,
}

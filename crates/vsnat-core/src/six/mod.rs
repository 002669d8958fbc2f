//! IPv6: packets wear an IPv4 header inside the director.
//!
//! In front of the path stand [`outer_six`] and [`inner_six`]. They find out
//! whether a packet is ours before they change anything, give it an IPv4 header
//! with the stand-ins of its addresses, and send it to where IPv4 packets
//! begin: choosing, opening, tracking and refusing know one family only. Behind
//! the path stands [`six_out`]: what is addressed to a stand-in leaves as IPv6.
//! Errors are translated by steps of their own (RFC 7915).

mod arrive;
mod error_in;
mod error_out;
mod head;
mod out;
mod pieces;
mod pool;
mod sum;

use vsnat_abi::net::{Be16, Be32};
use vsnat_abi::stand_in::Ip6;

pub use arrive::{inner_six, outer_six};
pub use error_in::{inner_six_error, outer_six_error};
pub use error_out::six_error_out;
pub use out::six_out;

pub(crate) use head::is_six;
pub(crate) use pool::{hashed, is_stand_in, mtu};

/// A question to the machine's IPv6 routing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RouteQuery6 {
    pub protocol: u8,
    pub class: u8,
    pub src: Ip6,
    pub dst: Ip6,
    pub src_port: Be16,
    pub dst_port: Be16,
}

/// Its answer, flat for the verifier's sake. MACs are in the low 48 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route6 {
    pub came: Came,
    pub ifindex: u32,
    pub dst_mac: u64,
    pub src_mac: u64,
    pub mtu: u16,
}

/// What the machine knows of a way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Came {
    None,
    /// The neighbour is known.
    Neighbour,
    /// The neighbour must be asked for; the kernel does that when it sends.
    Unresolved,
}

impl Route6 {
    pub const NONE: Route6 = Route6 {
        came: Came::None,
        ifindex: 0,
        dst_mac: 0,
        src_mac: 0,
        mtu: 0,
    };
}

/// Lengths of the two headers, and by how much they differ.
const LEN4: u32 = 20;
const LEN6: u32 = 40;
const MORE: u32 = LEN6 - LEN4;
/// Length of an IPv6 fragment header.
const FRAGMENT_LEN: u32 = 8;

const ICMP: u8 = 1;
const ICMPV6: u8 = 58;
const FRAGMENT_HEADER: u8 = 44;

const ETHERTYPE_IPV4: [u8; 2] = [0x08, 0x00];
const ETHERTYPE_IPV6: [u8; 2] = [0x86, 0xdd];

/// No stand-in: the address has none.
const NOBODY: Be32 = Be32::ZERO;

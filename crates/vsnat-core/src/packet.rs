//! What the path asks of a packet and of the machine it is in.

use vsnat_abi::flow::FlowKey4;
use vsnat_abi::net::{Be16, Be32};

use crate::six::{Route6, RouteQuery6};

/// Which part of the transport checksum a change touches. A card that fills
/// the checksum in later has summed up the pseudo header only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checksum {
    /// Addresses: part of the pseudo header.
    Pseudo,
    /// Ports: part of the data.
    Data,
}

/// A question to the machine's routing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RouteQuery {
    pub protocol: u8,
    pub tos: u8,
    pub src: Be32,
    pub dst: Be32,
    pub src_port: Be16,
    pub dst_port: Be16,
}

/// Its answer. MACs are in the low 48 bits, in the order of the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route {
    /// The neighbour is known.
    Neighbour {
        ifindex: u32,
        next_hop: Be32,
        dst_mac: u64,
        src_mac: u64,
        mtu: u16,
    },
    /// The neighbour must be asked for; the kernel does that when it sends.
    Unresolved {
        ifindex: u32,
        next_hop: Be32,
    },
    None,
}

/// One packet with an Ethernet header.
///
/// References into it end with the next call: the kernel may move its bytes.
pub trait Packet {
    /// Index of the interface by which it came.
    fn ingress(&self) -> u32;

    /// Whether its frame was addressed to this machine alone, and to this very
    /// interface: a frame with a VLAN tag belongs to another one above it.
    fn is_for_host(&self) -> bool;

    /// Bytes of the frame.
    fn length(&self) -> u32;

    /// Payload bytes of each segment it stands for, 0 if it is one packet.
    fn segment_size(&self) -> u32;

    /// Its first `N` bytes, to read and to write.
    fn front<const N: usize>(&mut self) -> Option<&mut [u8; N]>;

    /// `N` bytes anywhere.
    fn load<const N: usize>(&self, offset: u32) -> Option<[u8; N]>;

    fn store<const N: usize>(&mut self, offset: u32, bytes: [u8; N]) -> Option<()>;

    /// A complete transport checksum was patched in place, by a difference of
    /// addresses: whoever keeps a sum of the packet must correct it.
    fn sum_changed(&mut self, addresses: u32);

    /// Adds `difference` to the transport checksum at `offset`. A UDP checksum
    /// of zero (none) stays zero.
    fn patch_checksum(
        &mut self,
        offset: u32,
        protocol: u8,
        difference: u32,
        part: Checksum,
    ) -> Option<()>;

    /// Cuts it to `length` bytes; it is one packet afterwards.
    fn truncate(&mut self, length: u32) -> Option<()>;

    /// Makes room for `N` zero bytes behind the Ethernet header.
    fn make_room<const N: usize>(&mut self) -> Option<()>;

    /// The same, for headers of the network: whoever keeps a sum of the packet
    /// is told.
    fn write<const N: usize>(&mut self, offset: u32, bytes: [u8; N]) -> Option<()>;

    /// Cuts the twenty bytes behind the Ethernet header by which an IPv6 header
    /// is longer; the machine takes the packet for IPv4 from then on.
    fn become_v4(&mut self) -> Option<()>;

    /// The opposite.
    fn become_v6(&mut self) -> Option<()>;

    /// Makes so much room behind the Ethernet header, or takes it away.
    fn change_room(&mut self, bytes: i32) -> Option<()>;

    /// Where the machine would send an IPv6 packet.
    fn route6(&mut self, query: &RouteQuery6) -> Route6;

    /// Whether a socket of this machine would take a packet of these ends.
    fn has_socket(&mut self, key: &FlowKey4) -> bool;

    /// Where the machine would send a packet.
    fn route(&mut self, query: &RouteQuery) -> Route;
}

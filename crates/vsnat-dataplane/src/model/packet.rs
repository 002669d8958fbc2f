//! A packet in a vector, in a machine whose routes are a list.

use std::net::Ipv4Addr;

use ipnet::Ipv4Net;
use vsnat_abi::flow::FlowKey4;
use vsnat_core::{Checksum, Packet, Route, RouteQuery, checksum};

/// Whom a frame was addressed to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Host,
    OtherHost,
}

/// Where the machine sends what, most specific first, and what it keeps.
#[derive(Clone, Debug, Default)]
pub struct Routes {
    pub routes: Vec<(Ipv4Net, Route)>,
    /// Ports on which the machine itself listens.
    pub sockets: Vec<u16>,
}

/// A frame that has arrived. Its transport checksum is complete.
#[derive(Clone, Debug)]
pub struct ModelPacket {
    pub bytes: Vec<u8>,
    pub ingress: u32,
    pub kind: Kind,
    pub segment_size: u32,
    pub routes: Routes,
}

const UDP: u8 = 17;
const ETH_LEN: usize = 14;

impl Packet for ModelPacket {
    fn ingress(&self) -> u32 {
        self.ingress
    }

    fn is_for_host(&self) -> bool {
        self.kind == Kind::Host
    }

    fn length(&self) -> u32 {
        self.bytes.len() as u32
    }

    fn segment_size(&self) -> u32 {
        self.segment_size
    }

    fn front<const N: usize>(&mut self) -> Option<&mut [u8; N]> {
        self.bytes.first_chunk_mut()
    }

    fn load<const N: usize>(&self, offset: u32) -> Option<[u8; N]> {
        self.bytes.get(offset as usize..)?.first_chunk().copied()
    }

    fn store<const N: usize>(&mut self, offset: u32, bytes: [u8; N]) -> Option<()> {
        let place = self.bytes.get_mut(offset as usize..)?.first_chunk_mut()?;
        *place = bytes;
        Some(())
    }

    fn patch_checksum(
        &mut self,
        offset: u32,
        protocol: u8,
        difference: u32,
        _part: Checksum,
    ) -> Option<()> {
        let field = u16::from_ne_bytes(self.load::<2>(offset)?);
        if protocol == UDP && field == 0 {
            return Some(());
        }
        let patched = match checksum::patch(field, difference) {
            // RFC 768: zero means "no checksum", the other zero takes its place.
            0 if protocol == UDP => 0xffff,
            patched => patched,
        };
        self.store(offset, patched.to_ne_bytes())
    }

    fn sum_changed(&mut self, _addresses: u32) {
        // A model has no card.
    }

    fn truncate(&mut self, length: u32) -> Option<()> {
        self.bytes.resize(length as usize, 0);
        self.segment_size = 0;
        Some(())
    }

    fn make_room<const N: usize>(&mut self) -> Option<()> {
        self.bytes.get(ETH_LEN)?;
        self.bytes.splice(ETH_LEN..ETH_LEN, [0; N]);
        Some(())
    }

    fn has_socket(&mut self, key: &FlowKey4) -> bool {
        self.routes.sockets.contains(&key.dst_port.host())
    }

    fn route(&mut self, query: &RouteQuery) -> Route {
        let dst = Ipv4Addr::from(query.dst.bytes());
        let mut routes = self.routes.routes.iter();
        let found = routes.find(|(net, _)| net.contains(&dst));
        match found {
            None => Route::None,
            Some((_, route)) => on_link(*route, query),
        }
    }
}

/// A next hop of 0.0.0.0 stands for the destination itself.
fn on_link(route: Route, query: &RouteQuery) -> Route {
    use vsnat_abi::net::Be32;
    let there = |next_hop| {
        if next_hop == Be32::ZERO {
            query.dst
        } else {
            next_hop
        }
    };
    match route {
        Route::None => Route::None,
        Route::Unresolved { ifindex, next_hop } => Route::Unresolved {
            ifindex,
            next_hop: there(next_hop),
        },
        Route::Neighbour {
            ifindex,
            next_hop,
            dst_mac,
            src_mac,
            mtu,
        } => Route::Neighbour {
            ifindex,
            next_hop: there(next_hop),
            dst_mac,
            src_mac,
            mtu,
        },
    }
}

//! A packet in a vector, in a machine whose routes are a list.

use std::net::{Ipv4Addr, Ipv6Addr};

use ipnet::{Ipv4Net, Ipv6Net};
use vsnat_abi::flow::FlowKey4;
use vsnat_core::{Checksum, Packet, Route, Route6, RouteQuery, RouteQuery6, checksum};

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
    pub routes6: Vec<(Ipv6Net, Route6)>,
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

    fn write<const N: usize>(&mut self, offset: u32, bytes: [u8; N]) -> Option<()> {
        self.store(offset, bytes)
    }

    fn become_v4(&mut self) -> Option<()> {
        self.change_room(-20)
    }

    fn become_v6(&mut self) -> Option<()> {
        self.change_room(20)
    }

    fn change_room(&mut self, bytes: i32) -> Option<()> {
        self.bytes.get(ETH_LEN)?;
        let size = bytes.unsigned_abs() as usize;
        if bytes < 0 {
            self.bytes.get(ETH_LEN + size)?;
            self.bytes.drain(ETH_LEN..ETH_LEN + size);
        } else {
            let zeros = vec![0; size];
            self.bytes.splice(ETH_LEN..ETH_LEN, zeros);
        }
        Some(())
    }

    fn route6(&mut self, query: &RouteQuery6) -> Route6 {
        let dst = Ipv6Addr::from(query.dst.bytes());
        let mut routes = self.routes.routes6.iter();
        let found = routes.find(|(net, _)| net.contains(&dst));
        found.map_or(Route6::NONE, |(_, route)| *route)
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

//! The machine around the packet path: its links, its routes, its sockets.

use vsnat_abi::net::Be32;
use vsnat_api::Side;
use vsnat_core::Route;
use vsnat_dataplane::model::{Kind, ModelPacket, Routes};

use crate::arrival::{Arrival, Receiver};

pub const OUTER_MAC: [u8; 6] = [2, 0, 0, 0, 1, 1];
pub const INNER_MAC: [u8; 6] = [2, 0, 0, 0, 2, 1];
const GATEWAY_MAC: [u8; 6] = [2, 0, 0, 0, 1, 0xfe];
const SERVER_MAC: [u8; 6] = [2, 0, 0, 0, 2, 0x11];
const OUTER_INDEX: u32 = 2;
const INNER_INDEX: u32 = 3;
const OUTER_MTU: u16 = 1_500;
const INNER_MTU: u16 = 1_400;
/// A port on which the machine itself listens.
pub const LISTENED_PORT: u16 = 2_222;
pub fn packet_of(arrival: &Arrival) -> ModelPacket {
    ModelPacket {
        bytes: arrival.bytes.clone(),
        ingress: match arrival.side {
            Side::Outer => OUTER_INDEX,
            Side::Inner => INNER_INDEX,
        },
        kind: match arrival.receiver {
            Receiver::Host => Kind::Host,
            Receiver::Other => Kind::OtherHost,
        },
        segment_size: arrival.segment_size,
        routes: routes(),
    }
}

/// Servers are neighbours, clients are behind a gateway; some are asked for,
/// and some nobody knows a way to.
fn routes() -> Routes {
    let mac = |m: [u8; 6]| u64::from_le_bytes([m[0], m[1], m[2], m[3], m[4], m[5], 0, 0]);
    let there = |next_hop, ifindex, dst, src, mtu| Route::Neighbour {
        ifindex,
        next_hop,
        dst_mac: mac(dst),
        src_mac: mac(src),
        mtu,
    };
    let inner = there(Be32::ZERO, INNER_INDEX, SERVER_MAC, INNER_MAC, INNER_MTU);
    let gateway = Be32::from_bytes([198, 51, 100, 254]);
    let outer = there(gateway, OUTER_INDEX, GATEWAY_MAC, OUTER_MAC, OUTER_MTU);
    let asked = Route::Unresolved {
        ifindex: INNER_INDEX,
        next_hop: Be32::ZERO,
    };
    let all = [
        ("10.9.0.13/32", asked),
        ("10.9.0.14/32", Route::None),
        ("203.0.113.4/32", Route::None),
        ("10.9.0.0/24", inner),
        ("0.0.0.0/0", outer),
    ];
    let parsed = all
        .into_iter()
        .filter_map(|(net, route)| Some((net.parse().ok()?, route)));
    Routes {
        sockets: vec![LISTENED_PORT],
        // IPv6 has cases of its own.
        routes6: Vec::new(),
        routes: parsed.collect(),
    }
}

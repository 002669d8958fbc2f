//! The case table's world in memory.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddrV4};

use vsnat_abi::net::Be32;
use vsnat_api::{Command, CommandError, ConnectionView, ServiceView, Side};
use vsnat_core::six::Came;
use vsnat_core::{Route, Route6, Verdict};
use vsnat_dataplane::model::{Kind, Model, ModelPacket, Routes};
use vsnat_dataplane::{ExpectError, Limits, Plane, Proxied};

use super::{
    Arriving, Fate, GATEWAY_MAC, INNER_MAC, INNER_MTU, LISTENED_PORT, OUTER_MAC, OUTER_MTU,
    SERVER_MAC, World,
};

const OUTER_INDEX: u32 = 2;
const INNER_INDEX: u32 = 3;

pub struct ModelWorld {
    pub plane: Plane<Model>,
}

impl ModelWorld {
    pub fn new() -> Self {
        ModelWorld::with_limits(&Limits {
            connections: 1_000,
            ..Limits::default()
        })
    }

    pub fn with_limits(limits: &Limits) -> Self {
        let mut plane = Plane::new(Model::new(limits, 42));
        plane.set_own_networks(&[]).unwrap();
        ModelWorld { plane }
    }
}

impl World for ModelWorld {
    fn run(&mut self, side: Side, frame: &Arriving) -> (Fate, Vec<u8>) {
        let (ingress, mac) = match side {
            Side::Outer => (OUTER_INDEX, OUTER_MAC),
            Side::Inner => (INNER_INDEX, INNER_MAC),
        };
        let kind = if frame.bytes.get(..6) == Some(&mac) {
            Kind::Host
        } else {
            Kind::OtherHost
        };
        let mut packet = ModelPacket {
            bytes: frame.bytes.clone(),
            ingress,
            kind,
            segment_size: frame.segment_size,
            routes: routes(),
        };
        let verdict = match side {
            Side::Outer => self.plane.backend_mut().outer(&mut packet),
            Side::Inner => self.plane.backend_mut().inner(&mut packet),
        };
        let fate = match verdict {
            Verdict::Pass => Fate::Pass,
            Verdict::ToHost => Fate::ToHost,
            Verdict::Drop => Fate::Drop,
            Verdict::Redirect { .. } | Verdict::Neighbour { .. } | Verdict::Resolved { .. } => {
                Fate::Sent
            }
            Verdict::Six => panic!("no verdict, but a step"),
        };
        (fate, packet.bytes)
    }

    fn apply(&mut self, command: &Command) -> Result<(), CommandError> {
        self.plane.apply(command)
    }

    fn services(&self) -> Vec<ServiceView> {
        self.plane.services()
    }

    fn connections(&self) -> Vec<ConnectionView> {
        self.plane.connections()
    }

    fn count(&self, reason: &str) -> u64 {
        let reasons = self.plane.reasons();
        reasons.iter().find(|r| r.reason == reason).unwrap().packets
    }

    fn set_own_networks(&mut self, networks: &[&str]) {
        let networks: Vec<_> = networks.iter().map(|n| n.parse().unwrap()).collect();
        self.plane.set_own_networks(&networks).unwrap();
    }

    fn let_icmp_recover(&mut self) {
        self.plane.backend_mut().advance_ms(1_000);
    }

    fn client(&self) -> [u8; 4] {
        [203, 0, 113, 5]
    }

    fn client6(&self) -> [u8; 16] {
        [0x20, 1, 0xd, 0xb8, 0xc, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5]
    }

    fn vip6(&self) -> [u8; 16] {
        [0x20, 1, 0xd, 0xb8, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7]
    }

    fn hold_stand_in(&mut self, address: Ipv6Addr) -> Ipv4Addr {
        self.plane.hold_stand_in(address).unwrap()
    }

    fn deny6_add(&mut self, network: &str) {
        self.plane.deny6_add(network.parse().unwrap()).unwrap();
    }

    fn deny6_delete(&mut self, network: &str) {
        assert!(self.plane.deny6_delete(network.parse().unwrap()).unwrap());
    }

    fn set_own_networks6(&mut self) {
        self.plane.set_own_networks6(&[]).unwrap();
    }

    fn true_address(&self, address: [u8; 4]) -> IpAddr {
        self.plane.true_address(address.into())
    }

    fn vip(&self) -> [u8; 4] {
        [198, 51, 100, 7]
    }

    fn interface(&self, side: Side) -> &'static str {
        match side {
            Side::Outer => "if2",
            Side::Inner => "if3",
        }
    }

    fn spare_ports(&mut self, ports: Option<(u16, u16)>) {
        self.plane.spare_ports(ports);
    }

    fn proxied(&self, client: SocketAddrV4, virtual_address: SocketAddrV4) -> Option<Proxied> {
        self.plane.proxied(client, virtual_address)
    }

    fn expect_client(&mut self, control: &Proxied, server_port: u16) -> Result<u16, ExpectError> {
        self.plane.expect_client(control, server_port)
    }

    fn expect_server(&mut self, control: &Proxied, client_port: u16) -> Result<(), ExpectError> {
        self.plane.expect_server(control, client_port)
    }

    fn restart(&mut self) {
        let empty = Plane::new(Model::new(&Limits::default(), 1));
        let left = std::mem::replace(&mut self.plane, empty);
        self.plane = Plane::new(left.into_backend());
    }
}

fn routes() -> Routes {
    let mac = |m: [u8; 6]| u64::from_le_bytes([m[0], m[1], m[2], m[3], m[4], m[5], 0, 0]);
    let gateway = Be32::from_bytes([198, 51, 100, 254]);
    Routes {
        sockets: vec![LISTENED_PORT],
        routes6: vec![
            (
                "2001:db8:9::/64".parse().unwrap(),
                Route6 {
                    came: Came::Neighbour,
                    ifindex: INNER_INDEX,
                    dst_mac: mac(SERVER_MAC),
                    src_mac: mac(INNER_MAC),
                    mtu: INNER_MTU,
                },
            ),
            (
                "::/0".parse().unwrap(),
                Route6 {
                    came: Came::Neighbour,
                    ifindex: OUTER_INDEX,
                    dst_mac: mac(GATEWAY_MAC),
                    src_mac: mac(OUTER_MAC),
                    mtu: OUTER_MTU,
                },
            ),
        ],
        routes: vec![
            (
                "10.9.0.0/24".parse().unwrap(),
                Route::Neighbour {
                    ifindex: INNER_INDEX,
                    next_hop: Be32::ZERO,
                    dst_mac: mac(SERVER_MAC),
                    src_mac: mac(INNER_MAC),
                    mtu: INNER_MTU,
                },
            ),
            (
                "0.0.0.0/0".parse().unwrap(),
                Route::Neighbour {
                    ifindex: OUTER_INDEX,
                    next_hop: gateway,
                    dst_mac: mac(GATEWAY_MAC),
                    src_mac: mac(OUTER_MAC),
                    mtu: OUTER_MTU,
                },
            ),
        ],
    }
}

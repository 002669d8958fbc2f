//! The case table: packets and tables in, verdict, packet and counters out.
//!
//! Each case is one function over a [`World`], run on the model and on the
//! loaded programs. Checksums are judged by etherparse, not by our own code.

#![allow(dead_code, reason = "each test program uses its own part of the table")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test says what is wrong by failing"
)]

pub mod all_ports;
pub mod association_frame;
pub mod associations;
pub mod cases;
pub mod clamp;
pub mod errors;
pub mod expected;
pub mod frame;
pub mod frame6;
pub mod kernel_world;
pub mod marks;
pub mod model_world;
pub mod one_packet;
pub mod persistence;
pub mod pieces;
pub mod refusals;
pub mod reuse;
pub mod routed;
pub mod settings;
pub mod six;
pub mod talk;
pub mod thresholds;
pub mod timed;
pub mod wire;
pub mod within;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4};

use vsnat_api::{
    Command, CommandError, ConnectionView, Protocol, Scheduler, ServerSpec, ServiceKey,
    ServiceSpec, ServiceView, Side, Weight,
};
use vsnat_dataplane::{ExpectError, Proxied};

/// The clients' router: all packets of the outer side come from its MAC.
pub const GATEWAY_MAC: [u8; 6] = [2, 0, 0, 0, 1, 0xfe];
/// The servers' MAC: one neighbour stands for all of them.
pub const SERVER_MAC: [u8; 6] = [2, 0, 0, 0, 2, 0x11];
pub const OUTER_MAC: [u8; 6] = [2, 0, 0, 0, 1, 1];
pub const INNER_MAC: [u8; 6] = [2, 0, 0, 0, 2, 1];
pub const OUTER_MTU: u16 = 1_500;
/// Smaller than the outer one, so that clients' packets can be too big.
pub const INNER_MTU: u16 = 1_400;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    Pass,
    /// Passes, marked for the host.
    ToHost,
    Drop,
    Sent,
}

/// How a frame is handed to the path.
#[derive(Clone, Debug)]
pub struct Arriving {
    pub bytes: Vec<u8>,
    pub segment_size: u32,
}

impl From<Vec<u8>> for Arriving {
    fn from(bytes: Vec<u8>) -> Self {
        Arriving {
            bytes,
            segment_size: 0,
        }
    }
}

/// A director with one outer and one inner link.
pub trait World {
    fn run(&mut self, side: Side, frame: &Arriving) -> (Fate, Vec<u8>);
    /// A packet of the host to one of its own addresses.
    fn run_local(&mut self, frame: &Arriving) -> (Fate, Vec<u8>);
    fn apply(&mut self, command: &Command) -> Result<(), CommandError>;
    fn services(&self) -> Vec<ServiceView>;
    fn connections(&self) -> Vec<ConnectionView>;
    fn count(&self, reason: &str) -> u64;
    /// Sources that cannot come from the outer side, besides the usual ones.
    fn set_own_networks(&mut self, networks: &[&str]);
    /// The director's addresses that servers may see.
    fn set_sources(&mut self, addresses: &[&str]);
    /// The next ICMP message may be sent again.
    fn let_icmp_recover(&mut self);
    /// A client address that no other case uses.
    /// So is the rest of its /24.
    fn client(&self) -> [u8; 4];
    /// An IPv6 client and an IPv6 VIP that no other case uses.
    fn client6(&self) -> [u8; 16];
    fn vip6(&self) -> [u8; 16];
    fn hold_stand_in(&mut self, address: Ipv6Addr) -> Ipv4Addr;
    fn deny6_add(&mut self, network: &str);
    fn deny6_delete(&mut self, network: &str);
    /// Sources that are never right, and no others.
    fn set_own_networks6(&mut self);
    fn true_address(&self, address: [u8; 4]) -> IpAddr;
    /// A VIP that no other case uses.
    fn vip(&self) -> [u8; 4];
    /// Names of the two interfaces.
    fn interface(&self, side: Side) -> &'static str;
    /// The masquerade's source ports.
    fn spare_ports(&mut self, ports: Option<(u16, u16)>);
    /// What the daemon asks and tells where it stands on a connection.
    fn proxied(&self, client: SocketAddrV4, virtual_address: SocketAddrV4) -> Option<Proxied>;
    fn expect_client(&mut self, control: &Proxied, server_port: u16) -> Result<u16, ExpectError>;
    fn expect_server(&mut self, control: &Proxied, client_port: u16) -> Result<(), ExpectError>;
    /// The director dies, and another one takes over what it left.
    fn restart(&mut self);
}

/// On the outer network, but of no service.
pub const NOT_A_VIP: [u8; 4] = [198, 51, 100, 3];
pub const SERVER_A: [u8; 4] = [10, 9, 0, 11];
pub const SERVER_B: [u8; 4] = [10, 9, 0, 12];
pub const SERVER_C: [u8; 4] = [10, 9, 0, 13];
/// A port on which the machine itself listens.
pub const LISTENED_PORT: u16 = 2_222;

pub fn endpoint(ip: [u8; 4], port: u16) -> SocketAddr {
    (ip, port).into()
}

pub fn service(world: &dyn World, protocol: Protocol, port: u16) -> ServiceKey {
    ServiceKey::Address {
        protocol,
        address: endpoint(world.vip(), port),
    }
}

pub fn add_service(world: &mut dyn World, key: ServiceKey, scheduler: Scheduler) {
    let spec = ServiceSpec::new(key, scheduler);
    world.apply(&Command::AddService(spec)).unwrap();
}

pub fn add_server(world: &mut dyn World, service: ServiceKey, address: SocketAddr, weight: u32) {
    let server = ServerSpec::new(address, Weight::new(weight).unwrap());
    world
        .apply(&Command::AddServer { service, server })
        .unwrap();
}

/// A TCP service on port 80 with server A behind it.
pub fn web(world: &mut dyn World) -> ServiceKey {
    let key = service(world, Protocol::Tcp, 80);
    add_service(world, key, Scheduler::Rr);
    add_server(world, key, endpoint(SERVER_A, 80), 1);
    key
}

/// Runs a packet that must leave, and answers it.
#[track_caller]
pub fn sent(world: &mut dyn World, side: Side, frame: impl Into<Arriving>) -> Vec<u8> {
    let (fate, bytes) = world.run(side, &frame.into());
    assert_eq!(fate, Fate::Sent);
    bytes
}

/// Runs a packet that must go on to the host, every byte as it was.
#[track_caller]
pub fn passed(world: &mut dyn World, side: Side, frame: impl Into<Arriving>, reason: &str) {
    let frame = frame.into();
    let before = world.count(reason);
    let (fate, bytes) = world.run(side, &frame);
    assert_eq!(fate, Fate::Pass);
    assert_eq!(bytes, frame.bytes, "a packet that passes keeps every byte");
    assert_eq!(world.count(reason), before + 1, "counted as {reason}");
}

/// Runs a packet that must be dropped for a reason, in silence.
#[track_caller]
pub fn dropped(world: &mut dyn World, side: Side, frame: impl Into<Arriving>, reason: &str) {
    let before = world.count(reason);
    let (fate, _) = world.run(side, &frame.into());
    assert_eq!(fate, Fate::Drop);
    assert_eq!(world.count(reason), before + 1, "counted as {reason}");
}

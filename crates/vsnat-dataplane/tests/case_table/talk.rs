//! What clients and servers say to each other, and what the tables say of it.

use vsnat_api::{
    Command, ConnectionState, Persistence, Scheduler, SchedulerFlags, ServerSpec, ServiceKey,
    ServiceSpec, Setting, SettingName, Side, Weight,
};

use super::frame::{Flags, Frame, Seen, read};
use super::{Arriving, Fate, SERVER_A, SERVER_B, SERVER_C, World, endpoint, sent};

/// Address and port of one end.
pub type End = ([u8; 4], u16);

pub const SERVERS: [[u8; 4]; 3] = [SERVER_A, SERVER_B, SERVER_C];

/// A client of the case's network.
pub fn client(world: &dyn World, last: u8, port: u16) -> End {
    let [a, b, c, _] = world.client();
    ([a, b, c, last], port)
}

/// A client of the case's network, whichever that is.
pub fn peer(last: u8, port: u16) -> Peer {
    Peer { last, port }
}

#[derive(Clone, Copy, Debug)]
pub struct Peer {
    last: u8,
    port: u16,
}

/// Whoever can be told to speak.
pub trait Speaker {
    fn end(self, world: &dyn World) -> End;
}

impl Speaker for End {
    fn end(self, _world: &dyn World) -> End {
        self
    }
}

impl Speaker for Peer {
    fn end(self, world: &dyn World) -> End {
        client(world, self.last, self.port)
    }
}

pub fn set(world: &mut dyn World, name: SettingName, value: u32) {
    let setting = Setting::new(name, value).unwrap();
    world.apply(&Command::Set(setting)).unwrap();
}

/// Each client, for 300 s.
pub fn every_client() -> Persistence {
    Persistence {
        timeout_s: 300,
        netmask: Persistence::EVERY_CLIENT,
    }
}

/// A service that keeps its clients, with the three servers A, B and C in this
/// order, all on `port`.
pub fn keeping(world: &mut dyn World, key: ServiceKey, keeps: Persistence, port: u16) {
    let spec = ServiceSpec {
        persistence: Some(keeps),
        ..ServiceSpec::new(key, Scheduler::Rr)
    };
    world.apply(&Command::AddService(spec)).unwrap();
    for server in SERVERS {
        super::add_server(world, key, endpoint(server, port), 1);
    }
}

/// A service with the first servers of A, B and C, each of its weight and
/// upper threshold.
pub fn limited(
    world: &mut dyn World,
    key: ServiceKey,
    scheduler: Scheduler,
    servers: &[(u32, u32)],
) {
    flagged(world, key, scheduler, SchedulerFlags::default(), servers);
}

pub fn flagged(
    world: &mut dyn World,
    key: ServiceKey,
    scheduler: Scheduler,
    flags: SchedulerFlags,
    servers: &[(u32, u32)],
) {
    let spec = ServiceSpec {
        flags,
        ..ServiceSpec::new(key, scheduler)
    };
    world.apply(&Command::AddService(spec)).unwrap();
    for (ip, (weight, upper)) in SERVERS.iter().zip(servers) {
        let server = spec_of(*ip, *weight, *upper);
        world
            .apply(&Command::AddServer {
                service: key,
                server,
            })
            .unwrap();
    }
}

/// A server on port 80.
pub fn spec_of(ip: [u8; 4], weight: u32, upper: u32) -> ServerSpec {
    ServerSpec {
        upper_threshold: upper,
        ..ServerSpec::new(endpoint(ip, 80), Weight::new(weight).unwrap())
    }
}

pub fn edit(world: &mut dyn World, service: ServiceKey, server: ServerSpec) {
    world
        .apply(&Command::EditServer { service, server })
        .unwrap();
}

/// Runs a client's packet; answers the server's end it was sent to, or `None`
/// if there was no server for it.
#[track_caller]
pub fn pick(world: &mut dyn World, frame: impl Into<Arriving>) -> Option<End> {
    let refused = world.count("no_server");
    let (fate, bytes) = world.run(Side::Outer, &frame.into());
    if world.count("no_server") > refused {
        return None;
    }
    assert_eq!(fate, Fate::Sent);
    Some(read(&bytes).dst)
}

#[track_caller]
pub fn syn(world: &mut dyn World, from: impl Speaker, to: End) -> Option<End> {
    let from = from.end(world);
    pick(world, Frame::outer(from, to).tcp(Flags::Syn))
}

/// A whole handshake.
#[track_caller]
pub fn open(world: &mut dyn World, from: impl Speaker, to: End) -> Option<End> {
    let from = from.end(world);
    let server = syn(world, from, to)?;
    reply(world, server, from, Flags::SynAck);
    say(world, from, to, Flags::Ack);
    Some(server)
}

/// The client closes, the server follows.
#[track_caller]
pub fn close(world: &mut dyn World, from: impl Speaker, to: End, server: End) {
    let from = from.end(world);
    say(world, from, to, Flags::FinAck);
    reply(world, server, from, Flags::FinAck);
    say(world, from, to, Flags::Ack);
}

/// A segment of the client that is sent on.
#[track_caller]
pub fn say(world: &mut dyn World, from: impl Speaker, to: End, flags: Flags) -> Seen {
    let from = from.end(world);
    read(&sent(world, Side::Outer, Frame::outer(from, to).tcp(flags)))
}

/// A segment of the server that is sent on.
#[track_caller]
pub fn reply(world: &mut dyn World, server: End, to: End, flags: Flags) -> Seen {
    read(&sent(
        world,
        Side::Inner,
        Frame::inner(server, to).tcp(flags),
    ))
}

#[track_caller]
pub fn datagram(world: &mut dyn World, from: impl Speaker, to: End) -> Option<End> {
    let from = from.end(world);
    pick(world, Frame::outer(from, to).udp())
}

/// A datagram of the server that is sent on.
#[track_caller]
pub fn answer(world: &mut dyn World, server: End, to: End) -> Seen {
    read(&sent(world, Side::Inner, Frame::inner(server, to).udp()))
}

/// The servers of so many new connections from ports behind one another, as
/// letters; "-" where there was none. All are left half open.
#[track_caller]
pub fn picks(world: &mut dyn World, from: impl Speaker, to: End, number: u16) -> String {
    let from = from.end(world);
    let (ip, first) = from;
    (0..number)
        .map(|place| letter(syn(world, (ip, first + place), to)))
        .collect()
}

pub fn letter(server: Option<End>) -> char {
    match server.map(|(ip, _)| ip) {
        None => '-',
        Some(SERVER_A) => 'A',
        Some(SERVER_B) => 'B',
        Some(SERVER_C) => 'C',
        Some(other) => panic!("no server of ours: {other:?}"),
    }
}

/// The listing as ipvsadm has it, without the time.
pub fn lines(world: &dyn World) -> Vec<String> {
    let all = world.connections().into_iter();
    all.map(|c| {
        let protocol = c.protocol.map_or("IP".to_owned(), |p| p.to_string());
        let state = c.state.name();
        format!(
            "{protocol} {state} {} {} {}",
            c.client, c.virtual_address, c.server
        )
    })
    .collect()
}

/// The lines of templates.
pub fn templates(world: &dyn World) -> Vec<String> {
    let mut all = lines(world);
    all.retain(|line| line.split(' ').nth(2).unwrap().ends_with(":0"));
    all
}

/// A template's line.
pub fn template(protocol: &str, state: &str, client: End, of: End, server: End) -> String {
    let [client, of, server] = [client, of, server].map(|(ip, port)| endpoint(ip, port));
    format!("{protocol} {state} {client} {of} {server}")
}

/// The state of the connection from this client's end.
#[track_caller]
pub fn state(world: &dyn World, from: End) -> ConnectionState {
    let connections = world.connections();
    let found = connections
        .iter()
        .find(|c| c.client == endpoint(from.0, from.1));
    found
        .unwrap_or_else(|| panic!("{from:?} has no connection"))
        .state
}

/// Active, inactive and persistent connections of a server of this service.
#[track_caller]
pub fn counts(world: &dyn World, key: ServiceKey, server: [u8; 4]) -> (u32, u32, u32) {
    let services = world.services();
    let service = services.iter().find(|s| s.spec.key == key).unwrap();
    let mut servers = service.servers.iter();
    let found = servers.find(|s| s.spec.address.ip() == std::net::IpAddr::from(server));
    let found = found.unwrap();
    (found.active, found.inactive, found.persistent)
}

//! Several acts that belong together: what chance alone would hardly put in
//! this order.

use vsnat_api::Side;

use crate::act::{Act, Caller, Expected};
use crate::arrival::{Arrival, Front, Receiver};
use crate::chance::Chance;
use crate::draft::{Draft, SYN, TCP};
use crate::draw::address;
use crate::machine::{INNER_MAC, OUTER_MAC};
use crate::world::CONNECTIONS;

const VIP: &str = "198.51.100.7";
const SERVER: &str = "10.9.0.11";
const CLIENT: &str = "203.0.113.1";
/// More than a burst of messages holds (50), and than the table does.
const MANY: u16 = 55;
/// A search for a free port ends after so many attempts, and one more finds
/// all of its attempts taken.
const PORT_TRIES: u16 = 10;
/// More than can be expected at a time (4,096).
const TOO_MANY: u16 = 5_000;

const _: () = assert!(MANY as u32 > CONNECTIONS);

pub fn scene(chance: &mut Chance) -> Vec<Act> {
    match chance.below(6) {
        0 => flood(chance),
        1 => ports(),
        2 => data_connections(chance, Caller::Client),
        4 => lent(),
        3 => data_connections(chance, Caller::Server),
        _ => overtaken(chance),
    }
}

/// Many clients at once; with nobody to serve them, or with too little room.
fn flood(chance: &mut Chance) -> Vec<Act> {
    let mut acts = service(80, &[]);
    if chance.one_in(2) {
        acts = service(80, &[SERVER]);
    }
    acts.extend((0..MANY).map(|client| from_client(CLIENT, 6_000 + client, 80)));
    acts
}

/// One client port, one server, many VIPs: each attempt to find another port
/// is the one that was made before.
fn ports() -> Vec<Act> {
    let mut acts = Vec::new();
    for port in 0..PORT_TRIES + 1 {
        acts.extend(service(8_100 + port, &[SERVER]));
        acts.push(Act::Draw { seed: 7 });
        acts.push(from_client(CLIENT, 5_000, 8_100 + port));
    }
    acts
}

/// FTP's helper expects data connections, and they come.
fn data_connections(chance: &mut Chance, caller: Caller) -> Vec<Act> {
    let mut acts = vec![Act::Set {
        name: "ftp_helper".to_owned(),
        value: 1,
    }];
    acts.extend(service(21, &[SERVER]));
    acts.push(from_client(CLIENT, 5_000, 21));
    let port = chance.one_of([5_100, 30_000]);
    acts.push(Act::Expect(Expected {
        caller,
        client: format!("{CLIENT}:5000"),
        vip: format!("{VIP}:21"),
        port,
        count: chance.one_of([1, 1, 3, TOO_MANY]),
    }));
    acts.push(match caller {
        Caller::Client => from_client(CLIENT, chance.one_of([5_001, 5_002]), port),
        Caller::Server => from_server(CLIENT, port),
    });
    acts
}

/// A service whose servers would see the director's address, which has none
/// towards them.
fn lent() -> Vec<Act> {
    vec![
        Act::Lend(format!("-A -t {VIP}:81 -s rr")),
        Act::Ipvsadm(format!("-a -t {VIP}:81 -r {SERVER}:80 -m -w 1")),
        from_client(CLIENT, 5_005, 81),
    ]
}

/// Between two steps of a packet other CPUs open the same connection, or so much
/// time passes that it ends.
fn overtaken(chance: &mut Chance) -> Vec<Act> {
    let mut acts = service(80, &[SERVER]);
    let after = chance.within(0..=2);
    let port = chance.within(5_003..=5_004) as u16;
    acts.push(match from_client("203.0.113.1", port, 80) {
        Act::Packet(arrival) if chance.one_in(2) => Act::MeanwhilePacket { after, arrival },
        _ => Act::MeanwhileSweep {
            after,
            ms: 1_000_000,
        },
    });
    acts.push(from_client(CLIENT, 5_004, 80));
    acts
}

fn service(port: u16, servers: &[&str]) -> Vec<Act> {
    let mut acts = vec![Act::Ipvsadm(format!("-A -t {VIP}:{port} -s rr"))];
    for server in servers {
        let line = format!("-a -t {VIP}:{port} -r {server}:80 -m -w 1");
        acts.push(Act::Ipvsadm(line));
    }
    acts
}

fn from_client(client: &str, port: u16, to: u16) -> Act {
    opening(Side::Outer, OUTER_MAC, (client, port), (VIP, to))
}

fn from_server(client: &str, to: u16) -> Act {
    opening(Side::Inner, INNER_MAC, (SERVER, 20), (client, to))
}

fn opening(side: Side, mac: [u8; 6], src: (&str, u16), dst: (&str, u16)) -> Act {
    let draft = Draft {
        dst_mac: mac,
        flags: SYN,
        payload: Vec::new(),
        ..Draft::new(TCP, address(src.0, src.1), address(dst.0, dst.1))
    };
    Act::Packet(Arrival {
        side,
        front: Front::None,
        receiver: Receiver::Host,
        segment_size: 0,
        bytes: draft.frame(),
    })
}

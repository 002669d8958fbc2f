//! Acts that are likely to lead somewhere: commands that fit what is there, and
//! packets of connections that are open.

use std::net::SocketAddr;

use vsnat_api::{SettingName, Side};

use crate::act::{Act, Caller, Expected, Haste, MarkText};
use crate::arrival::{Arrival, Front, Receiver};
use crate::chance::Chance;
use crate::draft::{ACK, Draft, FIN, ICMP, RST, SCTP, SYN, SumField, TCP, UDP};
use crate::machine::{INNER_MAC, LISTENED_PORT, OUTER_MAC};
use crate::scenes::scene;
use crate::world::{World, ends};

const VIPS: [&str; 3] = ["198.51.100.7", "198.51.100.8", "198.51.100.3"];
const SERVERS: [&str; 4] = ["10.9.0.11", "10.9.0.12", "10.9.0.13", "10.9.0.14"];
const CLIENTS: [&str; 8] = [
    "203.0.113.1",
    "203.0.113.2",
    "203.0.113.3",
    "203.0.113.4",
    "198.51.100.200",
    "10.9.0.77",
    "127.0.0.1",
    "224.0.0.1",
];
const VIPS_6: [&str; 2] = ["2001:db8::7", "2001:db8::8"];
const SERVERS_6: [&str; 2] = ["fd00:9::11", "fd00:9::12"];
const CLIENTS_6: [&str; 2] = ["2001:db8:1::1", "2001:db8:1::2"];
const PORTS: [u16; 8] = [80, 80, 80, 21, 20, 53, 0, LISTENED_PORT];
const SOURCE_PORTS: [u16; 6] = [5_000, 5_001, 5_002, 20, 1_024, 65_535];
const SCHEDULERS: [&str; 14] = [
    "rr", "wrr", "lc", "wlc", "sed", "nq", "fo", "ovf", "twos", "sh", "dh", "mh", "lblc", "lblcr",
];
const PREFIXES: [&str; 4] = [
    "203.0.113.0/24",
    "203.0.113.2/32",
    "10.9.0.0/24",
    "203.0.113.128/25",
];
const CHUNKS: [u8; 12] = [0, 1, 2, 3, 5, 6, 7, 8, 9, 10, 11, 14];
/// DF and the length of the largest frame make packets that do not fit.
const LENGTHS: [usize; 9] = [0, 1, 5, 64, 1_300, 1_372, 1_373, 1_480, 3_000];
const TIMES_MS: [u64; 7] = [1, 200, 1_000, 5_000, 61_000, 400_000, 1_000_000];

/// What happens next to a world as it is now.
pub fn draw(chance: &mut Chance, world: &World) -> Vec<Act> {
    match chance.one_in(60) {
        true => scene(chance),
        false => vec![one(chance, world)],
    }
}

fn one(chance: &mut Chance, world: &World) -> Act {
    match chance.below(100) {
        0..18 => command(chance),
        18..22 => setting(chance),
        22..24 => rule(chance),
        24..32 => passing(chance),
        32..36 => expectation(chance, world),
        36..40 => Act::MeanwhilePacket {
            after: chance.within(0..=2),
            arrival: arrival(chance, world),
        },
        40 => Act::MeanwhileSweep {
            after: chance.within(0..=2),
            ms: chance.one_of(TIMES_MS),
        },
        _ => Act::Packet(arrival(chance, world)),
    }
}

/// A service with servers: with nothing else does anything begin.
pub fn beginning(chance: &mut Chance) -> Vec<Act> {
    let mut acts = Vec::new();
    for _ in 0..1 + chance.below(2) {
        let service = service(chance);
        acts.push(Act::Ipvsadm(format!("-A {service} {}", how(chance))));
        for _ in 0..chance.below(3) {
            acts.push(Act::Ipvsadm(format!("-a {service} {}", server(chance))));
        }
    }
    acts
}

fn service(chance: &mut Chance) -> String {
    let port = chance.one_of(PORTS);
    match chance.below(12) {
        0 => "-f 7".to_owned(),
        1 => format!("-t [{}]:{port}", chance.one_of(VIPS_6)),
        kind => {
            let option = [
                "-t",
                "-t",
                "-t",
                "-t",
                "-t",
                "-u",
                "-u",
                "-u",
                "--sctp-service",
                "-u",
            ];
            let option = option[kind - 2];
            format!(
                "{option} {}:{port}",
                chance.one_of([VIPS[0], VIPS[0], VIPS[1]])
            )
        }
    }
}

fn how(chance: &mut Chance) -> String {
    let mut how = format!("-s {}", chance.one_of(SCHEDULERS));
    if chance.one_in(3) {
        how += &format!(" -p {}", chance.one_of([1, 60, 360]));
        if chance.one_in(2) {
            how += " -M 255.255.255.0";
        }
    }
    if chance.one_in(5) {
        how += " --ops";
    }
    if chance.one_in(6) {
        how += " -b sh-port";
    }
    how
}

fn server(chance: &mut Chance) -> String {
    let port = chance.one_of([80, 80, 8_080, 21, 53, 0]);
    let weight = chance.one_of([0, 1, 1, 1, 3]);
    let address = match chance.one_in(12) {
        true => format!("[{}]", chance.one_of(SERVERS_6)),
        false => chance.one_of(SERVERS).to_owned(),
    };
    let mut words = format!("-r {address}:{port} -m -w {weight}");
    if chance.one_in(5) {
        words += &format!(" -x {} -y {}", 1 + chance.below(3), chance.below(2));
    }
    words
}

fn command(chance: &mut Chance) -> Act {
    let service = service(chance);
    Act::Ipvsadm(match chance.below(16) {
        0..3 => format!("-A {service} {}", how(chance)),
        3..8 => format!("-a {service} {}", server(chance)),
        8..10 => format!("-e {service} {}", server(chance)),
        10 => format!("-E {service} {}", how(chance)),
        11..13 => {
            let server = server(chance);
            let address = server.split(" -m").next().unwrap_or_default();
            format!("-d {service} {address}")
        }
        13 => format!("-D {service}"),
        14 => "-Z".to_owned(),
        _ => match chance.one_in(4) {
            true => "-C".to_owned(),
            false => format!("--set {} {} {}", chance.below(900), chance.below(90), 30),
        },
    })
}

fn setting(chance: &mut Chance) -> Act {
    let all = SettingName::ALL;
    let name = all[chance.below(all.len())];
    Act::Set {
        name: name.name().to_owned(),
        value: chance.one_of([0, 1, 1, 2, 2, 3, 10, 50]),
    }
}

fn rule(chance: &mut Chance) -> Act {
    let text = |text: &str| text.to_owned();
    let rule = MarkText {
        mark: 7,
        protocol: text(chance.one_of(["-", "tcp", "udp", "sctp"])),
        source: text(chance.one_of(["-", "-", "203.0.113.0/24"])),
        destination: text(chance.one_of(["-", "198.51.100.7/32", "198.51.100.0/24"])),
        ports: text(chance.one_of(["-", "80", "80,5000-6000", "0-65535"])),
        interface: text(chance.one_of(["-", "-", "if2", "if9"])),
    };
    match chance.below(8) {
        0 => Act::Unmark(rule),
        1..4 => Act::Mark(rule),
        4 => Act::Allow {
            prefix: text(chance.one_of(PREFIXES)),
        },
        5 | 6 => Act::Deny {
            prefix: text(chance.one_of(PREFIXES)),
        },
        _ => Act::Own {
            networks: text(chance.one_of(["", "10.9.0.0/24", "10.9.0.0/24 203.0.113.3/32"])),
        },
    }
}

fn passing(chance: &mut Chance) -> Act {
    match chance.below(12) {
        0..5 => Act::Advance {
            ms: chance.one_of(TIMES_MS),
        },
        5..7 => Act::Sweep(Haste::Relaxed),
        7 => Act::Sweep(Haste::Short),
        8 => Act::Tend,
        9 => Act::Forget,
        10 => Act::Restart,
        _ => {
            let first = chance.one_of([0, 1_024, 60_000]);
            let last = if first == 0 { 0 } else { u16::MAX };
            Act::Spare { first, last }
        }
    }
}

fn expectation(chance: &mut Chance, world: &World) -> Act {
    let all = world.connections();
    let ends = chance.pick(&all).and_then(ends);
    let [client, vip] = match ends {
        Some([client, vip, _]) => [client.to_string(), vip.to_string()],
        None => ["203.0.113.1:5000".to_owned(), "198.51.100.7:21".to_owned()],
    };
    Act::Expect(Expected {
        caller: chance.one_of([Caller::Client, Caller::Server]),
        client,
        vip,
        port: chance.one_of([5_000, 30_000, 65_535]),
        count: chance.one_of([1, 1, 1, 2, 300, 5_000]),
    })
}

fn arrival(chance: &mut Chance, world: &World) -> Arrival {
    let all = world.connections();
    let connection = chance.pick(&all).filter(|_| !chance.one_in(3));
    let talk = connection.and_then(|connection| {
        let protocol = connection.protocol.map_or(TCP, |p| p.number());
        Some((protocol, ends(connection)?))
    });
    let (side, mut draft) = match talk {
        Some((protocol, ends)) => within(chance, protocol, ends),
        None => anew(chance),
    };
    vary(chance, &mut draft);
    draft.dst_mac = match side {
        Side::Outer => OUTER_MAC,
        Side::Inner => INNER_MAC,
    };
    let mut bytes = draft.frame();
    if chance.one_in(12) {
        damage(chance, &mut bytes);
    }
    Arrival {
        side,
        front: match chance.one_in(3) {
            true => Front::Accelerator,
            false => Front::None,
        },
        receiver: match chance.one_in(25) {
            true => Receiver::Other,
            false => Receiver::Host,
        },
        segment_size: match chance.one_in(25) {
            true => chance.within(1..=1_500),
            false => 0,
        },
        bytes,
    }
}

/// A packet of a connection that is there, or an error about one.
fn within(chance: &mut Chance, protocol: u8, ends: [SocketAddr; 3]) -> (Side, Draft) {
    let [client, vip, server] = ends;
    match chance.below(10) {
        0..5 => (Side::Outer, Draft::new(protocol, client, vip)),
        5..8 => (Side::Inner, Draft::new(protocol, server, client)),
        8 => {
            let router = address(chance.one_of(["203.0.113.9", "203.0.113.1"]), 0);
            let quote = Draft::new(protocol, vip, client);
            (Side::Outer, error(chance, router, vip, &quote))
        }
        _ => {
            let quote = Draft::new(protocol, client, server);
            (Side::Inner, error(chance, server, client, &quote))
        }
    }
}

fn error(chance: &mut Chance, from: SocketAddr, to: SocketAddr, quote: &Draft) -> Draft {
    let mut quote = quote.clone();
    vary(chance, &mut quote);
    let mut quoted = quote.packet();
    if chance.one_in(3) {
        quoted.truncate(28 + chance.below(40));
    }
    Draft {
        kinds: vec![chance.one_of([3, 3, 11, 12, 4, 5, 8])],
        payload: quoted,
        ..Draft::new(ICMP, from, to)
    }
}

/// A packet of nothing that is there.
fn anew(chance: &mut Chance) -> (Side, Draft) {
    let protocol = chance.one_of([TCP, TCP, TCP, UDP, UDP, SCTP, ICMP, 47]);
    let port = chance.one_of(SOURCE_PORTS);
    let to = chance.one_of(PORTS);
    if chance.one_in(14) {
        let client = address(chance.one_of(CLIENTS_6), port);
        return (
            Side::Outer,
            Draft::new(protocol, client, address(chance.one_of(VIPS_6), to)),
        );
    }
    let client = address(chance.one_of(CLIENTS), port);
    match chance.one_in(4) {
        true => {
            let server = address(chance.one_of(SERVERS), to);
            (Side::Inner, Draft::new(protocol, server, client))
        }
        false => {
            let vip = address(
                chance.one_of([VIPS[0], VIPS[0], VIPS[0], VIPS[1], VIPS[2]]),
                to,
            );
            let mut draft = Draft::new(protocol, client, vip);
            draft.flags = SYN;
            draft.kinds = vec![1];
            (Side::Outer, draft)
        }
    }
}

fn vary(chance: &mut Chance, draft: &mut Draft) {
    if chance.one_in(2) && draft.protocol != ICMP {
        draft.flags = chance.one_of([SYN, SYN, SYN | ACK, ACK, FIN | ACK, RST, RST | ACK, 0]);
        draft.kinds = (0..chance.below(3))
            .map(|_| chance.one_of(CHUNKS))
            .collect();
    }
    if chance.one_in(4) && draft.protocol != ICMP {
        draft.payload = vec![0; chance.one_of(LENGTHS)];
    }
    if chance.one_in(8) {
        draft.ttl = chance.one_of([0, 1, 2, 255]);
    }
    if chance.one_in(4) {
        draft.may_fragment = true;
    }
    if chance.one_in(8) {
        draft.may_fragment = true;
        draft.piece = chance.one_of([0x2000, 0x2000, 0x2001, 185, 0x1fff]);
        draft.id = chance.one_of([77, 77, 78]);
    }
    if chance.one_in(8) {
        draft.options = chance.one_of([[1, 1, 1, 0], [7, 4, 4, 0]]).to_vec();
    }
    if chance.one_in(8) {
        draft.tcp_options = vec![2, 4, 5, 0xb4];
    }
    if chance.one_in(6) {
        draft.sum = chance.one_of([SumField::Wrong, SumField::Zero, SumField::Pseudo]);
    }
    if chance.one_in(10) {
        draft.tos = chance.next() as u8;
    }
}

/// Bytes that no sender would send.
fn damage(chance: &mut Chance, bytes: &mut Vec<u8>) {
    match chance.below(4) {
        0 => bytes.truncate(chance.below(bytes.len() + 1)),
        1 => bytes.extend_from_slice(&[0xee; 7]),
        _ => {
            for _ in 0..1 + chance.below(4) {
                let at = chance.below(bytes.len().min(80));
                if let Some(byte) = bytes.get_mut(at) {
                    *byte = chance.one_of([0, 1, 0x40, 0x45, 0x4f, 0x60, 0x7f, 0x80, 0xff]);
                }
            }
        }
    }
}

/// The addresses of the tables are all well-formed.
pub fn address(ip: &str, port: u16) -> SocketAddr {
    let ip = ip.parse().unwrap_or(std::net::IpAddr::from([0, 0, 0, 0]));
    SocketAddr::new(ip, port)
}

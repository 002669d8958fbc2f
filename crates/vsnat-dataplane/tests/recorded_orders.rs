//! Every recorded order of a real IPVS, replayed on the packet path.
//!
//! `recorded/schedulers/` holds, for each scheduler, the commands that were
//! given, the connections that a client opened, the server that answered each,
//! and the table afterwards. One test for each file.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test says what is wrong by failing"
)]

mod case_table;

use std::net::{Ipv4Addr, SocketAddrV4};
use std::path::Path;
use std::{fs, process};

use case_table::frame::{Flags, Frame, read};
use case_table::model_world::ModelWorld;
use case_table::{Fate, World};
use libtest_mimic::{Arguments, Failed, Trial};
use vsnat_api::{
    Command, Protocol, SchedulerFlags, ServerSpec, ServiceKey, ServiceSpec, Side, Weight,
};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/recorded/schedulers");

fn main() -> process::ExitCode {
    let mut files: Vec<_> = fs::read_dir(FOLDER)
        .unwrap()
        .map(|f| f.unwrap().path())
        .collect();
    files.sort();
    assert!(!files.is_empty(), "no recordings in {FOLDER}");
    let trials = files.into_iter().map(|file| {
        let name = file.file_stem().unwrap().to_string_lossy().into_owned();
        Trial::test(name, move || replay(&file))
    });
    libtest_mimic::run(&Arguments::from_args(), trials.collect()).exit_code()
}

/// What a recording says.
struct Recording {
    commands: Vec<Command>,
    service: ServiceKey,
    mode: Mode,
    /// Client and virtual address of each connection, in their order.
    connections: Vec<(SocketAddrV4, SocketAddrV4)>,
    /// Server of each connection; `None` where it was refused.
    order: Vec<Option<usize>>,
    /// Active and inactive connections of each server, newest first.
    counts: Vec<(u32, u32)>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// Each is closed before the next opens.
    Sequential,
    /// All stay open.
    Hold,
    /// Every second one is closed.
    Alternate,
    /// One datagram each.
    Datagram,
}

fn replay(file: &Path) -> Result<(), Failed> {
    let recording = parse(&fs::read_to_string(file).unwrap());
    let mut world = ModelWorld::new();
    for command in &recording.commands {
        world.apply(command)?;
    }
    let mut order = Vec::new();
    for (number, (client, vip)) in recording.connections.iter().enumerate() {
        let client = match client.port() {
            // A refused client's port was not recorded: any free one.
            0 => SocketAddrV4::new(*client.ip(), 1_024 + number as u16),
            _ => *client,
        };
        let server = connect(&mut world, &recording, number, client, *vip);
        order.push(server.map(|ip| usize::from(ip.octets()[3] - 10)));
    }
    assert_eq!(order, recording.order, "the order of servers");
    let services = world.services();
    let service = services
        .iter()
        .find(|s| s.spec.key == recording.service)
        .unwrap();
    let counts: Vec<_> = service
        .servers
        .iter()
        .map(|s| (s.active, s.inactive))
        .collect();
    assert_eq!(counts, recording.counts, "active and inactive connections");
    Ok(())
}

/// One connection in the recording's mode; answers the server it was given.
fn connect(
    world: &mut ModelWorld,
    recording: &Recording,
    number: usize,
    client: SocketAddrV4,
    vip: SocketAddrV4,
) -> Option<Ipv4Addr> {
    let ends = |end: SocketAddrV4| (end.ip().octets(), end.port());
    let to = Frame::outer(ends(client), ends(vip));
    let opening = match recording.mode {
        Mode::Datagram => to.udp(),
        Mode::Sequential | Mode::Hold | Mode::Alternate => to.tcp(Flags::Syn),
    };
    let (fate, bytes) = world.run(Side::Outer, &opening.into());
    assert_eq!(fate, Fate::Sent);
    if bytes[23] == 1 {
        return None;
    }
    let server = read(&bytes).dst;
    let from = Frame::inner(server, ends(client));
    let closes = match recording.mode {
        Mode::Sequential => true,
        Mode::Alternate => number % 2 == 1,
        Mode::Hold => false,
        Mode::Datagram => {
            world.run(Side::Inner, &from.udp().into());
            return Some(server.0.into());
        }
    };
    world.run(Side::Inner, &from.tcp(Flags::SynAck).into());
    world.run(Side::Outer, &to.tcp(Flags::Ack).into());
    if closes {
        world.run(Side::Outer, &to.tcp(Flags::FinAck).into());
        world.run(Side::Inner, &from.tcp(Flags::FinAck).into());
        world.run(Side::Outer, &to.tcp(Flags::Ack).into());
    }
    Some(server.0.into())
}

fn parse(text: &str) -> Recording {
    let lines = || text.lines();
    let words: Vec<Vec<&str>> = lines()
        .filter_map(|line| line.strip_prefix("$ ipvsadm "))
        .map(|line| line.split_whitespace().collect())
        .collect();
    let service = service_key(&words[0]);
    let mode = lines().find_map(|line| line.split_once("mode=")).unwrap().1;
    let order = lines()
        .find_map(|line| line.strip_prefix("order: "))
        .unwrap();
    Recording {
        commands: words.iter().map(|words| command(words)).collect(),
        service,
        mode: match mode.split_whitespace().next().unwrap() {
            "seq" => Mode::Sequential,
            "hold" => Mode::Hold,
            "alt" => Mode::Alternate,
            "udp" => Mode::Datagram,
            other => panic!("unknown mode {other}"),
        },
        connections: lines().filter_map(connection).collect(),
        order: order
            .split_whitespace()
            .map(|server| server.parse().ok())
            .collect(),
        counts: lines().filter_map(counts).collect(),
    }
}

fn service_key(words: &[&str]) -> ServiceKey {
    let protocol = match words[1] {
        "-t" => Protocol::Tcp,
        "-u" => Protocol::Udp,
        other => panic!("unknown service {other}"),
    };
    let address = words[2].parse().unwrap();
    ServiceKey::Address { protocol, address }
}

fn value<'a>(words: &[&'a str], option: &str) -> &'a str {
    let at = words.iter().position(|word| *word == option).unwrap();
    words[at + 1]
}

fn command(words: &[&str]) -> Command {
    let key = service_key(words);
    match words[0] {
        "-A" => Command::AddService(ServiceSpec {
            flags: flags(words),
            ..ServiceSpec::new(key, value(words, "-s").parse().unwrap())
        }),
        "-a" => Command::AddServer {
            service: key,
            server: ServerSpec::new(
                value(words, "-r").parse().unwrap(),
                Weight::new(value(words, "-w").parse().unwrap()).unwrap(),
            ),
        },
        other => panic!("unknown command {other}"),
    }
}

fn flags(words: &[&str]) -> SchedulerFlags {
    let Some(at) = words.iter().position(|word| *word == "-b") else {
        return SchedulerFlags::default();
    };
    let flag = |name: &str| match name {
        "sh-fallback" | "mh-fallback" => SchedulerFlags::FALLBACK,
        "sh-port" | "mh-port" => SchedulerFlags::PORT,
        other => panic!("unknown flag {other}"),
    };
    let names = words[at + 1].split(',').map(flag);
    names.fold(SchedulerFlags::default(), SchedulerFlags::with)
}

/// `index client virtual server`
fn connection(line: &str) -> Option<(SocketAddrV4, SocketAddrV4)> {
    let mut words = line.split_whitespace();
    words.next()?.parse::<u32>().ok()?;
    let client = words.next()?.parse().ok()?;
    Some((client, words.next()?.parse().ok()?))
}

/// `  -> address Masq weight active inactive`
fn counts(line: &str) -> Option<(u32, u32)> {
    let words: Vec<&str> = line.trim().strip_prefix("->")?.split_whitespace().collect();
    Some((words[3].parse().ok()?, words[4].parse().ok()?))
}

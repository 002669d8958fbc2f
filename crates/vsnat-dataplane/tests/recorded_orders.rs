//! Every recorded order of a real IPVS, replayed on the packet path.
//!
//! The folders of `recorded/` hold, for each scheduler, the commands that were
//! given, the connections that a client opened, the server that answered each,
//! and the table afterwards: `schedulers` all of them over one service each,
//! `mh` its tables for many sets of servers, `locality` `lblc` and `lblcr` by
//! mark over many destinations. One test for each file.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test says what is wrong by failing"
)]

mod case_table;
mod recording;

use std::net::{Ipv4Addr, SocketAddrV4};
use std::path::Path;
use std::{fs, process};

use case_table::World;
use case_table::frame::{Flags, Frame};
use case_table::model_world::ModelWorld;
use case_table::talk::pick;
use libtest_mimic::{Arguments, Failed, Trial};
use recording::{Counted, Mode, Recording, parse};
use vsnat_api::Side;

const RECORDED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/recorded");
const FOLDERS: [&str; 3] = ["schedulers", "mh", "locality"];

fn main() -> process::ExitCode {
    let mut files = Vec::new();
    for folder in FOLDERS {
        let folder = Path::new(RECORDED).join(folder);
        let before = files.len();
        files.extend(
            fs::read_dir(&folder)
                .unwrap()
                .map(|file| file.unwrap().path()),
        );
        assert!(
            files.len() > before,
            "no recordings in {}",
            folder.display()
        );
    }
    files.sort();
    let trials = files.into_iter().map(|file| {
        let name = file.file_stem().unwrap().to_string_lossy().into_owned();
        Trial::test(name, move || replay(&file))
    });
    libtest_mimic::run(&Arguments::from_args(), trials.collect()).exit_code()
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
        .map(|s| match recording.counted {
            Counted::RightAfter => (s.active, s.inactive),
            Counted::AtTheEnd => (0, s.active + s.inactive),
        })
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
    let server = pick(world, opening)?;
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

//! A data plane from its loading to its removal: attached by whatever the
//! kernel has, working on without its loader, adopted, refused, removed.
//! Needs root.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test says what is wrong by failing"
)]

mod case_table;

use std::collections::BTreeSet;
use std::process::Command as Process;
use std::time::{Duration, Instant};

use aya::maps::{Array, Map, MapData, MapInfo, loaded_maps};
use aya::programs::loaded_programs;
use case_table::frame::{Flags, Frame as Packet, read};
use case_table::kernel_world::KernelWorld;
use case_table::wire::Wire;
use case_table::{SERVER_A, World, web};
use vsnat_abi::{ABI_VERSION, map};
use vsnat_api::{ConnectionState, Side};
use vsnat_dataplane::{DataPlane, Limits, OpenError, OpenOptions, Origin, Timeouts};

const LIMITS: Limits = Limits {
    connections: 1_000,
    services: 16,
    servers: 64,
};

const PATIENCE: Duration = Duration::from_secs(20);

fn options(name: &str, limits: Limits) -> OpenOptions {
    OpenOptions {
        name: name.to_owned(),
        limits,
        object: None,
    }
}

fn attach(world: &mut KernelWorld) {
    world.plane.attach("outer0", Side::Outer).unwrap();
    world.plane.attach("inner0", Side::Inner).unwrap();
}

/// A client's SYN on the wire, and what arrives at the server.
fn syn_reaches_the_server(world: &KernelWorld, port: u16) {
    let from = Wire::open("outer1");
    let to = Wire::open("inner1");
    let syn = Packet::outer((world.client(), port), (world.vip(), 80)).tcp(Flags::Syn);
    from.send(&syn);
    let arrived = to
        .receive_ip(PATIENCE)
        .expect("nothing arrived at the server");
    assert_eq!(read(&arrived).dst, (SERVER_A, 80));
    assert_eq!(read(&arrived).src, (world.client(), port));
}

#[test]
fn real_packets_are_translated_on_their_way() {
    let mut world = KernelWorld::new("wire", LIMITS);
    web(&mut world);
    attach(&mut world);
    syn_reaches_the_server(&world, 5_000);
    let back = Packet::inner((SERVER_A, 80), (world.client(), 5_000)).tcp(Flags::SynAck);
    let client = Wire::open("outer1");
    Wire::open("inner1").send(&back);
    let arrived = client
        .receive_ip(PATIENCE)
        .expect("nothing arrived at the client");
    assert_eq!(read(&arrived).src, (world.vip(), 80));
}

#[test]
fn attaching_again_replaces_the_program_in_place() {
    let mut world = KernelWorld::new("again", LIMITS);
    web(&mut world);
    attach(&mut world);
    attach(&mut world);
    let seen = world.count("seen");
    syn_reaches_the_server(&world, 5_000);
    assert_eq!(
        world.count("seen"),
        seen + 1,
        "one program sees a packet once"
    );
}

#[test]
fn it_forwards_and_expires_without_its_loader_and_is_adopted() {
    let mut world = KernelWorld::new("alone", LIMITS);
    web(&mut world);
    attach(&mut world);
    let mut timeouts = Timeouts::default();
    timeouts.set(ConnectionState::SynRecv, Duration::from_secs(2));
    world.plane.set_timeouts(&timeouts);
    syn_reaches_the_server(&world, 5_000);
    assert_eq!(world.plane.table().live, 1);
    let services = world.plane.services();
    let expired = world.plane.sweeper().expired;

    world.close();
    syn_reaches_the_server(&world, 5_001);
    std::thread::sleep(Duration::from_secs(5));

    let origin = world.reopen(&options(world.name(), LIMITS));
    assert!(matches!(origin, Origin::Adopted { running, loaded } if running == loaded));
    assert_eq!(
        world.plane.sweeper().expired,
        expired + 2,
        "expired with nobody there"
    );
    let table = world.plane.table();
    assert_eq!(
        (table.live, table.dying, table.free),
        (0, 0, LIMITS.connections)
    );
    let adopted = world.plane.services();
    assert_eq!(adopted[0].spec, services[0].spec);
    assert_eq!(adopted[0].servers[0].spec, services[0].servers[0].spec);
    assert_eq!(
        (adopted[0].servers[0].active, adopted[0].servers[0].inactive),
        (0, 0)
    );
    assert_eq!(adopted[0].counters.connections, 2);
    syn_reaches_the_server(&world, 5_002);
}

#[test]
fn a_frame_of_a_vlan_is_not_ours() {
    const TAG: [u8; 4] = [0x81, 0x00, 0x00, 0x64];
    let mut world = KernelWorld::new("vlan", LIMITS);
    web(&mut world);
    attach(&mut world);
    let mut syn = Packet::outer((world.client(), 5_000), (world.vip(), 80)).tcp(Flags::Syn);
    syn.splice(12..12, TAG);
    let not_ours = world.count("not_ours");
    Wire::open("outer1").send(&syn);
    let started = Instant::now();
    while world.count("not_ours") == not_ours {
        assert!(started.elapsed() < PATIENCE, "the frame was never seen");
        std::thread::sleep(Duration::from_millis(1));
    }
    assert_eq!(world.connections(), []);
    syn_reaches_the_server(&world, 5_001);
}

#[test]
fn an_interface_with_a_dot_in_its_name_can_be_attached() {
    let mut world = KernelWorld::new("dot", LIMITS);
    for line in [
        "link set outer0 down",
        "link set outer0 name eth0.100",
        "link set eth0.100 up",
    ] {
        let done = Process::new("ip").args(line.split_whitespace()).status();
        assert!(done.unwrap().success(), "ip {line}");
    }
    world.plane.attach("eth0.100", Side::Outer).unwrap();
    world.plane.attach("eth0.100", Side::Outer).unwrap();
    world.plane.detach("eth0.100").unwrap();
}

#[test]
fn the_sweeper_ticks_with_the_loaded_version() {
    let world = KernelWorld::new("ticks", LIMITS);
    let before = world.plane.sweeper();
    let started = Instant::now();
    while world.plane.sweeper().ticks < before.ticks + 5 {
        assert!(started.elapsed() < PATIENCE, "the sweeper does not tick");
        std::thread::sleep(Duration::from_millis(20));
    }
    let sweeper = world.plane.sweeper();
    assert_eq!(sweeper.version, sweeper.expected_version);
}

#[test]
fn another_capacity_is_refused_and_nothing_changes() {
    let mut world = KernelWorld::new("size", LIMITS);
    web(&mut world);
    let other = Limits {
        connections: 2_000,
        ..LIMITS
    };
    let refused = DataPlane::open(&options(world.name(), other)).map(drop);
    let error = refused.expect_err("another capacity").to_string();
    assert!(error.contains("for 1000 connections"), "{error}");
    assert!(error.contains("for 2000 connections"), "{error}");
    assert!(error.contains("vsnat down"), "{error}");
    assert_eq!(world.plane.services().len(), 1);
}

#[test]
fn another_version_is_refused_and_half_a_data_plane_is_replaced() {
    let mut world = KernelWorld::new("version", LIMITS);
    web(&mut world);
    world.close();
    write_abi_version(world.name(), ABI_VERSION + 1);
    let refused = DataPlane::open(&options(world.name(), LIMITS)).map(drop);
    let Err(error @ OpenError::OtherLayout { .. }) = refused else {
        panic!("another layout must be refused: {refused:?}");
    };
    let wanted = format!("layout {ABI_VERSION}");
    let found = format!("layout {}", ABI_VERSION + 1);
    let error = error.to_string();
    assert!(error.contains(&wanted) && error.contains(&found), "{error}");

    // Zero is what a director leaves that dies while it makes the state.
    write_abi_version(world.name(), 0);
    let origin = world.reopen(&options(world.name(), LIMITS));
    assert_eq!(origin, Origin::Loaded);
    assert_eq!(world.plane.services(), []);
}

#[test]
fn pins_without_the_last_of_them_are_not_adopted() {
    let mut world = KernelWorld::new("half", LIMITS);
    web(&mut world);
    world.close();
    let folder = format!("/sys/fs/bpf/vsnat/{}", world.name());
    for pin in [map::INFO, map::FREE] {
        std::fs::remove_file(format!("{folder}/{pin}")).unwrap();
    }
    assert!(
        DataPlane::is_pinned(world.name()),
        "half a data plane is something to remove"
    );
    let smaller = Limits {
        connections: 500,
        ..LIMITS
    };
    let origin = world.reopen(&options(world.name(), smaller));
    assert_eq!(origin, Origin::Loaded);
    assert_eq!(world.plane.services(), []);
    assert_eq!(world.plane.table().capacity, smaller.connections);
}

fn write_abi_version(name: &str, version: u32) {
    let pin = format!("/sys/fs/bpf/vsnat/{name}/{}", map::INFO);
    let data = Map::Array(MapData::from_pin(pin).unwrap());
    let mut info: Array<MapData, [u32; 6]> = data.try_into().unwrap();
    let mut words = info.get(&0, 0).unwrap();
    words[0] = version;
    info.set(0, words, 0).unwrap();
}

/// Programs of two directors work on one packet while one takes over.
#[test]
fn the_programs_share_every_map_with_those_that_follow_them() {
    let mut world = KernelWorld::new("share", LIMITS);
    web(&mut world);
    attach(&mut world);
    let pins = std::fs::read_dir(format!("/sys/fs/bpf/vsnat/{}", world.name())).unwrap();
    // The links have a folder there.
    let pinned: BTreeSet<u32> = pins
        .filter_map(|pin| Some(MapInfo::from_pin(pin.ok()?.path()).ok()?.id()))
        .collect();
    let mut programs = 0;
    for program in loaded_programs().flatten() {
        // Another one's, or gone since.
        let Ok(Some(ids)) = program.map_ids() else {
            continue;
        };
        if !ids.iter().any(|id| pinned.contains(id)) {
            continue;
        }
        programs += 1;
        for map in loaded_maps().flatten() {
            let is_ours = ids.contains(&map.id());
            // What a program was given when it was loaded is its own.
            let is_constant = map
                .name_as_str()
                .is_some_and(|name| name.contains(".rodata"));
            assert!(
                !is_ours || is_constant || pinned.contains(&map.id()),
                "{:?} of {:?} is not pinned",
                map.name_as_str(),
                program.name_as_str()
            );
        }
    }
    assert!(programs > 0);
}

#[test]
fn removal_leaves_nothing_behind() {
    let before = attachments();
    let mut world = KernelWorld::new("gone", LIMITS);
    let empty = attachments();
    web(&mut world);
    attach(&mut world);
    assert_ne!(attachments(), empty);
    let folder = format!("/sys/fs/bpf/vsnat/{}", world.name());
    assert!(std::fs::exists(&folder).unwrap());
    world.close();
    DataPlane::remove(world.name()).unwrap();
    assert!(!std::fs::exists(&folder).unwrap());
    assert_eq!(
        attachments(),
        empty,
        "neither filter nor qdisc; before: {before}"
    );
    DataPlane::remove(world.name()).unwrap();
}

/// Qdiscs and filters of the namespace, in the kernel's own words.
fn attachments() -> String {
    let show = |arguments: &[&str]| {
        let output = Process::new("tc").args(arguments).output().unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let links = Process::new("ip")
        .args(["-details", "link", "show", "outer0"])
        .output()
        .unwrap();
    let links = String::from_utf8_lossy(&links.stdout).into_owned();
    let programs = links
        .lines()
        .filter(|line| line.contains("prog/"))
        .collect::<Vec<_>>();
    show(&["qdisc", "show"])
        + &show(&["filter", "show", "dev", "outer0", "ingress"])
        + &programs.join("\n")
        + &tcx_programs()
}

/// TCX links do not show in tc: the kernel is asked by their pins' absence.
fn tcx_programs() -> String {
    use aya::programs::{SchedClassifier, TcAttachType};
    match SchedClassifier::query_tcx("outer0", TcAttachType::Ingress) {
        Ok((_, programs)) => format!("{} programs by tcx", programs.len()),
        // No interface yet, or a kernel without TCX.
        Err(_) => String::new(),
    }
}

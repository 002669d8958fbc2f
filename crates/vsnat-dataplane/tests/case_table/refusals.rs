//! Packets that are refused: the answers we make, and the sources we do not
//! want.

use etherparse::TcpHeaderSlice;
use vsnat_api::{Command, Protocol, Scheduler, Setting, SettingName, Side};

use super::frame::{Flags, Frame, SeenError, read, read_error};
use super::*;

#[track_caller]
fn refused(world: &mut dyn World, frame: impl Into<Arriving>, reason: &str) -> SeenError {
    world.let_icmp_recover();
    let before = world.count(reason);
    let bytes = sent(world, Side::Outer, frame);
    assert_eq!(world.count(reason), before + 1, "counted as {reason}");
    read_error(&bytes)
}

/// The start of a packet's IP part, as far as an answer quotes it.
fn quoted(frame: &[u8]) -> Vec<u8> {
    frame[14..].iter().copied().take(128).collect()
}

pub fn no_server_left(world: &mut dyn World) {
    let service = web(world);
    let address = endpoint(SERVER_A, 80);
    world
        .apply(&Command::DeleteServer { service, address })
        .unwrap();
    // Payloads of odd lengths, and one longer than what is quoted.
    for length in [0, 1, 2, 3, 61, 1_000] {
        let frame = Frame::outer((world.client(), 5000), (world.vip(), 80));
        let frame = frame.payload(length).tcp(Flags::Syn);
        let error = refused(world, frame.clone(), "no_server");
        assert_eq!((error.kind, error.mtu), ((3, 3), 0));
        assert_eq!((error.src, error.dst), (world.vip(), world.client()));
        assert_eq!(error.dst_mac, GATEWAY_MAC);
        assert_eq!(error.quote, quoted(&frame));
    }
    assert_eq!(world.connections(), []);
}

/// A service whose only server was deleted, and what its clients are told.
fn deserted(world: &mut dyn World, answer: u32) {
    let service = web(world);
    let address = endpoint(SERVER_A, 80);
    world
        .apply(&Command::DeleteServer { service, address })
        .unwrap();
    let setting = Setting::new(SettingName::NoServerAnswer, answer).unwrap();
    world.apply(&Command::Set(setting)).unwrap();
    world.let_icmp_recover();
}

pub fn no_server_left_and_a_reset_wanted(world: &mut dyn World) {
    deserted(world, 1);
    let client = (world.client(), 5000);
    // With data in the SYN, as TCP Fast Open sends it.
    for length in [0, 7] {
        let frame = Frame::outer(client, (world.vip(), 80)).payload(length);
        let answer = sent(world, Side::Outer, frame.tcp(Flags::Syn));
        let seen = read(&answer);
        assert_eq!((seen.src, seen.dst), ((world.vip(), 80), client));
        assert_eq!(seen.dst_mac, GATEWAY_MAC);
        let tcp = TcpHeaderSlice::from_slice(&answer[34..]).unwrap();
        assert!(tcp.rst() && tcp.ack() && !tcp.syn());
        assert_eq!(tcp.sequence_number(), 0);
        // The SYN is number 1,000 of its sequence.
        assert_eq!(tcp.acknowledgment_number(), 1_001 + length as u32);
        assert_eq!(answer.len(), 54);
    }
    assert_eq!(world.connections(), []);
    // Where there is no TCP, ICMP says it.
    let key = service(world, Protocol::Udp, 53);
    add_service(world, key, Scheduler::Rr);
    let question = Frame::outer(client, (world.vip(), 53)).udp();
    assert_eq!(refused(world, question, "no_server").kind, (3, 3));
}

pub fn no_server_left_and_silence_wanted(world: &mut dyn World) {
    deserted(world, 2);
    let frame = Frame::outer((world.client(), 5000), (world.vip(), 80));
    dropped(world, Side::Outer, frame.tcp(Flags::Syn), "no_server");
    // Other refusals are told as ever.
    let dying = frame.ttl(1).tcp(Flags::Syn);
    assert_eq!(refused(world, dying, "ttl_exceeded").kind, (11, 0));
}

pub fn time_to_live_is_used_up(world: &mut dyn World) {
    web(world);
    let frame = Frame::outer((world.client(), 5000), (world.vip(), 80)).ttl(1);
    let error = refused(world, frame.tcp(Flags::Syn), "ttl_exceeded");
    assert_eq!((error.kind, error.src), ((11, 0), world.vip()));
    assert_eq!(
        error.quote,
        quoted(&frame.tcp(Flags::Syn)),
        "the TTL as it was sent"
    );
    assert_eq!(world.connections(), [], "before any side effect");
    let frame = frame.ttl(64);
    sent(world, Side::Outer, frame.tcp(Flags::Syn));
    let frame = frame.ttl(0);
    refused(world, frame.tcp(Flags::Ack), "ttl_exceeded");
}

pub fn too_big_for_the_next_link(world: &mut dyn World) {
    web(world);
    let to = Frame::outer((world.client(), 5000), (world.vip(), 80));
    sent(world, Side::Outer, to.tcp(Flags::Syn));
    // One link further the route is known, and so is its MTU.
    let mtu = usize::from(INNER_MTU);
    let fits = to.clone().payload(mtu - 40).tcp(Flags::Ack);
    assert_eq!(
        read(&sent(world, Side::Outer, fits)).payload.len(),
        mtu - 40
    );
    let frame = to.clone().payload(mtu - 39).tcp(Flags::Ack);
    let error = refused(world, frame.clone(), "fragmentation_needed");
    assert_eq!((error.kind, error.mtu), ((3, 4), INNER_MTU));
    assert_eq!((error.src, error.quote), (world.vip(), quoted(&frame)));
}

pub fn segments_too_big_for_the_next_link(world: &mut dyn World) {
    web(world);
    let to = Frame::outer((world.client(), 5000), (world.vip(), 80));
    sent(world, Side::Outer, to.tcp(Flags::Syn));
    let frame = Arriving {
        bytes: to.payload(3_000).tcp(Flags::Ack),
        segment_size: u32::from(INNER_MTU) - 39,
    };
    let error = refused(world, frame, "fragmentation_needed");
    assert_eq!((error.kind, error.mtu), ((3, 4), INNER_MTU));
}

pub fn a_checksum_that_a_card_will_fill_in(world: &mut dyn World) {
    let service = web(world);
    let address = endpoint(SERVER_A, 80);
    world
        .apply(&Command::DeleteServer { service, address })
        .unwrap();
    let frame = Frame::outer((world.client(), 5000), (world.vip(), 80)).payload(4);
    let complete = frame.tcp(Flags::Syn);
    let right = u16::from_be_bytes([complete[50], complete[51]]);
    // What a stack leaves to the card: the sum of the pseudo header.
    let mut partial = complete.clone();
    let pseudo = pseudo_sum(&complete);
    partial[50..52].copy_from_slice(&pseudo.to_be_bytes());
    world.let_icmp_recover();
    let mut answer = sent(world, Side::Outer, partial);
    // What the card does on the way out, the quote being what it is.
    let at = 42 + 20 + 16;
    assert_eq!(answer[at..at + 2], pseudo.to_be_bytes());
    answer[at..at + 2].copy_from_slice(&right.to_be_bytes());
    assert_eq!(read_error(&answer).quote, quoted(&complete));
}

fn pseudo_sum(frame: &[u8]) -> u16 {
    let length = (frame.len() - 34) as u32;
    let words = frame[26..34]
        .chunks(2)
        .map(|w| u32::from(w[0]) << 8 | u32::from(w[1]));
    let mut sum = words.sum::<u32>() + 6 + length;
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    sum as u16
}

pub fn impossible_sources(world: &mut dyn World) {
    web(world);
    let own = format!("{}/32", std::net::Ipv4Addr::from(world.vip()));
    world.set_own_networks(&["10.9.0.0/24", &own]);
    for source in [
        [127, 0, 0, 1],
        [224, 0, 0, 9],
        [255, 255, 255, 255],
        [0, 1, 2, 3],
        SERVER_A,
        world.vip(),
    ] {
        let frame = Frame::outer((source, 5000), (world.vip(), 80));
        dropped(world, Side::Outer, frame.tcp(Flags::Syn), "martian");
    }
    world.set_own_networks(&[]);
}

pub fn denied_sources(world: &mut dyn World) {
    web(world);
    let client = world.client();
    let to = Frame::outer((client, 5000), (world.vip(), 80));
    sent(world, Side::Outer, to.tcp(Flags::Syn));
    let [a, b, c, _] = client;
    let prefix = format!("{a}.{b}.{c}.0/24").parse().unwrap();
    world.apply(&Command::DenyAdd(prefix)).unwrap();
    dropped(world, Side::Outer, to.tcp(Flags::Ack), "denied");
    let other = Frame::outer((client, 5001), (world.vip(), 80));
    dropped(world, Side::Outer, other.tcp(Flags::Syn), "denied");
    let elsewhere = Frame::outer((client, 5001), (NOT_A_VIP, 80));
    passed(world, Side::Outer, elsewhere.tcp(Flags::Syn), "not_ours");
    world.apply(&Command::DenyDelete(prefix)).unwrap();
    sent(world, Side::Outer, to.tcp(Flags::Ack));
}

pub fn answers_are_limited(world: &mut dyn World) {
    let service = web(world);
    let address = endpoint(SERVER_A, 80);
    world
        .apply(&Command::DeleteServer { service, address })
        .unwrap();
    world.let_icmp_recover();
    let (sent_before, limited_before) = (world.count("icmp_sent"), world.count("icmp_limited"));
    let frame = Frame::outer((world.client(), 5000), (world.vip(), 80)).tcp(Flags::Syn);
    for _ in 0..2_000 {
        world.run(Side::Outer, &frame.clone().into());
    }
    let sent = world.count("icmp_sent") - sent_before;
    let limited = world.count("icmp_limited") - limited_before;
    assert_eq!(sent + limited, 2_000);
    assert!(
        (50..1_900).contains(&sent),
        "{sent} answers to 2,000 packets"
    );
}

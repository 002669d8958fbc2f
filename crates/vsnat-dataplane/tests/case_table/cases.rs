//! Packets that are translated, and packets that are left alone.

use vsnat_api::{Command, ConnectionState, Protocol, Scheduler, ServerSpec, Side, Weight};

use super::frame::{Flags, Frame, read};
use super::*;

pub fn not_for_a_vip(world: &mut dyn World) {
    web(world);
    let seen = world.count("seen");
    let frame = Frame::outer((world.client(), 5000), (NOT_A_VIP, 80));
    passed(world, Side::Outer, frame.tcp(Flags::Syn), "not_ours");
    passed(world, Side::Outer, frame.udp(), "not_ours");
    assert_eq!(world.count("seen"), seen + 2);
}

pub fn vip_without_this_service(world: &mut dyn World) {
    let vip = world.vip();
    web(world);
    let frame = Frame::outer((world.client(), 5000), (vip, 81));
    passed(world, Side::Outer, frame.tcp(Flags::Syn), "not_ours");
    passed(world, Side::Outer, frame.udp(), "not_ours");
}

pub fn other_protocols_and_broken_packets(world: &mut dyn World) {
    let vip = world.vip();
    web(world);
    let syn = Frame::outer((world.client(), 5000), (vip, 80))
        .payload(0)
        .tcp(Flags::Syn);
    let mut arp = syn.clone();
    arp[12..14].copy_from_slice(&[0x08, 0x06]);
    let mut version = syn.clone();
    version[14] = 0x65;
    let mut short_header = syn.clone();
    short_header[14] = 0x44;
    let mut icmp = syn.clone();
    icmp[23] = 1;
    for frame in [arp, version, short_header, icmp] {
        passed(world, Side::Outer, frame, "not_ours");
    }
    for length in [34, 41, 53] {
        passed(world, Side::Outer, syn[..length].to_vec(), "not_ours");
    }
    assert_eq!(world.connections(), []);
}

pub fn for_another_host(world: &mut dyn World) {
    let vip = world.vip();
    web(world);
    let frame = Frame::outer((world.client(), 5000), (vip, 80)).for_mac([2, 9, 9, 9, 9, 9]);
    passed(world, Side::Outer, frame.tcp(Flags::Syn), "not_ours");
}

pub fn tcp_both_ways(world: &mut dyn World) {
    let vip = world.vip();
    let key = web(world);
    let client = (world.client(), 5000);
    let opened = world.count("opened");
    let out = read(&sent(
        world,
        Side::Outer,
        Frame::outer(client, (vip, 80)).tcp(Flags::Syn),
    ));
    assert_eq!((out.src, out.dst, out.ttl), (client, (SERVER_A, 80), 63));
    assert_eq!(out.payload, b"hello");
    let back = Frame::inner((SERVER_A, 80), client).tcp(Flags::SynAck);
    let back = read(&sent(world, Side::Inner, back));
    assert_eq!((back.src, back.dst, back.ttl), ((vip, 80), client, 63));
    sent(
        world,
        Side::Outer,
        Frame::outer(client, (vip, 80)).tcp(Flags::Ack),
    );

    assert_eq!(world.count("opened"), opened + 1);
    let connection = world.connections()[0];
    assert_eq!(connection.state, ConnectionState::Established);
    assert_eq!(connection.client, endpoint(client.0, client.1));
    assert_eq!(Some(connection.virtual_address), key.address());
    assert_eq!(connection.server, endpoint(SERVER_A, 80));
    let service = &world.services()[0];
    assert_eq!(
        (service.servers[0].active, service.servers[0].inactive),
        (1, 0)
    );
    let counters = service.counters;
    assert_eq!(
        (
            counters.connections,
            counters.in_packets,
            counters.out_packets
        ),
        (1, 2, 1)
    );
    assert_eq!((counters.in_bytes, counters.out_bytes), (90, 45));
}

pub fn second_packet_takes_the_cached_next_hop(world: &mut dyn World) {
    let vip = world.vip();
    web(world);
    let client = (world.client(), 5000);
    sent(
        world,
        Side::Outer,
        Frame::outer(client, (vip, 80)).tcp(Flags::Syn),
    );
    let asked = world.count("neighbour_asked");
    let out = read(&sent(
        world,
        Side::Outer,
        Frame::outer(client, (vip, 80)).tcp(Flags::Ack),
    ));
    assert_eq!((out.src_mac, out.dst_mac), (INNER_MAC, SERVER_MAC));
    let reply = Frame::inner((SERVER_A, 80), client).tcp(Flags::SynAck);
    sent(world, Side::Inner, reply.clone());
    let back = read(&sent(world, Side::Inner, reply));
    assert_eq!((back.src_mac, back.dst_mac), (OUTER_MAC, GATEWAY_MAC));
    assert!(world.count("neighbour_asked") <= asked + 1);
}

pub fn close_is_followed_to_the_end(world: &mut dyn World) {
    let vip = world.vip();
    web(world);
    let client = (world.client(), 5000);
    let to = Frame::outer(client, (vip, 80));
    let from = Frame::inner((SERVER_A, 80), client);
    sent(world, Side::Outer, to.tcp(Flags::Syn));
    sent(world, Side::Inner, from.tcp(Flags::SynAck));
    sent(world, Side::Outer, to.tcp(Flags::Ack));
    sent(world, Side::Outer, to.tcp(Flags::FinAck));
    assert_eq!(world.connections()[0].state, ConnectionState::CloseWait);
    sent(world, Side::Inner, from.tcp(Flags::FinAck));
    assert_eq!(world.connections()[0].state, ConnectionState::TimeWait);
    let server = &world.services()[0].servers[0];
    assert_eq!((server.active, server.inactive), (0, 1));
}

pub fn udp_to_another_port_both_ways(world: &mut dyn World) {
    let vip = world.vip();
    let key = service(world, Protocol::Udp, 53);
    add_service(world, key, Scheduler::Rr);
    add_server(world, key, endpoint(SERVER_A, 5353), 1);
    let client = (world.client(), 5000);
    let out = read(&sent(
        world,
        Side::Outer,
        Frame::outer(client, (vip, 53)).udp(),
    ));
    assert_eq!((out.src, out.dst), (client, (SERVER_A, 5353)));
    let back = read(&sent(
        world,
        Side::Inner,
        Frame::inner((SERVER_A, 5353), client).udp(),
    ));
    assert_eq!((back.src, back.dst), ((vip, 53), client));
    assert_eq!(world.connections()[0].state, ConnectionState::Udp);
    let server = &world.services()[0].servers[0];
    assert_eq!((server.active, server.inactive), (0, 1));
}

pub fn udp_without_a_checksum_keeps_none(world: &mut dyn World) {
    let vip = world.vip();
    let key = service(world, Protocol::Udp, 53);
    add_service(world, key, Scheduler::Rr);
    add_server(world, key, endpoint(SERVER_A, 5353), 1);
    let mut frame = Frame::outer((world.client(), 5000), (vip, 53)).udp();
    frame[40..42].copy_from_slice(&[0, 0]);
    let out = sent(world, Side::Outer, frame);
    assert_eq!(out[40..42], [0, 0]);
    assert_eq!(read(&out).dst, (SERVER_A, 5353));
}

pub fn ip_options_are_kept(world: &mut dyn World) {
    let vip = world.vip();
    let key = service(world, Protocol::Udp, 53);
    add_service(world, key, Scheduler::Rr);
    add_server(world, key, endpoint(SERVER_A, 5353), 1);
    // Four times "no operation" (RFC 791 §3.1), twice.
    let frame = Frame::outer((world.client(), 5000), (vip, 53)).udp_with_options(&[1; 8]);
    let out = sent(world, Side::Outer, frame);
    assert_eq!(out[34..42], [1; 8]);
    assert_eq!(read(&out).dst, (SERVER_A, 5353));
}

pub fn segments_of_one_large_packet(world: &mut dyn World) {
    let vip = world.vip();
    web(world);
    let client = (world.client(), 5000);
    sent(
        world,
        Side::Outer,
        Frame::outer(client, (vip, 80)).tcp(Flags::Syn),
    );
    // Many segments that fit, in a packet that does not.
    let frame = Arriving {
        bytes: Frame::outer(client, (vip, 80))
            .payload(3_000)
            .tcp(Flags::Ack),
        segment_size: u32::from(INNER_MTU) - 40,
    };
    let out = read(&sent(world, Side::Outer, frame));
    assert_eq!(out.payload.len(), 3_000);
}

pub fn only_a_syn_opens(world: &mut dyn World) {
    let vip = world.vip();
    web(world);
    let frame = Frame::outer((world.client(), 5000), (vip, 80));
    for flags in [Flags::Ack, Flags::FinAck, Flags::Rst, Flags::None] {
        passed(world, Side::Outer, frame.tcp(flags), "no_connection");
    }
    let ftp_data = Frame::outer((world.client(), 20), (vip, 80));
    passed(
        world,
        Side::Outer,
        ftp_data.tcp(Flags::Syn),
        "no_connection",
    );
    assert_eq!(world.connections(), []);
}

pub fn a_length_that_lies(world: &mut dyn World) {
    let vip = world.vip();
    web(world);
    let syn = Frame::outer((world.client(), 5000), (vip, 80));
    for total in [0u16, 10, 27, 1_000] {
        let mut frame = syn.tcp(Flags::Syn);
        frame[16..18].copy_from_slice(&total.to_be_bytes());
        passed(world, Side::Outer, frame, "not_ours");
    }
    assert_eq!(world.connections(), []);
}

pub fn a_reset_reopens_nothing(world: &mut dyn World) {
    const SYN_AND_RST: u8 = 0x06;
    let vip = world.vip();
    web(world);
    let client = (world.client(), 5000);
    let to = Frame::outer(client, (vip, 80));
    sent(world, Side::Outer, to.tcp(Flags::Syn));
    let reset = Frame::inner((SERVER_A, 80), client).tcp(Flags::Rst);
    sent(world, Side::Inner, reset);
    let reopened = world.count("reopened");
    let mut both = to.tcp(Flags::Syn);
    both[47] = SYN_AND_RST;
    sent(world, Side::Outer, both);
    assert_eq!(world.count("reopened"), reopened);
    assert_eq!(world.connections()[0].state, ConnectionState::Close);
}

pub fn servers_own_traffic_passes(world: &mut dyn World) {
    web(world);
    let frame = Frame::inner((SERVER_A, 40000), (world.client(), 443));
    passed(world, Side::Inner, frame.tcp(Flags::Syn), "not_ours");
    let stranger = Frame::inner(([10, 9, 0, 99], 80), (world.client(), 5000));
    passed(world, Side::Inner, stranger.tcp(Flags::SynAck), "not_ours");
}

pub fn reuse_of_a_closed_port_opens_in_place(world: &mut dyn World) {
    let vip = world.vip();
    let key = web(world);
    let client = (world.client(), 5000);
    let to = Frame::outer(client, (vip, 80));
    let reset = |server| Frame::inner((server, 80), client).tcp(Flags::Rst);
    sent(world, Side::Outer, to.tcp(Flags::Syn));
    sent(world, Side::Inner, reset(SERVER_A));
    assert_eq!(world.connections()[0].state, ConnectionState::Close);
    add_server(world, key, endpoint(SERVER_B, 80), 1);
    let reopened = world.count("reopened");
    let mut served = Vec::new();
    for _ in 0..4 {
        let out = read(&sent(world, Side::Outer, to.tcp(Flags::Syn)));
        served.push(out.dst.0);
        // The old server's answers are no longer part of the connection.
        let other = if out.dst.0 == SERVER_A {
            SERVER_B
        } else {
            SERVER_A
        };
        passed(world, Side::Inner, reset(other), "not_ours");
        sent(world, Side::Inner, reset(out.dst.0));
    }
    assert_eq!(world.count("reopened"), reopened + 4);
    assert_eq!(served.iter().filter(|s| **s == SERVER_A).count(), 2);
    assert_eq!(world.connections().len(), 1, "one slot, in place");
    let inactive: u32 = world.services()[0].servers.iter().map(|s| s.inactive).sum();
    assert_eq!(inactive, 1);
}

pub fn one_client_port_to_two_vips_on_one_server(world: &mut dyn World) {
    let vip = world.vip();
    web(world);
    let key = service(world, Protocol::Tcp, 8080);
    add_service(world, key, Scheduler::Rr);
    add_server(world, key, endpoint(SERVER_A, 80), 1);
    let client = (world.client(), 5000);
    let first = Frame::outer(client, (vip, 80)).tcp(Flags::Syn);
    let second = Frame::outer(client, (vip, 8080)).tcp(Flags::Syn);
    let first = read(&sent(world, Side::Outer, first));
    let second = read(&sent(world, Side::Outer, second));
    assert_eq!(first.src, client);
    assert_eq!(second.src.0, client.0);
    assert_ne!(second.src.1, client.1, "the other flow has this reply key");
    for (out, vip_port) in [(first, 80), (second, 8080)] {
        let back = Frame::inner(out.dst, out.src).tcp(Flags::SynAck);
        let back = read(&sent(world, Side::Inner, back));
        assert_eq!((back.src, back.dst), ((vip, vip_port), client));
    }
}

pub fn a_taken_port_is_replaced_and_the_turn_is_kept(world: &mut dyn World) {
    let vip = world.vip();
    web(world);
    let key = service(world, Protocol::Tcp, 8080);
    add_service(world, key, Scheduler::Rr);
    add_server(world, key, endpoint(SERVER_B, 80), 1);
    add_server(world, key, endpoint(SERVER_A, 80), 1);
    let client = (world.client(), 5000);
    sent(
        world,
        Side::Outer,
        Frame::outer(client, (vip, 80)).tcp(Flags::Syn),
    );
    let out = Frame::outer(client, (vip, 8080)).tcp(Flags::Syn);
    let out = read(&sent(world, Side::Outer, out));
    assert_eq!((out.src.0, out.dst), (client.0, (SERVER_A, 80)));
    assert_ne!(out.src.1, client.1, "the other flow has this reply key");
}

pub fn weight_zero_keeps_what_is_open(world: &mut dyn World) {
    let vip = world.vip();
    let service = web(world);
    let client = (world.client(), 5000);
    sent(
        world,
        Side::Outer,
        Frame::outer(client, (vip, 80)).tcp(Flags::Syn),
    );
    let server = ServerSpec::new(endpoint(SERVER_A, 80), Weight::new(0).unwrap());
    world
        .apply(&Command::EditServer { service, server })
        .unwrap();
    sent(
        world,
        Side::Outer,
        Frame::outer(client, (vip, 80)).tcp(Flags::Ack),
    );
    let no_server = world.count("no_server");
    let other = Frame::outer((world.client(), 5001), (vip, 80));
    world.run(Side::Outer, &other.tcp(Flags::Syn).into());
    assert_eq!(world.count("no_server"), no_server + 1);
}

pub fn a_server_added_again_gets_its_connections_back(world: &mut dyn World) {
    let vip = world.vip();
    let service = web(world);
    let address = endpoint(SERVER_A, 80);
    let client = (world.client(), 5000);
    let to = Frame::outer(client, (vip, 80));
    sent(world, Side::Outer, to.tcp(Flags::Syn));
    world
        .apply(&Command::DeleteServer { service, address })
        .unwrap();
    dropped(world, Side::Outer, to.tcp(Flags::Ack), "server_gone");
    let reply = Frame::inner((SERVER_A, 80), client).tcp(Flags::SynAck);
    sent(world, Side::Inner, reply);
    add_server(world, service, address, 1);
    sent(world, Side::Outer, to.tcp(Flags::Ack));
    assert_eq!(world.services()[0].servers[0].active, 1);
}

pub fn a_deleted_service_leaves_its_clients_in_silence(world: &mut dyn World) {
    let vip = world.vip();
    let service = web(world);
    let to = Frame::outer((world.client(), 5000), (vip, 80));
    sent(world, Side::Outer, to.tcp(Flags::Syn));
    world.apply(&Command::DeleteService(service)).unwrap();
    dropped(world, Side::Outer, to.tcp(Flags::Ack), "server_gone");
    let other = Frame::outer((world.client(), 5001), (vip, 80));
    passed(world, Side::Outer, other.tcp(Flags::Syn), "not_ours");
}

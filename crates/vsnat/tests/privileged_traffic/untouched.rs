//! What belongs to no service leaves the packet path as it came.
//!
//! The host's ingress hook comes right behind the packet path. There netfilter
//! copies every frame to another interface, whose capture is compared with what
//! was sent, byte by byte. The second scenario compares at the far end, where
//! the kernel's forwarding has had its turn, with what plain routing does.

use vsnat_lab::{DIRECTOR_OUTER, GATEWAY, Namespace, Node, Plan, VIP, server_address};

use crate::assorted::assorted;
use crate::frame::Mac;
use crate::packet_socket::PacketSocket;
use crate::scenario::{Scene, run_in};
use crate::strangers::{Ends, opening_frame, strangers};

const FRAMES: usize = 2_600;
/// From both sides together.
const ASSORTED: usize = 100_000;
/// A CPU's queue holds 1,000 frames, and each of these comes by twice.
const PORTION: usize = 400;
const CLIENT_MAC: Mac = [2, 0, 0, 0, 1, 1];
const OUTER_MAC: Mac = [2, 0, 0, 0, 1, 2];
const INNER_MAC: Mac = [2, 0, 0, 0, 2, 1];
const SERVER_MAC: Mac = [2, 0, 0, 0, 2, 2];

/// From the client's side to the director, and beyond it.
const INWARD: Ends = Ends {
    from: CLIENT_MAC,
    to: OUTER_MAC,
    source: vsnat_lab::CLIENTS[0],
    director: DIRECTOR_OUTER,
    far: server_address_of_one(),
    source_port: 40_123,
};

/// From a real server's side; its source port is that of the service it serves.
const OUTWARD: Ends = Ends {
    from: SERVER_MAC,
    to: INNER_MAC,
    source: server_address_of_one(),
    director: GATEWAY,
    far: vsnat_lab::CLIENTS[0],
    source_port: 80,
};

const fn server_address_of_one() -> std::net::Ipv4Addr {
    std::net::Ipv4Addr::new(10, 0, 100, 11)
}

/// A cluster in which nobody says anything of his own accord: all neighbours
/// are known, and the ends answer nothing.
fn silent_cluster(name: &str) -> Scene {
    assert_eq!(server_address(1), server_address_of_one());
    let plan = Plan {
        servers: 1,
        ..Plan::default()
    };
    let scene = Scene::without_director(name, &plan);
    let director = scene.cluster.director();
    let (client, server) = (scene.cluster.client(), scene.server(1));
    set_mac(&director, "outer", OUTER_MAC);
    set_mac(&director, "inner", INNER_MAC);
    set_mac(&client, "eth0", CLIENT_MAC);
    set_mac(&server, "eth0", SERVER_MAC);
    for client in vsnat_lab::CLIENTS {
        neighbour(&director, &client.to_string(), "outer", CLIENT_MAC);
    }
    // One that does not exist is reached as the server is.
    for inner in ["10.0.100.11", "10.0.100.99"] {
        neighbour(&director, inner, "inner", SERVER_MAC);
    }
    for end in [&client, &server] {
        run_in(end, "ip link set eth0 arp off");
        run_in(end, "nft add table ip silent");
        run_in(
            end,
            "nft add chain ip silent input { type filter hook prerouting priority raw; policy drop; }",
        );
    }
    scene
}

fn set_mac(namespace: &Namespace, interface: &str, mac: Mac) {
    run_in(
        namespace,
        &format!("ip link set {interface} address {}", shown(mac)),
    );
}

fn neighbour(namespace: &Namespace, address: &str, interface: &str, mac: Mac) {
    let mac = shown(mac);
    run_in(
        namespace,
        &format!("ip neigh replace {address} lladdr {mac} dev {interface} nud permanent"),
    );
}

fn shown(mac: Mac) -> String {
    mac.map(|byte| format!("{byte:02x}")).join(":")
}

/// With a service on either protocol, so that the packet path has something to
/// look for.
fn start_director(scene: &mut Scene, masquerade: &str) {
    let config = vsnat_lab::director::config();
    let config = config.replace("masquerade = true", masquerade);
    scene.start_director(&config);
    for (protocol, port) in [("-t", 80), ("-u", 53)] {
        scene.ipvsadm(&format!("-A {protocol} {VIP}:{port} -s rr"));
        scene.ipvsadm(&format!(
            "-a {protocol} {VIP}:{port} -r 10.0.100.11:{port} -m"
        ));
    }
}

/// Copies what has passed the packet path of `interface` to a link that leads
/// nowhere, and taps its far end.
fn tap_behind(scene: &Scene, interface: &str) -> PacketSocket {
    let director = scene.cluster.director();
    let lines = [
        "ip link add copy type veth peer name tap".to_owned(),
        "ip link set copy up".to_owned(),
        "ip link set tap up arp off".to_owned(),
        "nft add table netdev copies".to_owned(),
        format!(
            "nft add chain netdev copies ingress_copies {{ type filter hook ingress device {interface} priority 0; }}"
        ),
        "nft add rule netdev copies ingress_copies dup to copy".to_owned(),
    ];
    for line in lines {
        run_in(&director, &line);
    }
    director.run(|| PacketSocket::open("tap")).unwrap()
}

fn send_all(namespace: &Namespace, frames: &[Vec<u8>]) {
    let send = || {
        let socket = PacketSocket::open("eth0");
        frames.iter().for_each(|frame| socket.send(frame));
    };
    namespace.run(send).unwrap();
}

/// Frames that go through two CPUs' queues may overtake each other.
#[track_caller]
fn same_frames(what: &str, mut expected: Vec<Vec<u8>>, mut found: Vec<Vec<u8>>) {
    expected.sort();
    found.sort();
    let lost: Vec<_> = expected
        .iter()
        .filter(|f| found.binary_search(f).is_err())
        .collect();
    let added: Vec<_> = found
        .iter()
        .filter(|f| expected.binary_search(f).is_err())
        .collect();
    assert!(
        lost.is_empty() && added.is_empty(),
        "{what}: {} changed or lost, such as {:02x?}\n{} unexpected, such as {:02x?}",
        lost.len(),
        lost.first(),
        added.len(),
        added.first()
    );
    assert_eq!(expected.len(), found.len(), "{what}");
}

/// Copies what has passed the packet path of another interface to the same link.
fn tap_also_behind(scene: &Scene, interface: &str) {
    let director = scene.cluster.director();
    let chain = format!("{interface}_copies");
    for line in [
        format!(
            "nft add chain netdev copies {chain} {{ type filter hook ingress device {interface} priority 0; }}"
        ),
        format!("nft add rule netdev copies {chain} dup to copy"),
    ] {
        run_in(&director, &line);
    }
}

#[test]
fn a_hundred_thousand_assorted_frames_pass_byte_for_byte() {
    let mut scene = silent_cluster("scaassorted");
    start_director(&mut scene, "masquerade = true");
    let tap = tap_behind(&scene, "outer");
    tap_also_behind(&scene, "inner");
    let seen = scene.count("seen");
    let ways = [(Node::Client, &INWARD), (Node::Server(1), &OUTWARD)];
    for (from, ends) in ways {
        let frames = assorted(ends, ASSORTED / ways.len(), 0x5eed);
        let namespace = scene.cluster.namespace(from);
        for portion in frames.chunks(PORTION) {
            send_all(&namespace, portion);
            let found = tap.take(portion.len());
            same_frames("behind the packet path", portion.to_vec(), found);
        }
    }
    assert_eq!(tap.drain(), Vec::<Vec<u8>>::new());
    assert_eq!(scene.count("seen") - seen, ASSORTED as u64);
    assert_eq!(scene.count("not_ours"), scene.count("seen"));
}

/// Gives the scene, to ask more of it.
#[track_caller]
fn pass_untouched(name: &str, interface: &str, from: Node, ends: &Ends) -> (Scene, PacketSocket) {
    let mut scene = silent_cluster(name);
    start_director(&mut scene, "masquerade = true");
    let tap = tap_behind(&scene, interface);
    all_pass(&scene, &tap, from, &strangers(ends, FRAMES));
    (scene, tap)
}

#[track_caller]
fn all_pass(scene: &Scene, tap: &PacketSocket, from: Node, frames: &[Vec<u8>]) {
    let (seen, not_ours) = (scene.count("seen"), scene.count("not_ours"));
    send_all(&scene.cluster.namespace(from), frames);
    same_frames("behind the packet path", frames.to_vec(), tap.drain());
    assert_eq!(scene.count("seen") - seen, frames.len() as u64);
    assert_eq!(scene.count("not_ours") - not_ours, frames.len() as u64);
}

#[test]
fn strangers_from_the_outer_side_pass_byte_for_byte() {
    let client = Node::Client;
    let (scene, tap) = pass_untouched("scapassouter", "outer", client, &INWARD);

    // On a switch that floods, others' frames come by: they stay theirs.
    let mut opening = opening_frame(&INWARD);
    opening[0..6].copy_from_slice(&[2, 0, 0, 0, 9, 9]);
    all_pass(&scene, &tap, client, &[opening]);

    // What is a service's does not come by where the capture is.
    send_all(&scene.cluster.client(), &[opening_frame(&INWARD)]);
    assert_eq!(tap.drain(), Vec::<Vec<u8>>::new());
    assert_eq!(scene.count("opened"), 1);
}

#[test]
fn strangers_from_the_inner_side_pass_byte_for_byte() {
    pass_untouched("scapassinner", "inner", Node::Server(1), &OUTWARD);
}

/// What arrives at the far end of the director.
fn arriving(scene: &Scene, from: Node, to: Node, frames: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let far = scene.cluster.namespace(to);
    let tap = far.run(|| PacketSocket::open("eth0")).unwrap();
    send_all(&scene.cluster.namespace(from), frames);
    tap.drain()
}

/// Without masquerade, whose connection tracking puts fragments together: that
/// is the host's doing, and none of the packet path's.
#[test]
fn the_host_forwards_what_plain_routing_forwards() {
    let mut scene = silent_cluster("scaforward");
    let ways = [
        (Node::Client, Node::Server(1), strangers(&INWARD, FRAMES)),
        (Node::Server(1), Node::Client, strangers(&OUTWARD, FRAMES)),
    ];
    let forwarded = |scene: &Scene| {
        let ways = ways.iter();
        ways.map(|(from, to, frames)| only_forwarded(arriving(scene, *from, *to, frames)))
            .collect::<Vec<_>>()
    };
    run_in(
        &scene.cluster.director(),
        &format!("ip address add {VIP}/24 dev outer"),
    );
    let routing = scene.cluster.route_plainly().unwrap();
    let plainly = forwarded(&scene);
    drop(routing);
    start_director(&mut scene, "masquerade = false");
    let with_director = forwarded(&scene);
    for (plainly, with_director) in plainly.into_iter().zip(with_director) {
        assert!(
            plainly.len() > FRAMES / 5,
            "only {} were forwarded",
            plainly.len()
        );
        same_frames("forwarded", plainly, with_director);
    }
}

/// What the director's stack says itself has numbers of its own each time.
fn only_forwarded(frames: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    let ours = [DIRECTOR_OUTER, GATEWAY, VIP].map(|address| address.octets());
    let is_forwarded = |frame: &Vec<u8>| !ours.iter().any(|address| frame[26..30] == *address);
    frames.into_iter().filter(is_forwarded).collect()
}

//! A server that has the VIP itself, and a way of its own to the client.

use std::net::SocketAddrV4;

use vsnat_lab::servers::bulk::{self, BulkServer, Pattern};
use vsnat_lab::{CLIENTS, Plan, VIP, server_address};

use crate::scenario::{Scene, run_in};

const PORT: u16 = 9_000;
const SERVICE: SocketAddrV4 = SocketAddrV4::new(VIP, PORT);
const BYTES: u64 = 20_000_000;

#[test]
fn a_server_answers_past_the_director() {
    let plan = Plan {
        servers: 1,
        ..Plan::default()
    };
    let scene = Scene::new("scrouted", &plan);
    let (server, client) = (scene.server(1), scene.cluster.client());
    let lines = [
        format!("ip addr add {VIP}/32 dev lo"),
        "sysctl -qw net.ipv4.conf.all.arp_ignore=1".to_owned(),
        format!(
            "ip link add past type veth peer name past netns {}",
            client.name()
        ),
        "ip addr add 10.2.0.1/24 dev past".to_owned(),
        "ip link set past up".to_owned(),
    ];
    lines.iter().for_each(|line| drop(run_in(&server, line)));
    for line in ["ip addr add 10.2.0.2/24 dev past", "ip link set past up"] {
        run_in(&client, line);
    }
    for address in CLIENTS {
        run_in(
            &server,
            &format!("ip route add {address}/32 via 10.2.0.2 dev past src {VIP}"),
        );
    }
    let _server = BulkServer::start(&server, "server1", SERVICE).unwrap();
    scene.ipvsadm(&format!("-A -t {SERVICE} -s rr"));
    let address = server_address(1);
    scene.ipvsadm(&format!("-a -t {SERVICE} -r {address} -g -w 2"));
    let transfer = || (bulk::download(SERVICE, BYTES), bulk::upload(SERVICE, BYTES));
    let (down, up) = scene.in_client(transfer);
    assert_eq!(down.unwrap(), Pattern::digest(BYTES));
    assert_eq!(up.unwrap(), Pattern::digest(BYTES));
    assert_eq!(scene.count("opened"), 2);
    assert!(scene.count("forwarded") > 10);
    assert_eq!(scene.count("returned"), 0);
    let listing = scene.ipvsadm("-Ln");
    let row = listing.lines().last().unwrap();
    let words: Vec<&str> = row.split_whitespace().collect();
    assert_eq!(words[1..4], [&format!("{address}:{PORT}"), "Route", "2"]);
    let connections = scene.ipvsadm("-Lnc");
    assert!(
        connections.contains(&format!("{SERVICE}"))
            && connections.contains(&format!("{address}:{PORT}")),
        "{connections}"
    );
    let saved = scene.ipvsadm("-Sn");
    assert!(
        saved.contains(&format!("-r {address}:{PORT} -g -w 2")),
        "{saved}"
    );
}

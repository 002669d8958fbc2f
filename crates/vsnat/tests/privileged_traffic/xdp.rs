//! Traffic through XDP in front of TC, over veths as drivers: web pages, long
//! transfers, and a conversation that outlives directors of either kind.

use std::io::{Read, Write};
use std::net::{SocketAddrV4, TcpStream};
use std::time::Duration;

use vsnat_lab::servers::bulk::{self, BulkServer, Pattern};
use vsnat_lab::servers::echo::EchoServer;
use vsnat_lab::servers::http::HttpServer;
use vsnat_lab::servers::{Capacity, ServerOptions};
use vsnat_lab::{Offload, Plan, VIP, server_address};

use crate::scenario::{Scene, run_in};

const PORT: u16 = 9_000;
const SERVICE: SocketAddrV4 = SocketAddrV4::new(VIP, PORT);
const PATIENCE: Duration = Duration::from_secs(5);
const TRANSFER: u64 = 20_000_000;
const PAGES: u64 = 50;

const XDP: &str = "attach = \"xdp\"";
const TC: &str = "attach = \"tc\"";

/// Whether the ends of the links finish their checksums themselves, without
/// which XDP leaves their packets to TC.
fn scene(name: &str, checksums: Offload) -> Scene {
    let plan = Plan {
        servers: 1,
        checksums,
        ..Plan::default()
    };
    let scene = Scene::without_director(name, &plan);
    let director = scene.cluster.director();
    // No bridge's driver runs XDP: the server is connected directly.
    for line in [
        "ip link del inner",
        "ip link set srv1 down",
        "ip link set srv1 name inner",
        "ip address add 10.0.100.1/24 dev inner",
        "ip link set inner up",
    ] {
        run_in(&director, line);
    }
    // What is redirected into a veth is lost unless its other end polls.
    for end in [scene.cluster.client(), scene.server(1)] {
        run_in(&end, "ethtool -K eth0 gro on");
    }
    scene
}

fn config(attach: &str) -> String {
    let vips = "vips = [";
    vsnat_lab::director::config().replace(vips, &format!("{attach}\n{vips}"))
}

fn serve(scene: &Scene) {
    let address = SocketAddrV4::new(server_address(1), PORT);
    scene.ipvsadm(&format!("-A -t {SERVICE} -s rr"));
    scene.ipvsadm(&format!("-a -t {SERVICE} -r {address} -m"));
}

/// Most of what is translated must have gone by XDP: all but openings, and one
/// packet a second that asks for the next hop.
#[track_caller]
fn most_went_by_xdp(scene: &Scene) {
    let translated = scene.count("forwarded") + scene.count("returned");
    let accelerated = scene.count("accelerated");
    assert!(
        accelerated * 10 > translated * 8,
        "{accelerated} of {translated} went by XDP"
    );
}

#[test]
fn transfers_arrive_as_they_were_sent() {
    let mut scene = scene("scaxdpbulk", Offload::Off);
    scene.start_director(&config(XDP));
    serve(&scene);
    let address = SocketAddrV4::new(server_address(1), PORT);
    let _server = BulkServer::start(&scene.server(1), "server1", address).unwrap();
    let both = || {
        (
            bulk::download(SERVICE, TRANSFER),
            bulk::upload(SERVICE, TRANSFER),
        )
    };
    let (down, up) = scene.in_client(both);
    let sent = Pattern::digest(TRANSFER);
    assert_eq!((down.unwrap(), up.unwrap()), (sent, sent));
    most_went_by_xdp(&scene);
    assert_eq!(scene.count("kernel"), 0);
}

#[test]
fn web_pages_on_a_connection_each() {
    let mut scene = scene("scaxdpweb", Offload::Off);
    scene.start_director(&config(XDP));
    serve(&scene);
    let options = ServerOptions {
        name: "server1".to_owned(),
        address: SocketAddrV4::new(server_address(1), PORT),
        capacity: Capacity::Unlimited,
    };
    let _server = HttpServer::start(&scene.server(1), &options).unwrap();
    for _ in 0..PAGES {
        let page = run_in(
            &scene.cluster.client(),
            &format!("curl --silent --show-error --fail http://{SERVICE}/"),
        );
        assert!(page.contains("It works"), "{page}");
    }
    assert_eq!(scene.count("opened"), PAGES);
    // Each connection is opened, and closed, by packets that XDP takes part in.
    assert!(scene.count("accelerated") > 2 * PAGES);
    let status = scene.director().status().unwrap();
    for interface in status.interfaces {
        assert_eq!(interface.accelerated_by, "xdp (driver)");
    }
}

#[test]
fn what_has_no_checksum_yet_goes_by_tc_and_arrives() {
    let mut scene = scene("scaxdpsum", Offload::Kernel);
    scene.start_director(&config(XDP));
    serve(&scene);
    let address = SocketAddrV4::new(server_address(1), PORT);
    let _server = BulkServer::start(&scene.server(1), "server1", address).unwrap();
    let sent = Pattern::digest(TRANSFER);
    let received = scene.in_client(|| bulk::download(SERVICE, TRANSFER));
    assert_eq!(received.unwrap(), sent);
    let translated = scene.count("forwarded") + scene.count("returned");
    assert!(translated > 0);
    assert!(scene.count("accelerated") * 10 < translated);
}

/// Asks, and hears the same.
#[track_caller]
fn talk(client: &mut TcpStream) {
    for _ in 0..20 {
        client.write_all(b"are you there?").unwrap();
        let mut answer = [0; 14];
        client.read_exact(&mut answer).unwrap();
        assert_eq!(&answer, b"are you there?");
    }
}

#[test]
fn a_conversation_goes_on_from_tc_to_xdp_and_back() {
    let mut scene = scene("scaxdptalk", Offload::Off);
    let address = SocketAddrV4::new(server_address(1), PORT);
    let _server = EchoServer::start(&scene.server(1), "server1", address).unwrap();
    scene.start_director(&config(TC));
    serve(&scene);
    let mut client = scene.in_client(|| TcpStream::connect(SERVICE)).unwrap();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    client.set_nodelay(true).unwrap();
    talk(&mut client);
    assert_eq!(scene.count("accelerated"), 0);
    scene.leave_forwarding();
    talk(&mut client);

    scene.start_director(&config(XDP));
    talk(&mut client);
    let asked = scene.count("accelerated");
    assert!(asked > 0);
    scene.kill_director();
    talk(&mut client);

    scene.start_director(&config(TC));
    let left = scene.count("accelerated");
    assert!(left > asked, "XDP works on while nobody is there");
    talk(&mut client);
    assert_eq!(scene.count("accelerated"), left);
    assert_eq!(scene.count("opened"), 1);
}

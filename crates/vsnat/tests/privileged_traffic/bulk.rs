//! Long transfers through the virtual server, over links of every kind.

use std::net::SocketAddrV4;

use vsnat_lab::servers::bulk::{self, BulkServer, Pattern};
use vsnat_lab::{DIRECTOR_OUTER, GATEWAY, Offload, Plan, VIP, server_address};

use crate::scenario::{Scene, run_in};

const PORT: u16 = 9_000;
const SERVICE: SocketAddrV4 = SocketAddrV4::new(VIP, PORT);

fn bulk_service(name: &str, plan: &Plan) -> (Scene, BulkServer) {
    let scene = Scene::new(name, plan);
    let address = SocketAddrV4::new(server_address(1), PORT);
    let server = BulkServer::start(&scene.server(1), "server1", address).unwrap();
    scene.ipvsadm(&format!("-A -t {SERVICE} -s rr"));
    scene.ipvsadm(&format!("-a -t {SERVICE} -r {address} -m"));
    (scene, server)
}

#[track_caller]
fn each_way(scene: &Scene, bytes: u64) {
    let transfer = || (bulk::download(SERVICE, bytes), bulk::upload(SERVICE, bytes));
    let (down, up) = scene.in_client(transfer);
    let sent = Pattern::digest(bytes);
    assert_eq!(down.unwrap(), sent, "download of {bytes} bytes");
    assert_eq!(up.unwrap(), sent, "upload of {bytes} bytes");
}

#[test]
fn a_gigabyte_each_way_arrives_as_it_was_sent() {
    let plan = Plan {
        servers: 1,
        ..Plan::default()
    };
    let (scene, _server) = bulk_service("scagigabyte", &plan);
    each_way(&scene, 1_000_000_000);
    assert_eq!(scene.count("opened"), 2);
}

const SMALL_TRANSFER: u64 = 20_000_000;
/// What an Ethernet of 1,500 bytes takes in a segment.
const FULL_SEGMENT: u32 = 1_460;

/// Transfers over one narrow link, the other being an Ethernet. The ends tell
/// each other segments of a full Ethernet, as ends do whose own links are:
/// that the narrow link takes less, the director alone can tell the sender.
#[track_caller]
fn over_a_narrow_link(name: &str, plan: Plan) {
    let (scene, _server) = bulk_service(name, &plan);
    let advmss = |network: &str, device: &str, gateway| {
        format!("ip route replace {network} via {gateway} dev {device} advmss {FULL_SEGMENT}")
    };
    run_in(&scene.server(1), &advmss("default", "eth0", GATEWAY));
    let to_vip = format!("{VIP}/32");
    let client = scene.cluster.client();
    run_in(&client, &advmss(&to_vip, "eth0", DIRECTOR_OUTER));
    each_way(&scene, SMALL_TRANSFER);
    assert!(
        scene.count("fragmentation_needed") > 0,
        "no packet was too large for the narrow link: nothing was tested"
    );
    assert_eq!(scene.count("too_big"), 0);
}

fn narrow(inner_mtu_bytes: u32, outer_mtu_bytes: u32, offload: Offload) -> Plan {
    Plan {
        servers: 1,
        inner_mtu_bytes,
        outer_mtu_bytes,
        segmentation: offload,
        checksums: offload,
    }
}

#[test]
fn transfers_over_a_1400_byte_inner_link_with_gso() {
    over_a_narrow_link("scainnergso", narrow(1400, 1500, Offload::Kernel));
}

#[test]
fn transfers_over_a_1400_byte_inner_link_without_gso() {
    over_a_narrow_link("scainnerplain", narrow(1400, 1500, Offload::Off));
}

#[test]
fn transfers_over_a_1492_byte_outer_link_with_gso() {
    over_a_narrow_link("scaoutergso", narrow(1500, 1492, Offload::Kernel));
}

#[test]
fn transfers_over_a_1492_byte_outer_link_without_gso() {
    over_a_narrow_link("scaouterplain", narrow(1500, 1492, Offload::Off));
}

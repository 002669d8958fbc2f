//! Clients and servers of IPv6, with those of IPv4 behind or in front of them.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::process::{Child, Command};

use vsnat_lab::servers::{Capacity, RealServer, ServerKind, ServerOptions};
use vsnat_lab::{Node, Plan, VIP, VIP6, server_address6};

use crate::scenario::Scene;

const SERVER: Ipv4Addr = Ipv4Addr::new(10, 0, 100, 11);
const PORT: u16 = 80;

fn config() -> String {
    vsnat_lab::director::config().replace(
        &format!("vips = [\"{VIP}/24\"]"),
        &format!("vips = [\"{VIP}/24\", \"{VIP6}/64\"]"),
    )
}

fn scene(name: &str, servers: usize) -> Scene {
    let plan = Plan {
        servers,
        ..Plan::default()
    };
    let mut scene = Scene::without_director(name, &plan);
    scene.cluster.add_ipv6().unwrap();
    scene.start_director(&config());
    scene
}

/// Apache with one document of so many bytes, on its IPv4 address alone.
fn apache(scene: &Scene, bytes: usize) -> (RealServer, std::path::PathBuf) {
    let folder = std::env::temp_dir().join(scene.cluster.name().to_string());
    std::fs::create_dir_all(&folder).unwrap();
    let options = ServerOptions {
        name: "server1".to_owned(),
        address: SocketAddrV4::new(SERVER, PORT),
        capacity: Capacity::default(),
    };
    let namespace = scene.cluster.namespace(Node::Server(1));
    let server = RealServer::start(ServerKind::Apache, &namespace, &options, &folder).unwrap();
    let large = folder.join("server1/htdocs/large");
    std::fs::write(large, vec![b'v'; bytes]).unwrap();
    (server, folder)
}

/// What curl says of a page: its status and its size.
fn fetched(scene: &Scene, url: &str) -> String {
    let mut curl = Command::new("curl");
    curl.args([
        "-sS",
        "--globoff",
        "--retry-connrefused",
        "--retry",
        "5",
        "--max-time",
        "20",
        "-o",
        "/dev/null",
    ]);
    curl.args(["-w", "%{http_code} %{size_download}", url]);
    scene.cluster.client().output(&mut curl).unwrap()
}

#[test]
fn a_client_of_ipv6_reaches_apache_of_ipv4_alone() {
    let scene = scene("scsixfour", 1);
    scene.ipvsadm(&format!("-A -t [{VIP6}]:{PORT} -s rr"));
    scene.ipvsadm(&format!("-a -t [{VIP6}]:{PORT} -r {SERVER}:{PORT} -m"));
    let (_apache, folder) = apache(&scene, 3 << 20);
    assert!(fetched(&scene, &format!("http://[{VIP6}]/")).starts_with("200 "));
    let large = fetched(&scene, &format!("http://[{VIP6}]/large"));
    assert_eq!(large, format!("200 {}", 3 << 20));
    let connections = scene.ipvsadm("-Lnc");
    let row = format!("[{VIP6}]:{PORT}");
    assert!(connections.contains(&row), "{connections}");
    assert!(connections.contains("[2001:db8:28::1"), "{connections}");
    let _ = std::fs::remove_dir_all(folder);
}

#[test]
fn servers_of_ipv6_serve_clients_of_both_families() {
    let scene = scene("scsixsix", 1);
    let server = server_address6(SERVER);
    for vip in [VIP.to_string(), format!("[{VIP6}]")] {
        scene.ipvsadm(&format!("-A -t {vip}:{PORT} -s rr"));
        scene.ipvsadm(&format!("-a -t {vip}:{PORT} -r [{server}]:{PORT} -m"));
    }
    let folder = std::env::temp_dir().join("vsnat-scsixsix-web");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("page"), vec![b'6'; 100_000]).unwrap();
    let namespace = scene.cluster.namespace(Node::Server(1));
    let mut web = Command::new("busybox");
    web.args(["httpd", "-f", "-p", &format!("[{server}]:{PORT}"), "-h"]);
    web.arg(&folder);
    let _web = Running(namespace.run(|| web.spawn()).unwrap().unwrap());
    for url in [
        format!("http://[{VIP6}]/page"),
        format!("http://{VIP}/page"),
    ] {
        assert_eq!(fetched(&scene, &url), "200 100000", "{url}");
    }
    let _ = std::fs::remove_dir_all(folder);
}

/// A program that ends with its test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

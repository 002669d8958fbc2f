//! Datagrams larger than any link: in pieces to the server and back.

use std::net::{SocketAddrV4, UdpSocket};
use std::process::Command;
use std::time::Duration;

use vsnat_lab::servers::echo::EchoServer;
use vsnat_lab::{CLIENTS, Plan, VIP, server_address};

use crate::scenario::Scene;

const PATIENCE: Duration = Duration::from_secs(5);
const PORT: u16 = 5_201;

fn one_server(name: &str, port: u16) -> (Scene, SocketAddrV4) {
    let plan = Plan {
        servers: 1,
        ..Plan::default()
    };
    let scene = Scene::new(name, &plan);
    let service = SocketAddrV4::new(VIP, port);
    let server = SocketAddrV4::new(server_address(1), port);
    for protocol in ["-t", "-u"] {
        scene.ipvsadm(&format!("-A {protocol} {service} -s rr"));
        scene.ipvsadm(&format!("-a {protocol} {service} -r {server} -m"));
    }
    (scene, server)
}

#[test]
fn large_datagrams_come_back_whole() {
    let (scene, address) = one_server("scpieces", 7);
    let _server = EchoServer::start(&scene.server(1), "server1", address).unwrap();
    let socket = scene.in_client(|| UdpSocket::bind((CLIENTS[0], 0)).unwrap());
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket.connect((VIP, 7)).unwrap();
    // The first packet of the connection is the first piece of a datagram.
    for length in [8_192, 1_473, 30_000, 9] {
        let question: Vec<u8> = (0..length).map(|byte| byte as u8).collect();
        socket.send(&question).unwrap();
        let mut answer = vec![0; 65_536];
        let received = socket.recv(&mut answer).unwrap();
        // In front the server says who has asked.
        assert!(answer[..received].ends_with(&question), "{length} bytes");
    }
    assert_eq!(scene.count("fragment"), 0);
    assert_eq!(scene.count("opened"), 1);
}

#[test]
fn iperf_sends_datagrams_of_eight_kilobytes() {
    let (scene, _) = one_server("sciperf", PORT);
    let mut command = Command::new("iperf3");
    let mut server = scene.server(1).spawn(command.args(["-s", "-1"])).unwrap();
    let vip = VIP.to_string();
    let mut client = Command::new("iperf3");
    client.args(["-u", "-l", "8192", "-b", "40M", "-t", "2", "-J", "-c", &vip]);
    let wait = || std::thread::sleep(Duration::from_millis(200));
    wait();
    let report = scene.cluster.client().output(&mut client).unwrap();
    server.wait().unwrap();
    let report: serde_json::Value = serde_json::from_str(&report).unwrap();
    let sum = &report["end"]["sum"];
    let (packets, lost) = (
        sum["packets"].as_u64().unwrap(),
        sum["lost_packets"].as_u64(),
    );
    assert!(packets > 500, "{sum}");
    assert_eq!(lost, Some(0), "{sum}");
    // Six pieces each.
    assert!(scene.count("forwarded") >= 6 * packets);
    assert_eq!(scene.count("fragment"), 0);
}

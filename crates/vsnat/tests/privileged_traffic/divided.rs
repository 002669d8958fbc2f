//! Datagrams too large for the next link: the director's own host divides what
//! may be divided, and tells the sender of what may not.

use std::net::{SocketAddrV4, UdpSocket};
use std::os::fd::AsRawFd;
use std::time::Duration;

use vsnat_lab::servers::echo::EchoServer;
use vsnat_lab::{CLIENTS, DIRECTOR_OUTER, GATEWAY, Offload, Plan, VIP, server_address};

use crate::scenario::{Scene, run_in};

const PATIENCE: Duration = Duration::from_secs(5);
const SERVICE: SocketAddrV4 = SocketAddrV4::new(VIP, 7);
const NARROW: u32 = 1_400;
const ETHERNET: u32 = 1_500;

/// A director between links that carry so much.
fn between(name: &str, inner_mtu_bytes: u32, outer_mtu_bytes: u32) -> (Scene, EchoServer) {
    let plan = Plan {
        servers: 1,
        inner_mtu_bytes,
        outer_mtu_bytes,
        segmentation: Offload::Kernel,
        checksums: Offload::Kernel,
    };
    let scene = Scene::new(name, &plan);
    let server = SocketAddrV4::new(server_address(1), 7);
    scene.ipvsadm(&format!("-A -u {SERVICE} -s rr"));
    scene.ipvsadm(&format!("-a -u {SERVICE} -r {server} -m"));
    let echo = EchoServer::start(&scene.server(1), "server1", server).unwrap();
    (scene, echo)
}

fn discovery(socket: &UdpSocket, how: i32) {
    // SAFETY: an option of an open socket, given as an integer.
    let set = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::IPPROTO_IP,
            libc::IP_MTU_DISCOVER,
            (&raw const how).cast(),
            size_of_val(&how) as u32,
        )
    };
    assert_eq!(set, 0);
}

fn client(scene: &Scene, how: i32) -> UdpSocket {
    let socket = scene.in_client(|| UdpSocket::bind((CLIENTS[0], 0)).unwrap());
    discovery(&socket, how);
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket.connect(SERVICE).unwrap();
    socket
}

/// In one piece, in two of which the last would pass, in many.
const LENGTHS: [usize; 4] = [1_440, 1_500, 8_192, 30_000];

#[track_caller]
fn come_back_whole(scene: &Scene, socket: &UdpSocket) {
    let mut answer = vec![0; 65_536];
    for length in LENGTHS {
        let question: Vec<u8> = (0..length).map(|byte| (byte * 7) as u8).collect();
        socket.send(&question).unwrap();
        let received = socket.recv(&mut answer);
        let received = received.unwrap_or_else(|error| {
            panic!(
                "{length} bytes: {error}; {} too big",
                scene.count("too_big")
            )
        });
        // In front the server says who has asked.
        assert!(answer[..received].ends_with(&question), "{length} bytes");
    }
}

#[test]
fn datagrams_pass_a_narrow_inner_link() {
    let (scene, _server) = between("scnarrowin", NARROW, ETHERNET);
    come_back_whole(&scene, &client(&scene, libc::IP_PMTUDISC_DONT));
    assert!(scene.count("too_big") > 10);
    assert_eq!(scene.count("opened"), 1);
    assert_eq!(scene.count("fragment"), 0);
}

#[test]
fn answers_pass_a_narrow_outer_link() {
    let (scene, _server) = between("scnarrowout", ETHERNET, NARROW);
    // The server lets its own be divided, as it does where a path is known.
    let route = format!("ip route replace default via {GATEWAY} dev eth0 mtu lock {ETHERNET}");
    run_in(&scene.server(1), &route);
    let director = scene.cluster.director();
    assert_eq!(
        run_in(&director, "sysctl -n net.ipv4.conf.inner.accept_local").trim(),
        "1"
    );
    come_back_whole(&scene, &client(&scene, libc::IP_PMTUDISC_DONT));
    assert!(scene.count("too_big") > 10);
}

#[test]
fn who_forbids_it_is_told_of_the_narrow_link() {
    let (scene, _server) = between("scnarrowdf", NARROW, ETHERNET);
    let socket = client(&scene, libc::IP_PMTUDISC_DO);
    let question = [7; 1_440];
    socket.send(&question).unwrap();
    let error = socket.recv(&mut [0; 9]).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(libc::EMSGSIZE));
    let line = format!("ip route get {VIP} from {}", CLIENTS[0]);
    let route = run_in(&scene.cluster.client(), &line);
    assert!(route.contains("mtu 1400"), "{route}");
    assert_eq!(
        (scene.count("too_big"), scene.count("fragmentation_needed")),
        (0, 1)
    );
}

#[test]
fn segments_are_kept_small_where_a_service_asks_for_it() {
    let (mut scene, _server) = between("scclamp", NARROW, ETHERNET);
    scene.stop(vsnat_lab::Stop::Remove);
    let server = SocketAddrV4::new(server_address(1), 7);
    scene.start_director(&format!(
        "[director]\nouter = \"outer\"\ninner = [\"inner\"]\nvips = [\"{VIP}/24\"]\n\
         [[service]]\nprotocol = \"tcp\"\naddress = \"{SERVICE}\"\nmss_clamp = \"path\"\n\
         [[service.server]]\naddress = \"{server}\"\n"
    ));
    // Both ends ask for segments of a full Ethernet.
    let to_vip = format!("ip route replace {VIP}/32 via {DIRECTOR_OUTER} dev eth0 advmss 1460");
    run_in(&scene.cluster.client(), &to_vip);
    let bulk = vec![9; 1 << 20];
    let echoed = scene.in_client(|| {
        use std::io::{Read, Write};
        let mut stream = std::net::TcpStream::connect(SERVICE).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut reader = stream.try_clone().unwrap();
        let sent = bulk.clone();
        let sender = std::thread::spawn(move || stream.write_all(&sent).unwrap());
        let mut echoed = vec![0; bulk.len()];
        reader.read_exact(&mut echoed).unwrap();
        sender.join().unwrap();
        echoed
    });
    assert!(echoed.ends_with(&[9; 1_000]));
    assert_eq!(scene.count("fragmentation_needed"), 0);
}

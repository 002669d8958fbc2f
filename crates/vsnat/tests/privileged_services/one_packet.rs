//! Datagrams that are scheduled one by one.

use crate::peers::{add_service, ask, client, connections, echo, plan, set, udp, vip};
use crate::scenario::Scene;

const DATAGRAMS: usize = 1_002;

#[test]
fn the_datagrams_of_one_socket_are_spread_evenly() {
    let scene = Scene::new("svcops", &plan(3));
    let _servers = echo(&scene, 53);
    add_service(&scene, "-u 192.168.28.167:53", "-s rr -o", "");
    let mut answers = [0; 3];
    scene.in_client(|| {
        // It is connected: what does not come from the VIP is not heard.
        let socket = udp(client(5_000), vip(53));
        for _ in 0..DATAGRAMS {
            answers[usize::from(ask(&socket).unwrap()) - 1] += 1;
        }
    });
    assert_eq!(answers, [DATAGRAMS / 3; 3]);
    assert_eq!(scene.count("one_packet"), DATAGRAMS as u64);
    assert_eq!(connections(&scene), []);
    assert_eq!(scene.director().status().unwrap().table.live, 0);
}

/// As IPVS does it: the answer comes from the server's own address.
#[test]
fn answers_go_untranslated_where_the_administrator_wants_it() {
    let scene = Scene::new("svcopsanswer", &plan(1));
    let _servers = echo(&scene, 53);
    add_service(&scene, "-u 192.168.28.167:53", "-s rr -o", "");
    set(&scene, "one_packet_answers=0");
    let from = scene.in_client(|| {
        let socket = std::net::UdpSocket::bind(client(5_000)).unwrap();
        socket
            .set_read_timeout(Some(crate::peers::PATIENCE))
            .unwrap();
        socket.send_to(b"who", vip(53)).unwrap();
        socket.recv_from(&mut [0; 100]).unwrap().1
    });
    // The host's own masquerade does not know the datagram it answers.
    assert_ne!(from.ip(), vsnat_lab::VIP);
    set(&scene, "one_packet_answers=1");
    let server = scene.in_client(|| ask(&udp(client(5_001), vip(53))));
    assert_eq!(server.unwrap(), 1);
}

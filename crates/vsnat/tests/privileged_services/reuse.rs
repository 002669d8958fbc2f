//! A client that uses its port again at once gets a new connection with its
//! first SYN. IPVS lets it wait for a second where it drops that SYN.

use std::io::{Read, Write};
use std::time::Duration;

use socket2::SockRef;
use vsnat_lab::SERVICE_PORT;
use vsnat_lab::servers::SERVER_HEADER;

use crate::peers::{add_service, client, connect, plan, repeated_syns, set, vip, visit, web};
use crate::scenario::Scene;

const TIMES: u64 = 100;

#[test]
fn a_port_that_was_reset() {
    let scene = Scene::new("svcreset", &plan(3));
    let _servers = web(&scene, &[SERVICE_PORT]);
    add_service(&scene, "-t 192.168.28.167:80", "-s rr", "");
    let mut order = Vec::new();
    scene.in_client(|| {
        for _ in 0..TIMES {
            let (server, stream) = visit(client(5_000), vip(SERVICE_PORT));
            SockRef::from(&stream)
                .set_linger(Some(Duration::ZERO))
                .unwrap();
            order.push(server);
        }
    });
    check(&scene, &order);
}

#[test]
fn a_port_that_was_closed_in_order() {
    let scene = Scene::new("svcclosed", &plan(3));
    let _servers = web(&scene, &[SERVICE_PORT]);
    add_service(&scene, "-t 192.168.28.167:80", "-s rr", "");
    let mut order = Vec::new();
    scene.in_client(|| {
        for _ in 0..TIMES {
            // The server says first that it is done: only then may the
            // client's kernel use the port again at once.
            let mut stream = connect(client(5_000), vip(SERVICE_PORT)).unwrap();
            stream.write_all(b"HEAD / HTTP/1.0\r\n\r\n").unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).unwrap();
            let answer = answer.to_lowercase();
            let (_, named) = answer.split_once(&format!("{SERVER_HEADER}: ")).unwrap();
            order.push(named.lines().next().unwrap().parse().unwrap());
        }
    });
    check(&scene, &order);
}

/// With `conn_reuse_mode` 0 the old connection stays the port's, server and all.
#[test]
fn a_port_that_keeps_its_connection() {
    let scene = Scene::new("svcreuse", &plan(3));
    let _servers = web(&scene, &[SERVICE_PORT]);
    add_service(&scene, "-t 192.168.28.167:80", "-s rr", "");
    set(&scene, "conn_reuse_mode=0");
    let mut order = Vec::new();
    scene.in_client(|| {
        for _ in 0..10 {
            let (server, stream) = visit(client(5_000), vip(SERVICE_PORT));
            SockRef::from(&stream)
                .set_linger(Some(Duration::ZERO))
                .unwrap();
            order.push(server);
        }
    });
    assert_eq!(order, [3; 10]);
    assert_eq!(repeated_syns(&scene), 0);
    assert_eq!((scene.count("opened"), scene.count("reopened")), (1, 0));
}

#[track_caller]
fn check(scene: &Scene, order: &[u8]) {
    let expected: Vec<u8> = [3, 2, 1].into_iter().cycle().take(order.len()).collect();
    assert_eq!(order, expected, "scheduled anew each time");
    assert_eq!(repeated_syns(scene), 0);
    assert_eq!(scene.count("opened"), 1);
    assert_eq!(scene.count("reopened"), TIMES - 1);
}

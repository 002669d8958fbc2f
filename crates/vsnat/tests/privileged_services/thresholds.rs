//! Servers that have enough.

use std::io::ErrorKind;

use socket2::SockRef;

use crate::peers::{add_service, client, connect, plan, repeated_syns, until, vip, visit, web};
use crate::scenario::Scene;

#[test]
fn who_is_one_too_many_is_refused_at_once() {
    let mut scene = Scene::without_director("svcthreshold", &plan(2));
    let timeouts = "[timeouts]\ntcp_close = \"1s\"\n";
    scene.start_director(&(vsnat_lab::director::config() + timeouts));
    let _servers = web(&scene, &[80]);
    add_service(&scene, "-t 192.168.28.167:80", "-s rr", "-x 2");
    let mut held: Vec<_> = (0..4)
        .map(|_| scene.in_client(|| visit(client(0), vip(80))))
        .collect();
    let order: Vec<u8> = held.iter().map(|(server, _)| *server).collect();
    assert_eq!(order, [2, 1, 2, 1], "the server added last comes first");
    for _ in 0..3 {
        let error = scene.in_client(|| connect(client(0), vip(80))).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
    }
    assert_eq!(repeated_syns(&scene), 0, "nobody had to ask twice");
    assert_eq!(scene.count("no_server"), 3);
    assert_eq!(scene.count("icmp_sent"), 3);

    // One leaves: its server takes the next, and is full again.
    let (server, leaving) = held.remove(0);
    SockRef::from(&leaving)
        .set_linger(Some(std::time::Duration::ZERO))
        .unwrap();
    drop(leaving);
    let listing = || scene.ipvsadm("-Ln");
    until("the closed connection is gone", || {
        let listing = listing();
        let rows = listing.lines().filter(|line| line.contains("Masq"));
        let counts = rows.filter_map(|row| {
            let mut words = row.split_whitespace().rev();
            let inactive: u32 = words.next()?.parse().ok()?;
            Some(inactive + words.next()?.parse::<u32>().ok()?)
        });
        counts.sum::<u32>() == 3
    });
    let (taken, _held) = scene.in_client(|| visit(client(0), vip(80)));
    assert_eq!(taken, server);
    let error = scene.in_client(|| connect(client(0), vip(80))).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);

    // More is allowed from now on.
    let address = vsnat_lab::server_address(2);
    scene.ipvsadm(&format!("-e -t 192.168.28.167:80 -r {address} -m -x 3"));
    let (taken, _more) = scene.in_client(|| visit(client(0), vip(80)));
    assert_eq!(taken, 2);
    let error = scene.in_client(|| connect(client(0), vip(80))).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
    for (_, stream) in &held {
        assert!(stream.peer_addr().is_ok());
    }
}

//! Directors that end, in order and not, and what they leave.

use std::io::Read;

use vsnat_lab::Stop;

use crate::control::Control;
use crate::scenario::run_in;
use crate::site::{Kind, Site};

/// Rules and routes that are not the kernel's own.
fn diverted(site: &Site) -> (String, String) {
    let director = site.scene.cluster.director();
    let rules = run_in(&director, "ip -4 rule show table 22099");
    let routes = run_in(&director, "ip -4 route show table all type local dev lo");
    let routes = routes.lines().filter(|line| line.contains("22099"));
    (rules, routes.collect())
}

#[test]
fn a_helper_says_goodbye_and_leaves_transfers_alone() {
    let mut site = Site::start("ftpbye");
    let address = site.address(Kind::Pyftpdlib);
    let path = site.folder(Kind::Pyftpdlib).join("file");
    crate::cells::write(&path, 24 << 20, "file");
    let mut control = site.scene.in_client(|| Control::login(address));
    let data = site.scene.in_client(|| control.passive());
    control.ask("RETR pub/file", "1");
    let (rules, route) = diverted(&site);
    assert!(rules.contains("iif inner lookup 22099"), "{rules}");
    assert!(!route.is_empty());
    site.scene.leave_forwarding();
    control.reply("421");
    assert!(control.ends());
    // What the packet path knows goes on without a daemon.
    let mut first = [0; 1_000];
    let mut data = data;
    data.read_exact(&mut first).unwrap();
    // The next daemon takes it over.
    site.restart();
    let mut control = site.scene.in_client(|| Control::login(address));
    control.ask("NOOP", "200");
}

#[test]
fn nothing_is_left_of_a_helper() {
    let mut site = Site::start("ftpdown");
    let address = site.address(Kind::Vsftpd);
    let control = site.scene.in_client(|| Control::login(address));
    assert_ne!(diverted(&site), (String::new(), String::new()));
    // As a crash; then from the record alone.
    site.scene.kill_director();
    assert_ne!(diverted(&site).0, "");
    site.scene.remove_data_plane();
    assert_eq!(diverted(&site), (String::new(), String::new()));
    drop(control);
    // In order.
    site.restart();
    let _control = site
        .scene
        .in_client(|| Control::login(site.address(Kind::Pyftpdlib)));
    assert_ne!(diverted(&site).0, "");
    site.scene.stop(Stop::Remove);
    assert_eq!(diverted(&site), (String::new(), String::new()));
}

#[test]
fn a_helper_comes_and_goes_with_its_service() {
    let site = Site::start("ftpsetting");
    let address = site.address(Kind::Vsftpd);
    let mut open = site.scene.in_client(|| Control::login(address));
    site.scene.director().ctl(&["set", "ftp_helper=0"]).unwrap();
    // Without it the server is told and seen as it is.
    let told = site
        .scene
        .in_client(|| Control::login(address).ask("PASV", "227"));
    assert!(told.contains("10,0,100,11,"), "{told}");
    // A connection keeps what it was opened with.
    let told = open.ask("PASV", "227");
    assert!(told.contains("192,168,28,167,"), "{told}");
    site.scene.director().ctl(&["set", "ftp_helper=1"]).unwrap();
    let told = site.scene.in_client(|| {
        // Until the helper listens again it is refused.
        std::thread::sleep(std::time::Duration::from_millis(500));
        Control::login(address).ask("PASV", "227")
    });
    assert!(told.contains("192,168,28,167,"), "{told}");
}

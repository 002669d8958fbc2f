//! What depends on what: control connections, data connections, servers.

use std::fs;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::time::Duration;

use socket2::SockRef;
use vsnat_lab::{CLIENTS, VIP};

use crate::cells::write;
use crate::control::{Control, read_all, six_numbers};
use crate::site::{Kind, PORT, Site, is_said};

/// More than sockets buffer: a transfer is still under way when it matters.
const FILE_BYTES: usize = 48 << 20;

/// A file at both servers.
fn provide(site: &Site) -> Vec<u8> {
    let path = site.client_folder().join("original");
    write(&path, FILE_BYTES, "original");
    for kind in Kind::ALL {
        fs::copy(&path, site.folder(kind).join("file")).unwrap();
    }
    fs::read(path).unwrap()
}

#[test]
fn a_transfer_outlives_its_control_connection() {
    let site = Site::start("ftpdata");
    let file = provide(&site);
    let address = site.address(Kind::Vsftpd);
    site.scene.in_client(|| {
        let mut control = Control::login(address);
        let mut data = control.passive();
        control.ask("RETR pub/file", "1");
        let mut first = vec![0; 100_000];
        data.read_exact(&mut first).unwrap();
        drop(control);
        std::thread::sleep(Duration::from_millis(500));
        // The server gives up what it had not sent by then; what it had, and
        // the end of the connection, come.
        let listing = site.scene.ipvsadm("-Lnc");
        let local = data.local_addr().unwrap().to_string();
        assert!(listing.contains(&local), "{listing}");
        let more = read_all(data);
        assert!(!more.is_empty());
        assert!(file.starts_with(&[first, more].concat()));
    });
}

#[test]
fn a_control_connection_outlives_its_transfers() {
    let site = Site::start("ftpcontrol");
    let file = provide(&site);
    for kind in Kind::ALL {
        let address = site.address(kind);
        site.scene.in_client(|| {
            let mut control = Control::login(address);
            for _ in 0..3 {
                let data = control.passive();
                control.ask("RETR pub/file", "1");
                assert_eq!(read_all(data), file);
                control.reply("226");
            }
            // A transfer that the client breaks off once it has begun, since a
            // server may not answer for one that broke before it was accepted;
            // pyftpdlib takes it for complete at times.
            let mut data = control.passive();
            control.ask("RETR pub/file", "1");
            data.read_exact(&mut [0]).unwrap();
            SockRef::from(&data)
                .set_linger(Some(Duration::ZERO))
                .unwrap();
            drop(data);
            let told = control.reply("");
            assert!(told.starts_with("426") || told.starts_with("226"), "{told}");
            control.ask("NOOP", "200");
        });
    }
}

#[test]
fn a_server_sees_its_client_and_a_client_its_server() {
    let site = Site::start("ftpseen");
    provide(&site);
    let listener = site
        .scene
        .in_client(|| TcpListener::bind((CLIENTS[0], 0)).unwrap());
    let port = listener.local_addr().unwrap().port();
    let [high, low] = port.to_be_bytes();
    let own = CLIENTS[0].to_string().replace('.', ",");
    for kind in Kind::ALL {
        let address = site.address(kind);
        site.scene.in_client(|| {
            let mut control = Control::login(address);
            let from = control.stream.local_addr().unwrap();
            control.ask(&format!("PORT {own},{high},{low}"), "200");
            control.ask("RETR pub/file", "1");
            let (data, peer) = listener.accept().unwrap();
            assert_eq!(peer.ip(), VIP, "{kind:?}");
            assert_eq!(peer.port(), address.port() - 1, "{kind:?}");
            assert_eq!(read_all(data).len(), FILE_BYTES);
            control.reply("226");
            let listing = site.scene.ipvsadm("-Lnc");
            let line = format!(
                "{from:<18} {:<18} {}",
                address.to_string(),
                site.server(kind)
            );
            assert!(listing.contains(&line), "no {line} in\n{listing}");
        });
        // By address and by port.
        assert!(site.log(kind).contains(&CLIENTS[0].to_string()));
    }
    let listing = site.scene.ipvsadm("-Ln --stats");
    assert!(listing.contains(&format!("{VIP}:{PORT}")), "{listing}");
}

#[test]
fn nobody_else_uses_what_a_client_was_told() {
    let site = Site::start("ftptold");
    provide(&site);
    let address = site.address(Kind::Pyftpdlib);
    site.scene.in_client(|| {
        let mut control = Control::login(address);
        let told = six_numbers(&control.ask("PASV", "227"));
        assert_eq!(*told.ip(), VIP);
        // Another client of the same network.
        let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None);
        let socket = socket.unwrap();
        socket
            .bind(&std::net::SocketAddr::from((CLIENTS[1], 0)).into())
            .unwrap();
        let refused = socket.connect_timeout(&told.into(), Duration::from_secs(2));
        assert!(refused.is_err());
        // The one who was told, and not twice.
        let data = TcpStream::connect(told).unwrap();
        control.ask("RETR pub/file", "1");
        assert_eq!(read_all(data).len(), FILE_BYTES);
        assert!(TcpStream::connect(told).is_err());
    });
}

#[test]
fn a_bounce_is_refused() {
    let site = Site::start("ftpbounce");
    for kind in Kind::ALL {
        let address = site.address(kind);
        site.scene.in_client(|| {
            let mut control = Control::login(address);
            control.ask("PORT 10,0,100,12,0,22", "500");
            control.ask("EPRT |1|10.0.100.12|22|", "500");
            control.ask("EPRT |2|2001:db8::1|22|", "522");
            control.ask("NOOP", "200");
        });
        let log = site.log(kind);
        assert!(!is_said(&log, "PORT") && !is_said(&log, "EPRT"), "{log}");
    }
}

#[test]
fn lines_in_pieces_and_in_one_piece() {
    let site = Site::start("ftppieces");
    provide(&site);
    for kind in Kind::ALL {
        let address = site.address(kind);
        site.scene.in_client(|| {
            let mut control = Control::connect(address);
            control.say("USER anonymous\r\nPASS x\r\nTYPE I\r\nEPSV ALL\r\n");
            for code in ["331", "230", "200", "2"] {
                control.reply(code);
            }
            control.stream.set_nodelay(true).unwrap();
            for byte in "EPSV\r\n".chars() {
                control.say(&byte.to_string());
                std::thread::sleep(Duration::from_millis(20));
            }
            let told = control.reply("229");
            let port: u16 = told.split('|').nth(3).unwrap().parse().unwrap();
            let data = TcpStream::connect((VIP, port)).unwrap();
            control.ask("RETR pub/file", "1");
            assert_eq!(read_all(data).len(), FILE_BYTES);
            control.reply("226");
            // After `EPSV ALL` the server refuses the others, not the helper.
            control.ask("PASV", "5");
        });
    }
}

#[test]
fn an_urgent_abort_reaches_the_server() {
    let site = Site::start("ftpabort");
    provide(&site);
    let address = site.address(Kind::Vsftpd);
    site.scene.in_client(|| {
        let mut control = Control::login(address);
        let mut data = control.passive();
        control.ask("RETR pub/file", "1");
        let mut first = [0; 1_000];
        data.read_exact(&mut first).unwrap();
        // As clients do: IAC IP, then IAC as urgent data, then DM and the line.
        control.stream.write_all(b"\xff\xf4").unwrap();
        let urgent = SockRef::from(&control.stream).send_out_of_band(b"\xff");
        assert_eq!(urgent.unwrap(), 1);
        control.stream.write_all(b"\xf2ABOR\r\n").unwrap();
        let read = read_to_the_end(data);
        assert!(read < FILE_BYTES - 1_000, "the whole file came");
        control.reply("426");
        control.reply("226");
        control.ask("NOOP", "200");
    });
}

fn read_to_the_end(mut data: TcpStream) -> usize {
    let mut buffer = vec![0; 1 << 16];
    let mut sum = 0;
    while let Ok(length) = data.read(&mut buffer) {
        if length == 0 {
            break;
        }
        sum += length;
    }
    let _ = data.shutdown(Shutdown::Both);
    sum
}

#[test]
fn a_silent_control_connection_is_kept() {
    let site = Site::start("ftpsilent");
    site.scene.ipvsadm("--set 6 0 0");
    let address = site.address(Kind::Vsftpd);
    site.scene.in_client(|| {
        let mut control = Control::login(address);
        let local = control.stream.local_addr().unwrap().to_string();
        // Twice as long as the packet path remembers a connection in silence.
        std::thread::sleep(Duration::from_secs(13));
        let listing = site.scene.ipvsadm("-Lnc");
        assert!(listing.contains(&local), "no {local} in\n{listing}");
        control.ask("NOOP", "200");
    });
}

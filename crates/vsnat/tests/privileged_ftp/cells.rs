//! Every client with every server in every mode.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::Path;

use crate::clients::{Client, Files, Mode};
use crate::site::{Kind, Site, is_said};

const USUAL_BYTES: usize = 2 << 20;
const LARGE_BYTES: usize = 100 << 20;

#[test]
fn every_client_with_every_server_in_every_mode() {
    let site = Site::start("ftpcells");
    for kind in Kind::ALL {
        for client in Client::ALL {
            for mode in Mode::ALL {
                cell(&site, kind, client, mode, USUAL_BYTES);
            }
        }
    }
    // The servers' data connections were opened by nothing but expectations.
    assert!(site.scene.count("expected") >= 60);
    assert_eq!(site.scene.count("expected_full"), 0);
}

#[test]
fn a_hundred_megabytes_in_every_mode() {
    let site = Site::start("ftplarge");
    let cells = [
        (Kind::Vsftpd, Client::Curl, Mode::Port),
        (Kind::Pyftpdlib, Client::Lftp, Mode::Pasv),
        (Kind::Pyftpdlib, Client::Ftplib, Mode::Eprt),
        (Kind::Vsftpd, Client::Tnftp, Mode::Epsv),
    ];
    for (kind, client, mode) in cells {
        cell(&site, kind, client, mode, LARGE_BYTES);
    }
}

fn cell(site: &Site, kind: Kind, client: Client, mode: Mode, bytes: usize) {
    if let Some(why) = client.cannot(mode) {
        println!("{kind:?} {client:?} {mode:?}: not to be had, {why}");
        return;
    }
    let folder = site.client_folder();
    let (sent, fetched) = (folder.join("sent"), folder.join("fetched"));
    let name = format!("{client:?}-{mode:?}");
    write(&sent, bytes, &name);
    let _ = fs::remove_file(&fetched);
    let before = site.log(kind).len();
    let files = Files {
        sent: &sent,
        fetched: &fetched,
        name: &name,
    };
    let address = site.address(kind);
    let printed = site.scene.in_client(|| client.visit(address, mode, &files));
    let stored = site.folder(kind).join(&name);
    assert!(
        printed.contains(&name),
        "no {name} in the listing: {printed}"
    );
    assert!(
        is_same(&sent, &stored),
        "{kind:?} {name}: sent unlike stored"
    );
    assert!(
        is_same(&sent, &fetched),
        "{kind:?} {name}: fetched unlike sent"
    );
    let log = site.log(kind)[before..].to_owned();
    for other in Mode::ALL {
        let said = is_said(&log, other.word());
        assert_eq!(
            said,
            other == mode,
            "{kind:?} {name}, {}: {log}",
            other.word()
        );
    }
    let client = vsnat_lab::CLIENTS[0].to_string();
    assert!(log.contains(&client), "no {client} in {log}");
    fs::remove_file(stored).unwrap();
    println!("{kind:?} {name}: {bytes} bytes both ways");
}

/// Bytes that do not repeat soon, and differ from file to file.
pub fn write(path: &Path, bytes: usize, name: &str) {
    let mut state = name.bytes().fold(0x9e37_79b9_7f4a_7c15_u64, |state, byte| {
        (state ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)
    }) | 1;
    let mut file = std::io::BufWriter::new(File::create(path).unwrap());
    for _ in 0..bytes / 8 {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        file.write_all(&state.to_le_bytes()).unwrap();
    }
    file.flush().unwrap();
}

pub fn is_same(a: &Path, b: &Path) -> bool {
    let (mut a, mut b) = (File::open(a).unwrap(), File::open(b).unwrap());
    if a.metadata().unwrap().len() != b.metadata().unwrap().len() {
        return false;
    }
    let (mut of_a, mut of_b) = (vec![0; 1 << 20], vec![0; 1 << 20]);
    loop {
        let length = a.read(&mut of_a).unwrap();
        if length == 0 {
            return true;
        }
        b.read_exact(&mut of_b[..length]).unwrap();
        if of_a[..length] != of_b[..length] {
            return false;
        }
    }
}

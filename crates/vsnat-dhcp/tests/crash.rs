//! The lease file after a crash at any byte, and after a failure of any step.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod kit;

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::net::Ipv4Addr;
use std::path::Path;
use std::rc::Rc;

use kit::*;
use vsnat_dhcp::{Disk, Folder, Lease, LeaseState, Store, StoreError, UnixTime};

fn lease_of(last: u8, client: u16, ends_s: u32) -> Lease {
    let hardware = mac(client);
    Lease {
        address: host(last),
        client: vsnat_dhcp::Client::new(hardware, None),
        sender: hardware,
        host_name: None,
        vendor_class: Some("udhcp 1.35.0".to_owned()),
        state: LeaseState::Active,
        since: START,
        renewed: START,
        ends: START.plus_s(ends_s),
    }
}

type State = BTreeMap<Ipv4Addr, Lease>;

fn loaded(path: &Path) -> (State, usize) {
    let (_, loaded) = Store::open(Folder::new(path)).unwrap();
    let leases = loaded.leases.into_iter();
    (
        leases.map(|lease| (lease.address, lease)).collect(),
        loaded.damaged,
    )
}

/// Writes a change after the other; gives the length of the file and the state
/// after each.
fn history(path: &Path) -> Vec<(usize, State)> {
    let (mut store, _) = Store::open(Folder::new(path)).unwrap();
    let mut state = State::new();
    let mut history = Vec::new();
    for n in 0..12u8 {
        let lease = lease_of(10 + n % 5, u16::from(n), u32::from(n) + 1);
        state.insert(lease.address, lease.clone());
        store.write(&[lease], state.len(), state.values()).unwrap();
        let length = fs::metadata(path).unwrap().len() as usize;
        history.push((length, state.clone()));
    }
    history
}

#[test]
fn cut_off_at_any_byte_it_has_what_was_whole() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("leases");
    let history = history(&path);
    let bytes = fs::read(&path).unwrap();
    let cut = folder.path().join("cut");
    // The first write makes a file of its own, in place as a whole.
    for length in 0..=bytes.len() {
        fs::write(&cut, &bytes[..length]).unwrap();
        let whole = history.iter().rev().find(|(end, _)| *end <= length);
        let expected = whole.map(|(_, state)| state.clone()).unwrap_or_default();
        assert_eq!(loaded(&cut), (expected.clone(), 0), "{length} bytes");
        // And it can be written to again.
        let (mut store, _) = Store::open(Folder::new(&cut)).unwrap();
        let more = lease_of(200, 200, 9);
        let mut state = expected;
        state.insert(more.address, more.clone());
        store.write(&[more], state.len(), state.values()).unwrap();
        assert_eq!(loaded(&cut), (state, 0), "{length} bytes and a write");
    }
}

#[test]
fn a_damaged_line_costs_itself_only() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("leases");
    let history = history(&path);
    let bytes = fs::read(&path).unwrap();
    let (before, after) = (history[2].0, history[3].0);
    for at in before..after - 1 {
        let mut damaged = bytes.clone();
        damaged[at] ^= 0x10;
        fs::write(&path, &damaged).unwrap();
        assert_eq!(loaded(&path).1, 1, "byte {at}");
    }
}

#[test]
fn another_version_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("leases");
    fs::write(&path, "vsnat-leases 2\nx\n").unwrap();
    let refused = Store::open(Folder::new(&path)).unwrap_err();
    assert!(matches!(refused, StoreError::OtherVersion), "{refused}");
    assert_eq!(fs::read(&path).unwrap(), b"vsnat-leases 2\nx\n");
}

/// A real folder whose n-th step fails, and the process dies with it, or not.
struct Failing {
    folder: Folder,
    left: Rc<Cell<usize>>,
    manner: Manner,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Manner {
    /// Nothing is done.
    Refused,
    /// Half of the bytes are written; a step without bytes is done, and fails.
    Halfway,
}

impl Failing {
    fn step(&self) -> bool {
        let left = self.left.get();
        self.left.set(left.wrapping_sub(1));
        left == 0
    }

    fn fail(&mut self, halfway: impl FnOnce(&mut Folder)) -> io::Result<()> {
        if self.manner == Manner::Halfway {
            halfway(&mut self.folder);
        }
        Err(io::Error::from_raw_os_error(28))
    }
}

impl Disk for Failing {
    fn read(&mut self) -> io::Result<Vec<u8>> {
        self.folder.read()
    }
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self.step() {
            true => self.fail(|folder| folder.append(&bytes[..bytes.len() / 2]).unwrap()),
            false => self.folder.append(bytes),
        }
    }
    fn sync(&mut self) -> io::Result<()> {
        match self.step() {
            true => self.fail(|folder| folder.sync().unwrap()),
            false => self.folder.sync(),
        }
    }
    fn write_next(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self.step() {
            true => self.fail(|folder| folder.write_next(&bytes[..bytes.len() / 2]).unwrap()),
            false => self.folder.write_next(bytes),
        }
    }
    fn sync_next(&mut self) -> io::Result<()> {
        match self.step() {
            true => self.fail(|folder| folder.sync_next().unwrap()),
            false => self.folder.sync_next(),
        }
    }
    fn rename_next(&mut self) -> io::Result<()> {
        match self.step() {
            true => self.fail(|folder| folder.rename_next().unwrap()),
            false => self.folder.rename_next(),
        }
    }
    fn sync_folder(&mut self) -> io::Result<()> {
        match self.step() {
            true => self.fail(|folder| folder.sync_folder().unwrap()),
            false => self.folder.sync_folder(),
        }
    }
}

/// Changes until the failing step, then what the next process finds; and, in
/// another run, what this one does after the failure.
#[test]
fn a_failure_of_any_step_loses_nothing_that_was_acknowledged() {
    for manner in [Manner::Refused, Manner::Halfway] {
        for failing in 0.. {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("leases");
            if !fails_at(&path, failing, manner) {
                assert!(failing > 10, "only {failing} steps");
                break;
            }
        }
    }
}

/// Whether a step failed at all.
fn fails_at(path: &Path, failing: usize, manner: Manner) -> bool {
    let left = Rc::new(Cell::new(failing));
    let disk = Failing {
        folder: Folder::new(path),
        left: Rc::clone(&left),
        manner,
    };
    let (mut store, _) = Store::open(disk).unwrap();
    let mut state = State::new();
    let mut acknowledged = State::new();
    let mut failures = 0;
    for n in 0..8u8 {
        let lease = lease_of(10 + n, u16::from(n), 60);
        state.insert(lease.address, lease.clone());
        match store.write(&[lease], state.len(), state.values()) {
            // All of memory is on the disk, what failed before too.
            Ok(()) => acknowledged = state.clone(),
            Err(_) => failures += 1,
        }
        let (found, damaged) = loaded(path);
        assert_eq!(damaged, 0, "{manner:?} at {failing}");
        for lease in acknowledged.values() {
            assert_eq!(
                found.get(&lease.address),
                Some(lease),
                "{manner:?} at {failing}"
            );
        }
        // What nobody was told of may be there or not, but nothing else.
        assert!(
            found
                .values()
                .all(|lease| state.get(&lease.address) == Some(lease))
        );
    }
    // The failure is got over with the next change.
    left.set(usize::MAX);
    store.write(&[], state.len(), state.values()).unwrap();
    assert_eq!(loaded(path), (state, 0));
    assert!(failures <= 1);
    failures == 1
}

#[test]
fn the_file_is_rewritten_before_it_grows_long() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("leases");
    let (mut store, _) = Store::open(Folder::new(&path)).unwrap();
    let mut longest = 0;
    for n in 0..2_500u32 {
        let lease = Lease {
            renewed: UnixTime::from_s(u64::from(n)),
            ..lease_of(10, 1, n)
        };
        store
            .write(std::slice::from_ref(&lease), 1, std::iter::once(&lease))
            .unwrap();
        let text = fs::read_to_string(&path).unwrap();
        longest = longest.max(text.lines().count());
    }
    assert!((1_000..1_100).contains(&longest), "{longest} lines");
}

//! What was found before the first change, on disk.
//!
//! Written before anything is changed and kept until everything is taken back,
//! so that `vsnat down` can restore the host after a crash at any point. A
//! daemon that adopts a running data plane keeps the record of the first one:
//! what it finds itself is partly its predecessor's doing.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use thiserror::Error;
use vsnat_config::Desired;

use crate::host::address::InterfaceAddress;
use crate::host::sysctl::Setting;
use crate::netns::Namespace;

/// Counts the incompatible changes of the format.
const FORMAT: u32 = 1;

/// What the file of a record has after the director's name.
pub(crate) const SUFFIX: &str = ".state.json";

/// Identifies the running of this kernel since boot.
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// What to take back, and what the file last asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    format: u32,
    boot: String,
    pub namespace: Namespace,
    /// Interfaces the packet path is attached to.
    pub interfaces: Vec<String>,
    /// Addresses that were absent and are put there, in the order of adding.
    pub added_addresses: Vec<InterfaceAddress>,
    /// Whether the outer interface promotes addresses, as found: taking one off
    /// switches that on for a moment.
    #[serde(default)]
    pub promotion: Vec<Setting>,
    /// Every forwarding switch as found.
    pub forwarding: Vec<Setting>,
    /// The neighbour timers of the inner interfaces as found.
    #[serde(default)]
    pub neighbours: Vec<Setting>,
    /// The loopback interface's switch as found.
    #[serde(default)]
    pub loopback: Vec<Setting>,
    /// `accept_local` of the inner interfaces as found.
    #[serde(default)]
    pub own_sources: Vec<Setting>,
    /// The switches of IPv6 as found; none while nothing of IPv6 was asked for.
    #[serde(default)]
    pub ipv6: Vec<Setting>,
    /// The nftables table to remove.
    pub table: Option<String>,
    /// That of IPv6.
    #[serde(default)]
    pub table6: Option<String>,
    /// The routing table of FTP's helper, if it and its rules are to be removed.
    #[serde(default)]
    pub diversion: Option<u32>,
    /// Mount points of file systems that were mounted for this director.
    pub mounted: Vec<PathBuf>,
    /// What commands can change, as the file had it when it was last carried
    /// out: what differs from it was changed at run time.
    pub applied: Desired,
}

/// The record cannot be kept.
#[derive(Debug, Error)]
pub enum RecordError {
    #[error("cannot {doing} the restore record {}: {source}", path.display())]
    Io {
        doing: &'static str,
        path: PathBuf,
        source: io::Error,
    },
    #[error(
        "the restore record {} cannot be understood ({message}); it was written by another \
         version: take the director down with that version first",
        path.display()
    )]
    Malformed { path: PathBuf, message: String },
}

impl Record {
    pub fn new(namespace: Namespace, forwarding: Vec<Setting>) -> Self {
        Record {
            format: FORMAT,
            boot: boot_id(),
            namespace,
            interfaces: Vec::new(),
            added_addresses: Vec::new(),
            promotion: Vec::new(),
            forwarding,
            neighbours: Vec::new(),
            loopback: Vec::new(),
            own_sources: Vec::new(),
            ipv6: Vec::new(),
            table: None,
            table6: None,
            diversion: None,
            mounted: Vec::new(),
            applied: Desired::default(),
        }
    }

    /// The record of a director that has not been taken down. One from before
    /// the last boot describes nothing that is still there.
    pub fn load(path: &Path) -> Result<Option<Self>, RecordError> {
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(failed("read", path, source)),
        };
        let malformed = |message: String| RecordError::Malformed {
            path: path.to_owned(),
            message,
        };
        let record: Record = serde_json::from_str(&text).map_err(|e| malformed(e.to_string()))?;
        if record.format != FORMAT {
            return Err(malformed(format!("its format is {}", record.format)));
        }
        Ok((record.boot == boot_id()).then_some(record))
    }

    /// Names of the other directors that work in this network namespace.
    pub fn others_in(namespace: &Namespace, own: &Path) -> Vec<String> {
        let Some(folder) = own.parent() else {
            return Vec::new();
        };
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        let others = entries.map(|entry| entry.path()).filter(|path| path != own);
        let mut names: Vec<String> = others
            .filter_map(|path| {
                let name = path.file_name()?.to_str()?.strip_suffix(SUFFIX)?.to_owned();
                // One that cannot be read is refused to its own director.
                let record = Record::load(&path).ok()??;
                (record.namespace.cookie == namespace.cookie).then_some(name)
            })
            .collect();
        names.sort();
        names
    }

    /// Replaces the record as a whole; when this returns, it is on disk.
    pub fn save(&self, path: &Path) -> Result<(), RecordError> {
        let text = serde_json::to_string_pretty(self);
        let text = text.map_err(|error| failed("write", path, error.into()))?;
        replace(path, &text).map_err(|source| failed("write", path, source))
    }

    pub fn delete(path: &Path) -> Result<(), RecordError> {
        // Of a writer that was killed; it harms nobody.
        let _ = fs::remove_file(next_of(path));
        match fs::remove_file(path) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(source) => Err(failed("delete", path, source)),
        }
    }
}

fn failed(doing: &'static str, path: &Path, source: io::Error) -> RecordError {
    RecordError::Io {
        doing,
        path: path.to_owned(),
        source,
    }
}

/// Where a record is written before it takes the place of the last one.
fn next_of(path: &Path) -> PathBuf {
    path.with_extension("next")
}

/// A reader sees the old text or the new one, after a crash too.
fn replace(path: &Path, text: &str) -> io::Result<()> {
    let next = next_of(path);
    let mut file = File::create(&next)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&next, path)?;
    match path.parent() {
        Some(folder) => File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}

fn boot_id() -> String {
    let id = fs::read_to_string(BOOT_ID).unwrap_or_default();
    id.trim().to_owned()
}

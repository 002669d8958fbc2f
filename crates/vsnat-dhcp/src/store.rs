//! The leases on disk: changes are appended, and now and then the whole state
//! replaces the file.
//!
//! A change is told to nobody before [`Store::write`] has returned. When writing
//! fails, what is behind the last good line is unknown, so the next write begins
//! a new file from the state in memory.

use std::io;

use thiserror::Error;

use crate::journal::{self, Read};
use crate::{Disk, Lease};

/// So many lines beyond twice the leases are kept before the file is written
/// anew: a small network's file is rewritten about once for each thousand
/// renewals, a large one's when half of it is out of date.
const SLACK: usize = 1_000;

/// What was found on the disk.
#[derive(Debug)]
pub struct Loaded {
    pub leases: Vec<Lease>,
    /// Lines that were whole but wrong, and are left out.
    pub damaged: usize,
}

/// The leases cannot be kept.
#[derive(Debug, Error)]
pub enum StoreError {
    #[error("cannot {doing} the leases: {source}")]
    Io {
        doing: &'static str,
        source: io::Error,
    },
    #[error(
        "the leases were written by another version of this program; start that version, or move \
         its file away: its clients then ask anew"
    )]
    OtherVersion,
}

/// The file of the leases.
#[derive(Debug)]
pub struct Store<D> {
    disk: D,
    lines: usize,
    condition: Condition,
}

/// Whether the end of the file is known to be the end of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Condition {
    Clean,
    Unknown,
}

impl<D: Disk> Store<D> {
    /// Reads what is there. Nothing is written before the first change.
    pub fn open(mut disk: D) -> Result<(Self, Loaded), StoreError> {
        let bytes = disk.read().map_err(|source| failed("read", source))?;
        let Read { leases, damaged } =
            journal::read(&bytes).map_err(|_| StoreError::OtherVersion)?;
        let store = Store {
            disk,
            lines: 0,
            condition: Condition::Unknown,
        };
        let leases = leases.into_values().collect();
        Ok((store, Loaded { leases, damaged }))
    }

    /// Returns when the changes are on the disk. `all` is the whole state with
    /// the changes in it: so many leases.
    pub fn write<'a>(
        &mut self,
        changes: &[Lease],
        count: usize,
        all: impl Iterator<Item = &'a Lease>,
    ) -> Result<(), StoreError> {
        let is_long = self.lines > count.saturating_mul(2).saturating_add(SLACK);
        match (self.condition, is_long) {
            (Condition::Clean, false) => self.append(changes),
            (Condition::Clean, true) | (Condition::Unknown, _) => self.replace(all),
        }
    }

    fn append(&mut self, changes: &[Lease]) -> Result<(), StoreError> {
        let lines: String = changes.iter().map(journal::line).collect();
        self.condition = Condition::Unknown;
        let written = self.disk.append(lines.as_bytes());
        let written = written.and_then(|()| self.disk.sync());
        written.map_err(|source| failed("append to", source))?;
        self.lines += changes.len();
        self.condition = Condition::Clean;
        Ok(())
    }

    fn replace<'a>(&mut self, all: impl Iterator<Item = &'a Lease>) -> Result<(), StoreError> {
        let mut lines = 0;
        let text = journal::whole(all.inspect(|_| lines += 1));
        self.condition = Condition::Unknown;
        let disk = &mut self.disk;
        let written = disk
            .write_next(text.as_bytes())
            .and_then(|()| disk.sync_next())
            .and_then(|()| disk.rename_next())
            .and_then(|()| disk.sync_folder());
        written.map_err(|source| failed("rewrite", source))?;
        self.lines = lines;
        self.condition = Condition::Clean;
        Ok(())
    }
}

fn failed(doing: &'static str, source: io::Error) -> StoreError {
    StoreError::Io { doing, source }
}

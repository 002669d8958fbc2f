//! `vsnat down`: the host as it was found, with or without a daemon.

use std::path::PathBuf;
use std::time::Duration;

use thiserror::Error;
use vsnat_config::DirectorName;
use vsnat_dataplane::DataPlane;

use crate::api;
use crate::client::{Client, ClientError};
use crate::lock::{LockError, NameLock};
use crate::netns::{self, NetnsError};
use crate::paths::Paths;
use crate::privilege::{self, PrivilegeError};
use crate::record::{Record, RecordError};
use crate::restore::{self, RestoreError};

/// A daemon that has answered needs only its last moments.
const DAEMON_ENDS: Duration = Duration::from_secs(10);

/// Which director is to be taken down.
#[derive(Clone, Debug)]
pub struct DownOptions {
    pub name: DirectorName,
    pub socket: Option<PathBuf>,
    /// Where its data plane is, if there is no record that says so.
    pub netns: Option<String>,
}

/// Who did it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DownOutcome {
    ByDaemon,
    FromRecord,
    /// There was no record, but a pinned data plane.
    DataPlaneOnly,
    NothingThere,
}

/// Why the director is not down.
#[derive(Debug, Error)]
pub enum DownError {
    #[error(transparent)]
    Client(#[from] ClientError),
    #[error(transparent)]
    Privilege(#[from] PrivilegeError),
    #[error(transparent)]
    Lock(#[from] LockError),
    #[error(
        "director {name} runs but does not answer on its socket: end its process, then run this again ({lock})"
    )]
    Deaf { name: DirectorName, lock: LockError },
    #[error(transparent)]
    Record(#[from] RecordError),
    #[error(transparent)]
    Netns(#[from] NetnsError),
    #[error("cannot enter the director's network namespace {}: {source}", path.display())]
    Enter {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error(transparent)]
    Restore(#[from] RestoreError),
}

/// Takes a director down. Doing it again does nothing.
///
/// Without a daemon this enters the director's network namespace on the
/// calling thread and for good.
pub fn down(options: &DownOptions) -> Result<DownOutcome, DownError> {
    let name = &options.name;
    let paths = Paths::find(name, options.socket.clone());
    let patience = match Client::new(Some(name.clone()), &paths.socket).down() {
        Ok(()) => {
            NameLock::wait(name.as_str(), &paths, DAEMON_ENDS)?.forget();
            return Ok(DownOutcome::ByDaemon);
        }
        Err(ClientError::NobodyAnswers { .. } | ClientError::DaemonGone { .. }) => Duration::ZERO,
        // It is ending for another reason; what it leaves is seen to below.
        Err(ClientError::Ended { .. }) => DAEMON_ENDS,
        Err(error) => return Err(error.into()),
    };
    privilege::check()?;
    let lock = NameLock::wait(name.as_str(), &paths, patience).map_err(|lock| match lock {
        LockError::Held { .. } => DownError::Deaf {
            name: name.clone(),
            lock,
        },
        LockError::Io { .. } => DownError::Lock(lock),
    })?;
    let outcome = match Record::load(&paths.record)? {
        Some(record) => from_record(options, &paths, &record)?,
        None => without_record(options, &paths)?,
    };
    // A daemon that crashed could not remove its socket's file.
    api::socket::remove_dead(&paths.socket);
    lock.forget();
    Ok(outcome)
}

fn from_record(
    options: &DownOptions,
    paths: &Paths,
    record: &Record,
) -> Result<DownOutcome, DownError> {
    match netns::find(record.namespace.cookie) {
        Some(path) => {
            netns::enter_file(&path).map_err(|source| DownError::Enter { path, source })?;
        }
        None if netns::enter(None)?.cookie == record.namespace.cookie => {}
        None => {
            tracing::warn!("the director's network namespace is gone, and its changes with it");
            restore::remove_leftovers(&options.name, paths)?;
            return Ok(DownOutcome::FromRecord);
        }
    }
    restore::restore(&options.name, paths, record)?;
    Ok(DownOutcome::FromRecord)
}

fn without_record(options: &DownOptions, paths: &Paths) -> Result<DownOutcome, DownError> {
    if !DataPlane::is_pinned(options.name.as_str()) {
        // A record from before the last boot says nothing about this one.
        Record::delete(&paths.record)?;
        return Ok(DownOutcome::NothingThere);
    }
    netns::enter(options.netns.as_deref())?;
    restore::remove_leftovers(&options.name, paths)?;
    Ok(DownOutcome::DataPlaneOnly)
}

//! One daemon for each name.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use thiserror::Error;

use crate::paths::Paths;

/// How often a waiting process looks whether the lock is free.
const POLL: Duration = Duration::from_millis(50);

/// The lock of a name; it is free when this is dropped or the process ends.
#[derive(Debug)]
pub(crate) struct NameLock {
    path: PathBuf,
    /// Kept open: closing it gives the lock up.
    _file: File,
}

/// The name cannot be had.
#[derive(Debug, Error)]
pub enum LockError {
    #[error(
        "a director named {name} runs already, as process {pid}; stop it with `vsnat down --name \
         {name}`, or give this one another --name"
    )]
    Held { name: String, pid: String },
    #[error("cannot use the lock file {}: {source}; check that /run is writable", path.display())]
    Io {
        path: PathBuf,
        source: std::io::Error,
    },
}

impl NameLock {
    /// Takes the lock of `name`, creating its file when there is none.
    pub fn take(name: &str, paths: &Paths) -> Result<Self, LockError> {
        let path = &paths.lock;
        let io = |source| LockError::Io {
            path: path.clone(),
            source,
        };
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(io)?;
        }
        let mut file = open_locked(name, path)?;
        file.set_len(0).map_err(io)?;
        file.rewind().map_err(io)?;
        let pid = std::process::id();
        let socket = paths.socket.display();
        write!(file, "{pid}\n{socket}\n").map_err(io)?;
        Ok(NameLock {
            path: path.clone(),
            _file: file,
        })
    }

    /// Removes the file and gives the lock up.
    pub fn forget(self) {
        // Should it stay, it is an empty promise that harms nobody.
        let _ = fs::remove_file(&self.path);
    }

    /// Takes the lock as soon as its holder gives it up, within `patience`.
    pub fn wait(name: &str, paths: &Paths, patience: Duration) -> Result<Self, LockError> {
        let deadline = Instant::now() + patience;
        loop {
            match NameLock::take(name, paths) {
                Err(LockError::Held { .. }) if Instant::now() < deadline => thread::sleep(POLL),
                result => return result,
            }
        }
    }
}

/// Opens and locks the file that has this path. One that was removed by its
/// last holder meanwhile is not that file any more.
fn open_locked(name: &str, path: &Path) -> Result<File, LockError> {
    let io = |source| LockError::Io {
        path: path.to_owned(),
        source,
    };
    loop {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let mut file = options.open(path).map_err(io)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::Error(source)) => return Err(io(source)),
            Err(TryLockError::WouldBlock) => {
                let pid = holder(&mut file);
                let name = name.to_owned();
                return Err(LockError::Held { name, pid });
            }
        }
        let locked = file.metadata().map_err(io)?.ino();
        if fs::metadata(path).is_ok_and(|there| there.ino() == locked) {
            return Ok(file);
        }
    }
}

/// The socket of the daemon that holds the lock, or held it last.
pub(crate) fn last_socket(lock: &Path) -> Option<PathBuf> {
    let text = fs::read_to_string(lock).ok()?;
    text.lines().nth(1).map(PathBuf::from)
}

fn holder(file: &mut File) -> String {
    let mut text = String::new();
    let read = file.read_to_string(&mut text);
    match (read, text.lines().next()) {
        (Ok(_), Some(pid)) => pid.to_owned(),
        (Ok(_), None) | (Err(_), _) => "unknown".to_owned(),
    }
}

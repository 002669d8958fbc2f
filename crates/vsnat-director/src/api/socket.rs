//! The socket of the API.

use std::fs::{self, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use nix::sys::stat::{Mode, umask};
use thiserror::Error;

/// The owner and the group may command the director.
const MODE: u32 = 0o660;

/// The socket cannot be had.
#[derive(Debug, Error)]
pub enum SocketError {
    #[error("another director answers on {}; give this one another --socket", path.display())]
    InUse { path: PathBuf },
    #[error("{} is there and is no socket; give another --socket", path.display())]
    NoSocket { path: PathBuf },
    #[error("cannot listen on {}: {source}; give a --socket in a folder that exists", path.display())]
    Listen { path: PathBuf, source: io::Error },
}

/// The listening socket; its file goes with it.
#[derive(Debug)]
pub(crate) struct ApiSocket {
    path: PathBuf,
}

impl ApiSocket {
    /// Listens at `path`, where at most a socket that nobody serves may be.
    pub fn bind(path: &Path) -> Result<(Self, UnixListener), SocketError> {
        let listen = |source| SocketError::Listen {
            path: path.to_owned(),
            source,
        };
        remove_stale(path)?;
        // No moment in which others could connect.
        let others = umask(Mode::S_IRWXO | Mode::S_IXUSR | Mode::S_IXGRP);
        let bound = UnixListener::bind(path);
        umask(others);
        let listener = bound.map_err(listen)?;
        let socket = ApiSocket {
            path: path.to_owned(),
        };
        fs::set_permissions(path, Permissions::from_mode(MODE)).map_err(listen)?;
        listener.set_nonblocking(true).map_err(listen)?;
        Ok((socket, listener))
    }
}

impl Drop for ApiSocket {
    fn drop(&mut self) {
        // Left over, it would be taken for stale by the next daemon.
        let _ = fs::remove_file(&self.path);
    }
}

/// Removes the socket of a director that is known to be gone.
pub(crate) fn remove_dead(path: &Path) {
    // At worst a file stays that the next director removes.
    let _ = remove_stale(path);
}

fn remove_stale(path: &Path) -> Result<(), SocketError> {
    let listen = |source| SocketError::Listen {
        path: path.to_owned(),
        source,
    };
    let path_buf = || path.to_owned();
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(source) => return Err(listen(source)),
        Ok(file) if !file.file_type().is_socket() => {
            return Err(SocketError::NoSocket { path: path_buf() });
        }
        Ok(_) => {}
    }
    match UnixStream::connect(path) {
        Ok(_) => Err(SocketError::InUse { path: path_buf() }),
        Err(_) => fs::remove_file(path).map_err(listen),
    }
}

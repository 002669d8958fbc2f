//! Network namespaces: entering one by name, and knowing one again.

use std::fs::{self, File};
use std::io;
use std::net::{Ipv4Addr, UdpSocket};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::thread;

use nix::sched::{CloneFlags, setns};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Where `ip netns` keeps the namespaces that have a name.
const NAMED: &str = "/run/netns";

/// The namespace of the first process: where a host's own interfaces are.
const INITIAL: &str = "/proc/1/ns/net";

/// Which namespace a director lives in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Namespace {
    /// The name it was entered by; none when it was the caller's own.
    pub name: Option<String>,
    /// The kernel's number of it (SO_NETNS_COOKIE, 5.14), which is never given
    /// to another one, unlike an inode or a name.
    pub cookie: u64,
}

/// A namespace cannot be entered or told.
#[derive(Debug, Error)]
pub enum NetnsError {
    #[error("there is no network namespace {name}; `ip netns list` shows those there are{known}")]
    Unknown { name: String, known: String },
    #[error("cannot enter network namespace {name}: {source}; this needs root")]
    Enter { name: String, source: io::Error },
    #[error("cannot tell this network namespace from others: {source}; Linux 6.1 or newer can")]
    Cookie { source: io::Error },
}

/// Moves the calling thread into the namespace of that name, or leaves it where
/// it is, and says where it now is. Threads started later follow it.
pub fn enter(name: Option<&str>) -> Result<Namespace, NetnsError> {
    if let Some(name) = name {
        let path = Path::new(NAMED).join(name);
        enter_file(&path).map_err(|source| match source.kind() {
            io::ErrorKind::NotFound => unknown(name),
            _ => NetnsError::Enter {
                name: name.to_owned(),
                source,
            },
        })?;
    }
    let cookie = cookie().map_err(|source| NetnsError::Cookie { source })?;
    let name = name.map(str::to_owned);
    Ok(Namespace { name, cookie })
}

/// Finds the namespace with that cookie among those with a name and the
/// initial one; it is gone, or out of reach, when this finds none.
pub fn find(cookie: u64) -> Option<PathBuf> {
    let mut candidates = vec![PathBuf::from(INITIAL)];
    let named = fs::read_dir(NAMED).into_iter().flatten().flatten();
    candidates.extend(named.map(|entry| entry.path()));
    candidates
        .into_iter()
        .find(|path| cookie_of(path) == Some(cookie))
}

/// Moves the calling thread into the namespace of a file.
pub fn enter_file(path: &Path) -> io::Result<()> {
    let file = File::open(path)?;
    setns(file, CloneFlags::CLONE_NEWNET).map_err(io::Error::from)
}

/// Asks from a thread of its own, which stays in the other namespace.
fn cookie_of(path: &Path) -> Option<u64> {
    let path = path.to_owned();
    let asked = thread::spawn(move || enter_file(&path).and_then(|()| cookie()));
    asked.join().ok()?.ok()
}

fn cookie() -> io::Result<u64> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
    let mut cookie = 0u64;
    let mut length = size_of::<u64>() as libc::socklen_t;
    // SAFETY: the pointers are to a u64 and to its size, both alive for the
    // call; SO_NETNS_COOKIE writes at most that many bytes.
    let result = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_NETNS_COOKIE,
            (&raw mut cookie).cast(),
            &raw mut length,
        )
    };
    if result != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(cookie)
}

fn unknown(name: &str) -> NetnsError {
    let entries = fs::read_dir(NAMED).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    let known = match names.is_empty() {
        true => String::new(),
        false => format!(": {}", names.join(", ")),
    };
    NetnsError::Unknown {
        name: name.to_owned(),
        known,
    }
}

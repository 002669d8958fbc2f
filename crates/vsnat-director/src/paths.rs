//! Where a director of a given name keeps its files.

use std::fs;
use std::path::{Path, PathBuf};

use vsnat_api::{RUN_DIR, STATE_DIR};
use vsnat_config::DirectorName;

use crate::{lock, record};

/// What the files have after the director's name.
const SOCKET: &str = ".sock";
const LOCK: &str = ".lock";
const LEASES: &str = ".leases";

/// The files of one director. All but the leases are in `/run`: they do not
/// outlive a reboot, as what they describe does not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paths {
    /// The socket of the API.
    pub socket: PathBuf,
    /// Held locked by the daemon while it lives; contains its process id
    /// and its socket.
    pub lock: PathBuf,
    /// What was found before the first change.
    pub record: PathBuf,
    /// Which addresses were given to whom. Clients keep theirs over a reboot of
    /// the director, and so does `vsnat down`.
    pub leases: PathBuf,
}

impl Paths {
    pub fn of(name: &DirectorName) -> Self {
        let file = |suffix: &str| PathBuf::from(format!("{RUN_DIR}/{name}{suffix}"));
        Paths {
            socket: file(SOCKET),
            lock: file(LOCK),
            record: file(record::SUFFIX),
            leases: PathBuf::from(format!("{STATE_DIR}/{name}{LEASES}")),
        }
    }

    /// The name of the director that listens at a socket, or did when it was
    /// killed.
    pub fn name_at(socket: &Path) -> Option<DirectorName> {
        let entries = fs::read_dir(RUN_DIR).into_iter().flatten().flatten();
        let names = entries.filter_map(|entry| {
            let name: DirectorName = entry
                .file_name()
                .to_str()?
                .strip_suffix(LOCK)?
                .parse()
                .ok()?;
            let listens = Paths::find(&name, None).socket == socket;
            listens.then_some(name)
        });
        names.chain(own_name(socket)).next()
    }

    /// The files of a director that may run: its socket is where its daemon
    /// says that it is, unless that is known better.
    pub fn find(name: &DirectorName, socket: Option<PathBuf>) -> Self {
        let paths = Paths::of(name);
        let socket = socket.or_else(|| lock::last_socket(&paths.lock));
        paths.with_socket(socket)
    }

    /// The same with the socket elsewhere.
    pub fn with_socket(mut self, socket: Option<PathBuf>) -> Self {
        if let Some(socket) = socket {
            self.socket = socket;
        }
        self
    }
}

/// The name that a socket in the usual place has.
fn own_name(socket: &Path) -> Option<DirectorName> {
    let name: DirectorName = socket
        .file_name()?
        .to_str()?
        .strip_suffix(SOCKET)?
        .parse()
        .ok()?;
    let is_usual = Paths::of(&name).socket == socket;
    is_usual.then_some(name)
}

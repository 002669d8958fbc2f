//! Where a director of a given name keeps its files.

use std::path::PathBuf;

use vsnat_api::RUN_DIR;
use vsnat_config::DirectorName;

use crate::lock;

/// The files of one director. All are in `/run`: none outlives a reboot, as
/// none of what they describe does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paths {
    /// The socket of the API.
    pub socket: PathBuf,
    /// Held locked by the daemon while it lives; contains its process id
    /// and its socket.
    pub lock: PathBuf,
    /// What was found before the first change.
    pub record: PathBuf,
}

impl Paths {
    pub fn of(name: &DirectorName) -> Self {
        let file = |suffix: &str| PathBuf::from(format!("{RUN_DIR}/{name}.{suffix}"));
        Paths {
            socket: file("sock"),
            lock: file("lock"),
            record: file("state.json"),
        }
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

//! Removing a lab: every process, namespace and file, also after a crash.
//!
//! Everything is found by the lab's name alone: namespaces by their prefix,
//! processes by being in one of them or by a process file in the state folder.

use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;

use nix::sys::signal::Signal;
use nix::unistd::Pid;
use vsnat_api::RUN_DIR;

use crate::LabError;
use crate::director;
use crate::names::{LabName, Node};
use crate::namespace::Namespace;
use crate::process::{ProcessId, pid_file};

/// A director takes its programs and its rules away before it ends.
const DIRECTOR_PATIENCE: Duration = Duration::from_secs(10);
/// Servers have nothing to put in order.
const SERVER_PATIENCE: Duration = Duration::from_secs(2);

/// What was found and removed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Removal {
    pub namespaces: Vec<String>,
    pub processes: usize,
}

impl Removal {
    pub fn is_empty(&self) -> bool {
        self.namespaces.is_empty() && self.processes == 0
    }
}

/// Removes every trace of a lab. The program that ran its director is asked to
/// take away a data plane that it left behind; `executable` replaces it.
pub fn remove(name: &LabName, executable: Option<&Path>) -> Result<Removal, LabError> {
    let mut removal = Removal::default();
    let state_dir = name.state_dir();
    if let Some(director) = ProcessId::read_alive(&pid_file(&state_dir, director::PROCESS)) {
        director.end(Signal::SIGINT, DIRECTOR_PATIENCE)?;
        removal.processes += 1;
    }
    let data_plane_removed = remove_data_plane(name, executable);
    for namespace in Namespace::with_prefix(&name.prefix())? {
        removal.processes += end_processes(&namespace)?;
        namespace.delete()?;
        removal.namespaces.push(namespace.name().to_owned());
    }
    match fs::remove_dir_all(&state_dir) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(LabError::io(format!("remove {}", state_dir.display()))(
                error,
            ));
        }
        Err(_) | Ok(()) => {}
    }
    data_plane_removed?;
    Ok(removal)
}

/// Only where a director has been: it left the path of its program.
fn remove_data_plane(name: &LabName, executable: Option<&Path>) -> Result<(), LabError> {
    let noted = fs::read_to_string(name.state_dir().join(director::EXECUTABLE_FILE));
    let (Ok(noted), true) = (noted, name.namespace(Node::Director).exists()) else {
        return Ok(());
    };
    director::remove_data_plane(executable.unwrap_or(Path::new(&noted)), name)?;
    // What stays of a director whose name nobody else uses.
    let lock = Path::new(RUN_DIR).join(format!("{}.lock", name.director_name()));
    match fs::remove_file(&lock) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(LabError::io(format!("remove {}", lock.display()))(error))
        }
        Err(_) | Ok(()) => Ok(()),
    }
}

fn end_processes(namespace: &Namespace) -> Result<usize, LabError> {
    let this = Pid::this();
    let processes: Vec<ProcessId> = namespace
        .processes()?
        .into_iter()
        .filter(|pid| *pid != this)
        .filter_map(ProcessId::of)
        .collect();
    for process in &processes {
        process.signal(Signal::SIGTERM)?;
    }
    for process in &processes {
        process.end(Signal::SIGTERM, SERVER_PATIENCE)?;
    }
    Ok(processes.len())
}

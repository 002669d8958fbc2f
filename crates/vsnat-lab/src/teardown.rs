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

/// Removes every trace of a lab. `executable`, where it is known, is asked to
/// take away a data plane that a killed director left behind.
pub fn remove(name: &LabName, executable: Option<&Path>) -> Result<Removal, LabError> {
    let mut removal = Removal::default();
    let state_dir = name.state_dir();
    if let Some(director) = ProcessId::read_alive(&pid_file(&state_dir, director::PROCESS)) {
        director.end(Signal::SIGINT, DIRECTOR_PATIENCE)?;
        removal.processes += 1;
    }
    let left_data_plane = match executable {
        Some(executable) => remove_data_plane(name, executable),
        None => Ok(()),
    };
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
    left_data_plane?;
    Ok(removal)
}

/// Only where a director has been: its configuration tells.
fn remove_data_plane(name: &LabName, executable: &Path) -> Result<(), LabError> {
    let namespace = name.namespace(Node::Director);
    let had_director = name.state_dir().join(director::CONFIG_FILE).exists();
    if !had_director || !namespace.exists() {
        return Ok(());
    }
    director::remove_data_plane(executable, name)
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

//! What can go wrong in a lab, said so that a reader knows what to do next.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

/// Why something in the lab could not be done.
#[derive(Debug, Error)]
pub enum LabError {
    #[error("`{command}` failed ({status}): {stderr}")]
    Command {
        command: String,
        status: String,
        stderr: String,
    },
    #[error("could not run `{command}`: {source}; is the package that holds it installed?")]
    NotRun { command: String, source: io::Error },
    #[error("could not {what}: {source}")]
    Io { what: String, source: io::Error },
    #[error("a lab needs root, because it makes network namespaces; run it with sudo")]
    NotRoot,
    #[error(
        "\"{name}\" cannot name a lab: use 1 to {max} lower-case letters and digits, no other character",
        max = crate::names::NAME_MAX
    )]
    BadName { name: String },
    #[error("\"{node}\" is no node of a lab; nodes are client, director, server1, server2, …")]
    BadNode { node: String },
    #[error("lab \"{name}\" is there already; remove it with `vsnat lab down --name {name}`")]
    Exists { name: String },
    #[error("lab \"{name}\" is in use by process {pid}; wait for it to end, or stop it")]
    InUse { name: String, pid: i32 },
    #[error("there is no lab \"{name}\" with a node {node}; `vsnat lab up` builds one")]
    NoSuchNode { name: String, node: String },
    #[error("a lab has 1 to {max} real servers, not {servers}")]
    ServerCount { servers: usize, max: usize },
    #[error(
        "{key} is 1 already in {namespace}: someone else switched forwarding on, so a plain \
         routing baseline would not be the lab's own; stop the director first"
    )]
    ForwardingIsOn { key: String, namespace: String },
    #[error("the {what} did not come up within {seconds} s; its log {log} ends: {tail}")]
    NotReady {
        what: String,
        seconds: u64,
        log: PathBuf,
        tail: String,
    },
    #[error("the {what} ended at once ({status}); its log {log} ends: {tail}")]
    EndedEarly {
        what: String,
        status: String,
        log: PathBuf,
        tail: String,
    },
    #[error("{program} is not installed; `apt-get install {package}` installs it")]
    Missing {
        program: &'static str,
        package: &'static str,
    },
    #[error("the director answered {what} on {socket}; expected {expected}")]
    Answer {
        what: String,
        socket: PathBuf,
        expected: &'static str,
    },
    #[error("could not load the servers: {0}")]
    Load(#[from] vsnat_load::LoadError),
    #[error("interrupted")]
    Interrupted,
}

impl LabError {
    /// Turns an I/O error into one that says what was attempted.
    pub(crate) fn io(what: impl Into<String>) -> impl FnOnce(io::Error) -> LabError {
        move |source| LabError::Io {
            what: what.into(),
            source,
        }
    }

    /// As [`LabError::io`], for the errors of system calls.
    pub(crate) fn errno(what: impl Into<String>) -> impl FnOnce(nix::Error) -> LabError {
        move |errno| LabError::Io {
            what: what.into(),
            source: errno.into(),
        }
    }
}

//! Network namespaces: made, entered, and removed.
//!
//! A namespace belongs to a thread, not to a process. Work in a namespace
//! therefore runs on a thread of its own that enters it and never leaves; a
//! program started from such a thread inherits the namespace, and so do reads
//! and writes below /proc/sys/net.

use std::fmt;
use std::fs;
use std::io;
use std::panic;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::thread::{self, JoinHandle};

use nix::sched::{CloneFlags, setns};
use nix::unistd::Pid;

use crate::LabError;
use crate::command;

/// Where iproute2 keeps named namespaces.
const FOLDER: &str = "/run/netns";

/// A named network namespace. Holding this value does not keep it alive.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Namespace {
    name: String,
}

impl Namespace {
    pub fn named(name: impl Into<String>) -> Self {
        Namespace { name: name.into() }
    }

    /// The namespaces whose names begin with `prefix`, sorted.
    pub fn with_prefix(prefix: &str) -> Result<Vec<Namespace>, LabError> {
        let entries = match fs::read_dir(FOLDER) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(LabError::io(format!("list {FOLDER}"))(error)),
        };
        let mut names: Vec<String> = entries
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .filter(|name| name.starts_with(prefix))
            .collect();
        names.sort();
        Ok(names.into_iter().map(Namespace::named).collect())
    }

    pub fn create(&self) -> Result<(), LabError> {
        command::run(Command::new("ip").args(["netns", "add", &self.name])).map(drop)
    }

    pub fn delete(&self) -> Result<(), LabError> {
        command::run(Command::new("ip").args(["netns", "del", &self.name])).map(drop)
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn path(&self) -> PathBuf {
        Path::new(FOLDER).join(&self.name)
    }

    pub fn exists(&self) -> bool {
        self.path().exists()
    }

    /// Processes whose main thread is in this namespace.
    pub fn processes(&self) -> Result<Vec<Pid>, LabError> {
        let text = command::run(Command::new("ip").args(["netns", "pids", &self.name]))?;
        let pids = text.lines().filter_map(|line| line.trim().parse().ok());
        Ok(pids.map(Pid::from_raw).collect())
    }

    /// Puts the calling thread into this namespace, for good.
    pub fn enter(&self) -> Result<(), LabError> {
        let path = self.path();
        let file = fs::File::open(&path)
            .map_err(LabError::io(format!("open namespace {}", path.display())))?;
        setns(file, CloneFlags::CLONE_NEWNET)
            .map_err(LabError::errno(format!("enter namespace {}", self.name)))
    }

    /// Does `work` in this namespace and waits for it. A panic of `work`
    /// continues in the caller.
    pub fn run<T: Send>(&self, work: impl FnOnce() -> T + Send) -> Result<T, LabError> {
        let outcome = thread::scope(|scope| {
            let inside = scope.spawn(|| self.enter().map(|()| work()));
            inside.join()
        });
        outcome.unwrap_or_else(|payload| panic::resume_unwind(payload))
    }

    /// Starts a thread in this namespace. `work` learns nothing of a failure
    /// to enter: it is then not called, and the error is what joining gives.
    pub fn thread<T: Send + 'static>(
        &self,
        thread_name: &str,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<JoinHandle<Result<T, LabError>>, LabError> {
        let namespace = self.clone();
        thread::Builder::new()
            .name(thread_name.to_owned())
            .spawn(move || namespace.enter().map(|()| work()))
            .map_err(LabError::io(format!("start the thread {thread_name}")))
    }

    /// Starts a program in this namespace.
    pub fn spawn(&self, command: &mut Command) -> Result<Child, LabError> {
        let child = self.run(|| command.spawn())?;
        child.map_err(|source| LabError::NotRun {
            command: command::shown(command),
            source,
        })
    }

    /// Runs a program in this namespace to its end; gives its standard output.
    pub fn output(&self, command: &mut Command) -> Result<String, LabError> {
        self.run(|| command::run(command))?
    }

    /// Carries out lines of `ip` commands, all in one process.
    pub fn ip_batch(&self, lines: &str) -> Result<(), LabError> {
        let mut ip = Command::new("ip");
        ip.args(["-n", &self.name, "-batch", "-"]);
        command::run_with_input(&mut ip, lines).map(drop)
    }

    /// Reads a setting such as `net/ipv4/ip_forward`.
    pub fn sysctl(&self, key: &str) -> Result<String, LabError> {
        let path = Path::new("/proc/sys").join(key);
        let text = self.run(|| fs::read_to_string(&path))?;
        let text = text.map_err(LabError::io(format!("read {} in {self}", path.display())))?;
        Ok(text.trim().to_owned())
    }

    pub fn set_sysctl(&self, key: &str, value: &str) -> Result<(), LabError> {
        let path = Path::new("/proc/sys").join(key);
        self.run(|| fs::write(&path, value))?
            .map_err(LabError::io(format!(
                "write {value} to {} in {self}",
                path.display()
            )))
    }
}

impl fmt::Display for Namespace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.name)
    }
}

//! Processes that outlive the command which started them.
//!
//! A process is remembered by its number *and* its start time, so that a number
//! which the kernel has given to somebody else since is never signalled.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, waitpid};
use nix::unistd::Pid;

use crate::LabError;

/// How often a waited-for process is looked at.
const POLL: Duration = Duration::from_millis(10);

/// A process, as it can be recognised again later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProcessId {
    pid: Pid,
    started_ticks: u64,
}

impl ProcessId {
    /// The process of this number, if there is one and it is not a zombie.
    pub fn of(pid: Pid) -> Option<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The second field is the program's name in brackets and may hold
        // spaces and brackets itself: fields count from the last bracket.
        let (_, rest) = stat.rsplit_once(')')?;
        let fields: Vec<&str> = rest.split_whitespace().collect();
        if *fields.first()? == "Z" {
            return None;
        }
        Some(ProcessId {
            pid,
            started_ticks: fields.get(19)?.parse().ok()?,
        })
    }

    pub fn this() -> Option<Self> {
        ProcessId::of(Pid::this())
    }

    pub fn pid(self) -> Pid {
        self.pid
    }

    pub fn is_alive(self) -> bool {
        ProcessId::of(self.pid) == Some(self)
    }

    pub fn signal(self, signal: Signal) -> Result<(), LabError> {
        if !self.is_alive() {
            return Ok(());
        }
        match kill(self.pid, signal) {
            Ok(()) | Err(Errno::ESRCH) => Ok(()),
            Err(errno) => Err(LabError::errno(format!(
                "send {signal} to process {}",
                self.pid
            ))(errno)),
        }
    }

    /// Waits until the process is gone; false when the patience ran out first.
    pub fn wait_gone(self, patience: Duration) -> bool {
        let deadline = Instant::now() + patience;
        while self.is_alive() {
            if Instant::now() >= deadline {
                return false;
            }
            thread::sleep(POLL);
        }
        // Collects it if it was a child of ours; somebody else's is not ours
        // to collect and the error says no more than that.
        let _ = waitpid(self.pid, Some(WaitPidFlag::WNOHANG));
        true
    }

    /// Asks by `signal`, and kills when the answer takes too long.
    pub fn end(self, signal: Signal, patience: Duration) -> Result<(), LabError> {
        self.signal(signal)?;
        if self.wait_gone(patience) {
            return Ok(());
        }
        self.signal(Signal::SIGKILL)?;
        self.wait_gone(patience);
        Ok(())
    }

    pub fn write(self, path: &Path) -> Result<(), LabError> {
        fs::write(path, format!("{} {}\n", self.pid, self.started_ticks))
            .map_err(LabError::io(format!("write {}", path.display())))
    }

    /// The process that a file names, if it still lives.
    pub fn read_alive(path: &Path) -> Option<Self> {
        let text = fs::read_to_string(path).ok()?;
        let (pid, started) = text.trim().split_once(' ')?;
        let id = ProcessId {
            pid: Pid::from_raw(pid.parse().ok()?),
            started_ticks: started.parse().ok()?,
        };
        id.is_alive().then_some(id)
    }
}

/// The last lines of a log, for messages about a process that went wrong.
pub fn tail(log: &Path) -> String {
    /// Enough for an error with its causes, short enough to be read.
    const LINES: usize = 8;
    let text = fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    let first = lines.len().saturating_sub(LINES);
    match lines.is_empty() {
        true => "(nothing was written)".to_owned(),
        false => lines[first..].join("\n"),
    }
}

/// Names of the files a lab keeps in its state folder.
pub(crate) fn pid_file(state_dir: &Path, what: &str) -> PathBuf {
    state_dir.join(format!("{what}.pid"))
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn another_process_of_the_same_number_is_not_signalled() {
        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        let id = ProcessId::of(Pid::from_raw(child.id() as i32)).unwrap();
        let other = ProcessId {
            started_ticks: id.started_ticks + 1,
            ..id
        };
        assert!(!other.is_alive());
        other.signal(Signal::SIGKILL).unwrap();
        assert!(id.is_alive());
        id.end(Signal::SIGTERM, Duration::from_secs(5)).unwrap();
        assert!(!id.is_alive());
        let _ = child.wait();
    }

    #[test]
    fn a_file_brings_the_process_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = pid_file(folder.path(), "me");
        let me = ProcessId::this().unwrap();
        me.write(&path).unwrap();
        assert_eq!(ProcessId::read_alive(&path), Some(me));
        fs::write(&path, "1 1\n").unwrap();
        assert_eq!(ProcessId::read_alive(&path), None);
    }
}

//! A program that runs beside a test, and its log.

use std::fmt::Debug;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use vsnat_lab::Namespace;

/// Longer than any of the programs needs on a loaded machine.
const PATIENCE: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(100);

/// Dropping it kills it.
pub struct Running {
    child: Child,
    log: PathBuf,
}

impl Running {
    pub fn start(namespace: &Namespace, command: &mut Command, log: &Path) -> Self {
        let file = File::create(log).unwrap();
        let copy = file.try_clone().unwrap();
        command.stdin(Stdio::null()).stdout(file).stderr(copy);
        Running {
            child: namespace.spawn(command).unwrap(),
            log: log.to_owned(),
        }
    }

    pub fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).unwrap());
        kill(pid, signal).unwrap();
    }

    /// Asks it to end, and gives its exit code.
    pub fn end(mut self, signal: Signal) -> Option<i32> {
        self.signal(signal);
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            assert!(Instant::now() < deadline, "does not end:\n{}", self.log());
            thread::sleep(POLL);
        }
    }

    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Waits until the program has brought something about.
    #[track_caller]
    pub fn until<T: PartialEq + Debug>(&mut self, expected: &T, mut look: impl FnMut() -> T) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let seen = look();
            if seen == *expected {
                return;
            }
            let ended = self.child.try_wait().unwrap();
            let state = || format!("{seen:#?}\ninstead of {expected:#?}\n{}", self.log());
            assert_eq!(ended, None, "it ended: {}", state());
            assert!(Instant::now() < deadline, "not yet: {}", state());
            thread::sleep(POLL);
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

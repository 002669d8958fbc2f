//! A web server as a child process in a node's namespace.

use std::fs::{self, File};
use std::io;
use std::net::{SocketAddrV4, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use nix::unistd::Pid;

use super::document;
use crate::LabError;
use crate::namespace::Namespace;
use crate::process::{ProcessId, tail};

const READY_PATIENCE: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(20);
const STOP_PATIENCE: Duration = Duration::from_secs(3);

/// A web server's process. Dropping it stops it.
#[derive(Debug)]
pub struct ServerProcess {
    child: Child,
    at_drop: AtDrop,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum AtDrop {
    Stop,
    Leave,
}

impl ServerProcess {
    /// Starts `command` in the foreground and waits until `address` answers.
    pub fn start(
        namespace: &Namespace,
        program: &'static str,
        command: &mut Command,
        address: SocketAddrV4,
        folder: &Path,
    ) -> Result<Self, LabError> {
        let log_path = folder.join("output.log");
        let make_log = || File::create(&log_path);
        let log = make_log().map_err(LabError::io(format!("create {}", log_path.display())))?;
        let copy = log
            .try_clone()
            .map_err(LabError::io(format!("open {} again", log_path.display())))?;
        command.stdin(Stdio::null()).stdout(log).stderr(copy);
        command.process_group(0);
        let mut server = ServerProcess {
            child: namespace.spawn(command)?,
            at_drop: AtDrop::Stop,
        };
        server.wait_listening(namespace, program, address, &log_path)?;
        Ok(server)
    }

    /// Lets the process run on after this one.
    pub fn detach(mut self) {
        self.at_drop = AtDrop::Leave;
    }

    fn wait_listening(
        &mut self,
        namespace: &Namespace,
        program: &'static str,
        address: SocketAddrV4,
        log: &Path,
    ) -> Result<(), LabError> {
        let deadline = Instant::now() + READY_PATIENCE;
        loop {
            let ended = self
                .child
                .try_wait()
                .map_err(LabError::io(format!("look at {program}")))?;
            if let Some(status) = ended {
                return Err(LabError::EndedEarly {
                    what: program.to_owned(),
                    status: status.to_string(),
                    log: log.to_owned(),
                    tail: tail(log),
                });
            }
            if namespace.run(|| TcpStream::connect(address).is_ok())? {
                return Ok(());
            }
            if Instant::now() >= deadline {
                return Err(LabError::NotReady {
                    what: program.to_owned(),
                    seconds: READY_PATIENCE.as_secs(),
                    log: log.to_owned(),
                    tail: tail(log),
                });
            }
            thread::sleep(POLL);
        }
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        if self.at_drop == AtDrop::Leave {
            return;
        }
        // Nobody is left to tell; removing the lab ends what remains.
        if let Some(id) = ProcessId::of(Pid::from_raw(self.child.id() as i32)) {
            let _ = id.end(Signal::SIGTERM, STOP_PATIENCE);
        }
        let _ = self.child.wait();
    }
}

/// Finds a program where Debian puts servers.
pub(crate) fn find(program: &'static str, package: &'static str) -> Result<PathBuf, LabError> {
    ["/usr/sbin", "/usr/bin", "/usr/local/sbin", "/usr/local/bin"]
        .iter()
        .map(|folder| Path::new(folder).join(program))
        .find(|path| path.exists())
        .ok_or(LabError::Missing { program, package })
}

/// Makes a server's folder with the document in `htdocs`; gives both paths.
pub(crate) fn prepare(folder: &Path) -> Result<PathBuf, LabError> {
    let htdocs = folder.join("htdocs");
    let page = htdocs.join("index.html");
    let make = || -> io::Result<()> {
        fs::create_dir_all(&htdocs)?;
        fs::write(&page, document())?;
        // The workers of a web server give up root before they read it.
        for path in [folder, &htdocs] {
            fs::set_permissions(path, fs::Permissions::from_mode(0o755))?;
        }
        fs::set_permissions(&page, fs::Permissions::from_mode(0o644))
    };
    make().map_err(LabError::io(format!("prepare {}", folder.display())))?;
    Ok(htdocs)
}

pub(crate) fn write_config(path: &Path, text: &str) -> Result<(), LabError> {
    fs::write(path, text).map_err(LabError::io(format!("write {}", path.display())))
}

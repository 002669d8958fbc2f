//! The director of a lab: a child process that is the same program as on a
//! real machine, started, asked and stopped from outside.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use nix::unistd::Pid;
use vsnat_api::Status;

use crate::LabError;
use crate::command;
use crate::names::LabName;
use crate::process::{self, ProcessId, pid_file};
use crate::topology::{INNER_INTERFACE, OUTER_INTERFACE, VIP};

/// Name of the director's process file in the state folder.
pub(crate) const PROCESS: &str = "director";
pub(crate) const CONFIG_FILE: &str = "director.toml";
/// Names the program, so that whoever clears up after a crash can ask it to
/// take its data plane away.
pub(crate) const EXECUTABLE_FILE: &str = "director.path";
const SOCKET_FILE: &str = "director.sock";
const LOG_FILE: &str = "director.log";

/// Loading means verifying: slow on an emulated machine, a blink on others.
const READY_PATIENCE: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(20);
/// Longer than a director needs to take everything away.
const STOP_PATIENCE: Duration = Duration::from_secs(20);
/// A status that takes longer than this is no sign of being ready.
const ANSWER_PATIENCE: Duration = Duration::from_secs(2);

/// How a director is told to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// Ctrl-C: everything is removed and restored as it was found.
    Remove,
    /// SIGTERM: the data plane goes on forwarding.
    LeaveForwarding,
    /// SIGKILL: as a crash; the data plane goes on forwarding.
    Kill,
}

impl Stop {
    const fn signal(self) -> Signal {
        match self {
            Stop::Remove => Signal::SIGINT,
            Stop::LeaveForwarding => Signal::SIGTERM,
            Stop::Kill => Signal::SIGKILL,
        }
    }
}

/// What a director is started with.
#[derive(Clone, Debug)]
pub struct DirectorOptions {
    /// The program that holds the subcommands `run`, `down` and `ipvsadm`.
    pub executable: PathBuf,
    pub lab: LabName,
    /// Text of the configuration file.
    pub config: String,
    /// Further words for `run`, such as another eBPF object.
    pub arguments: Vec<String>,
}

impl DirectorOptions {
    /// A director as the experiment uses it.
    pub fn new(executable: &Path, lab: &LabName) -> Self {
        DirectorOptions {
            executable: executable.to_owned(),
            lab: lab.clone(),
            config: config(),
            arguments: Vec::new(),
        }
    }
}

/// The configuration of a lab's director. Services are not in it: they come
/// by ipvsadm.
pub fn config() -> String {
    format!(
        "[director]\nouter = \"{OUTER_INTERFACE}\"\ninner = [\"{INNER_INTERFACE}\"]\n\
         vips = [\"{VIP}/24\"]\nmasquerade = true\n\n[limits]\nconnections = 262144\n"
    )
}

/// Where clients of a lab's director find it.
pub fn socket_path(lab: &LabName) -> PathBuf {
    lab.state_dir().join(SOCKET_FILE)
}

/// A running director. Dropping it stops it and removes its data plane,
/// unless it was detached.
#[derive(Debug)]
pub struct Director {
    options: DirectorOptions,
    child: Option<Child>,
}

impl Director {
    /// Starts a director in the lab's director namespace and waits until it
    /// answers. One that finds a pinned data plane adopts it.
    pub fn start(options: DirectorOptions) -> Result<Self, LabError> {
        let state_dir = options.lab.state_dir();
        let config_path = state_dir.join(CONFIG_FILE);
        let executable = options.executable.display().to_string();
        let executable_path = state_dir.join(EXECUTABLE_FILE);
        for (path, text) in [
            (&config_path, &options.config),
            (&executable_path, &executable),
        ] {
            fs::write(path, text).map_err(LabError::io(format!("write {}", path.display())))?;
        }
        let child = spawn(&options, &config_path)?;
        if let Some(id) = ProcessId::of(Pid::from_raw(child.id() as i32)) {
            id.write(&pid_file(&state_dir, PROCESS))?;
        }
        let mut director = Director {
            options,
            child: Some(child),
        };
        director.wait_ready()?;
        Ok(director)
    }

    pub fn socket(&self) -> PathBuf {
        socket_path(&self.options.lab)
    }

    pub fn log(&self) -> PathBuf {
        self.options.lab.state_dir().join(LOG_FILE)
    }

    /// Process number, while it runs.
    pub fn pid(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    pub fn status(&self) -> Result<Status, LabError> {
        let socket = self.socket();
        let body = get(&socket, "/v1/status")?;
        serde_json::from_str(&body).map_err(|error| LabError::Answer {
            what: format!("{error} in {body:?}"),
            socket,
            expected: "a status",
        })
    }

    /// Runs `ipvsadm` with these words; gives what it printed.
    pub fn ipvsadm(&self, words: &[&str]) -> Result<String, LabError> {
        ipvsadm(&self.options.executable, &self.options.lab, words)
    }

    /// Any other subcommand of the executable, addressed to this director.
    pub fn ctl(&self, words: &[&str]) -> Result<String, LabError> {
        let mut ctl = Command::new(&self.options.executable);
        ctl.args(words).env(vsnat_api::SOCKET_ENV, self.socket());
        command::run(&mut ctl)
    }

    /// Ends the process and waits for it.
    pub fn stop(mut self, how: Stop) -> Result<ExitStatus, LabError> {
        match self.child.take() {
            Some(child) => self.end(child, how),
            None => Ok(ExitStatus::from_raw(0)),
        }
    }

    /// Lets the process run on after this one.
    pub fn detach(mut self) {
        self.child = None;
    }

    fn end(&self, mut child: Child, how: Stop) -> Result<ExitStatus, LabError> {
        if let Some(id) = ProcessId::of(Pid::from_raw(child.id() as i32)) {
            id.signal(how.signal())?;
        }
        let deadline = Instant::now() + STOP_PATIENCE;
        while Instant::now() < deadline {
            let ended = child.try_wait();
            if let Some(status) = ended.map_err(LabError::io("wait for the director"))? {
                return Ok(status);
            }
            thread::sleep(POLL);
        }
        child
            .kill()
            .map_err(LabError::io("kill the director that did not end"))?;
        let status = child
            .wait()
            .map_err(LabError::io("wait for the director"))?;
        match how {
            Stop::Remove => remove_data_plane(&self.options.executable, &self.options.lab)?,
            Stop::LeaveForwarding | Stop::Kill => {}
        }
        Ok(status)
    }

    fn wait_ready(&mut self) -> Result<(), LabError> {
        let deadline = Instant::now() + READY_PATIENCE;
        loop {
            if let Some(child) = &mut self.child
                && let Some(status) = child
                    .try_wait()
                    .map_err(LabError::io("look at the director"))?
            {
                self.child = None;
                return Err(LabError::EndedEarly {
                    what: "director".to_owned(),
                    status: status.to_string(),
                    log: self.log(),
                    tail: process::tail(&self.log()),
                });
            }
            if self.status().is_ok() {
                return Ok(());
            }
            if Instant::now() >= deadline {
                return Err(LabError::NotReady {
                    what: "director".to_owned(),
                    seconds: READY_PATIENCE.as_secs(),
                    log: self.log(),
                    tail: process::tail(&self.log()),
                });
            }
            thread::sleep(POLL);
        }
    }
}

impl Drop for Director {
    fn drop(&mut self) {
        if let Some(child) = self.child.take() {
            // Nobody is left to tell; the next start says what it finds.
            let _ = self.end(child, Stop::Remove);
        }
    }
}

/// Runs `ipvsadm` against the director of a lab, whoever started it.
pub fn ipvsadm(executable: &Path, lab: &LabName, words: &[&str]) -> Result<String, LabError> {
    let mut ipvsadm = Command::new(executable);
    ipvsadm.arg("ipvsadm").args(words);
    ipvsadm.env(vsnat_api::SOCKET_ENV, socket_path(lab));
    command::run(&mut ipvsadm)
}

/// Takes away the data plane that an ended director left forwarding.
pub fn remove_data_plane(executable: &Path, lab: &LabName) -> Result<(), LabError> {
    let namespace = lab.namespace(crate::Node::Director);
    let mut down = Command::new(executable);
    down.args(["down", "--name", &lab.director_name()]);
    down.args(["--netns", namespace.name()]);
    down.arg("--socket").arg(socket_path(lab));
    command::run(&mut down).map(drop)
}

fn spawn(options: &DirectorOptions, config: &Path) -> Result<Child, LabError> {
    let log_path = options.lab.state_dir().join(LOG_FILE);
    let log = File::options()
        .create(true)
        .append(true)
        .open(&log_path)
        .map_err(LabError::io(format!("open {}", log_path.display())))?;
    let mut run = Command::new(&options.executable);
    run.arg("run").arg("--config").arg(config);
    run.args(["--name", &options.lab.director_name()]);
    run.arg("--socket").arg(socket_path(&options.lab));
    run.arg("--netns")
        .arg(options.lab.namespace(crate::Node::Director).name());
    run.args(&options.arguments);
    run.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
    // A group of its own: Ctrl-C in the terminal is answered by the lab, which
    // then ends the director in its turn.
    run.process_group(0);
    run.spawn().map_err(|source| LabError::NotRun {
        command: command::shown(&run),
        source,
    })
}

/// Asks by HTTP on a unix socket; gives the body of a good answer.
fn get(socket: &Path, path: &str) -> Result<String, LabError> {
    let what = || format!("ask {path} on {}", socket.display());
    let mut stream = UnixStream::connect(socket).map_err(LabError::io(what()))?;
    stream
        .set_read_timeout(Some(ANSWER_PATIENCE))
        .map_err(LabError::io(what()))?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: vsnat\r\nConnection: close\r\n\r\n");
    stream
        .write_all(request.as_bytes())
        .map_err(LabError::io(what()))?;
    let mut answer = String::new();
    stream
        .read_to_string(&mut answer)
        .map_err(LabError::io(what()))?;
    let good = answer.starts_with("HTTP/1.1 200") || answer.starts_with("HTTP/1.0 200");
    match answer.split_once("\r\n\r\n") {
        Some((_, body)) if good => Ok(body.to_owned()),
        Some(_) | None => Err(LabError::Answer {
            what: answer.lines().next().unwrap_or("nothing").to_owned(),
            socket: socket.to_owned(),
            expected: "HTTP status 200",
        }),
    }
}

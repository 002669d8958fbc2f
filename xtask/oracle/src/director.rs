//! The director of a world: the kernel's IPVS, or vsnat.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use oracle::world::{self, DIRECTOR, INNER_INTERFACE, MARKS, MarkRule, OUTER_INTERFACE, PREFIX};

use crate::namespace::{self, write_sysctl};

/// Loading means verifying: slow on an emulated machine.
const READY_PATIENCE: Duration = Duration::from_secs(60);
const STOP_PATIENCE: Duration = Duration::from_secs(20);
const POLL: Duration = Duration::from_millis(50);
/// The library's variable that names a director's socket.
const SOCKET_VARIABLE: &str = "VSNAT_SOCKET";

pub struct Director {
    kind: Kind,
    ipvsadm: PathBuf,
}

enum Kind {
    Kernel,
    Vsnat {
        executable: PathBuf,
        /// Held to be ended with the director.
        _process: Process,
    },
}

/// A running director of ours, ended with everything it put up when dropped.
struct Process(Child);

impl Director {
    /// The kernel's, in the namespace that this thread is in.
    pub fn kernel() -> Result<Self> {
        let mut lines = String::new();
        for number in 0..world::VIPS {
            let vip = world::vip(number);
            // Writing to a string cannot fail.
            let _ = writeln!(lines, "address add {vip}/32 dev {OUTER_INTERFACE}");
        }
        namespace::batch(&[], &lines)?;
        for rule in MARKS {
            succeed(&mut iptables(&rule))?;
        }
        Ok(Director {
            kind: Kind::Kernel,
            ipvsadm: PathBuf::from("ipvsadm"),
        })
    }

    /// Starts ours and waits until it answers.
    pub fn vsnat(executable: &Path) -> Result<Self> {
        let folder = folder();
        fs::create_dir_all(&folder)
            .with_context(|| format!("cannot create {}", folder.display()))?;
        let ipvsadm = folder.join("ipvsadm");
        if ipvsadm.symlink_metadata().is_ok() {
            fs::remove_file(&ipvsadm)?;
        }
        symlink(executable, &ipvsadm)
            .with_context(|| format!("cannot link {}", ipvsadm.display()))?;
        let config = folder.join("vsnat.toml");
        fs::write(&config, configuration())?;
        let log = folder.join("vsnat.log");
        let child = Command::new(executable)
            .arg("run")
            .arg("--config")
            .arg(&config)
            .args(["--name", PREFIX, "--netns", DIRECTOR, "--socket"])
            .arg(socket())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(&log)?)
            .spawn()
            .with_context(|| format!("cannot start {}", executable.display()))?;
        let mut process = Process(child);
        process.wait_ready(&log)?;
        Ok(Director {
            kind: Kind::Vsnat {
                executable: executable.to_owned(),
                _process: process,
            },
            ipvsadm,
        })
    }

    /// The program that speaks ipvsadm's language.
    pub fn ipvsadm(&self) -> Command {
        let mut command = Command::new(&self.ipvsadm);
        command.env(SOCKET_VARIABLE, socket());
        command
    }

    /// Gives a setting a value, and answers with nothing unless it was refused.
    pub fn set(&self, name: &str, value: u32) -> Result<String> {
        match &self.kind {
            Kind::Kernel => {
                write_sysctl(&format!("net/ipv4/vs/{name}"), &value.to_string())?;
                Ok(String::new())
            }
            Kind::Vsnat {
                executable,
                _process: _,
            } => {
                let output = Command::new(executable)
                    .args(["set", &format!("{name}={value}")])
                    .env(SOCKET_VARIABLE, socket())
                    .output()
                    .context("cannot start vsnat")?;
                if output.status.success() {
                    return Ok(String::new());
                }
                Ok(String::from_utf8_lossy(&output.stderr).into_owned())
            }
        }
    }
}

impl Process {
    fn wait_ready(&mut self, log: &Path) -> Result<()> {
        let deadline = Instant::now() + READY_PATIENCE;
        while UnixStream::connect(socket()).is_err() {
            if let Some(status) = self.0.try_wait()? {
                let said = fs::read_to_string(log).unwrap_or_default();
                bail!("vsnat ended ({status}) before it answered:\n{said}");
            }
            if Instant::now() > deadline {
                bail!("vsnat does not answer; its log is {}", log.display());
            }
            thread::sleep(POLL);
        }
        Ok(())
    }
}

impl Drop for Process {
    /// Ctrl-C is the ending that removes everything; a crash of its own is the second best.
    fn drop(&mut self) {
        let Ok(pid) = i32::try_from(self.0.id()) else {
            return;
        };
        let _ = kill(Pid::from_raw(pid), Signal::SIGINT);
        let deadline = Instant::now() + STOP_PATIENCE;
        while matches!(self.0.try_wait(), Ok(None)) {
            if Instant::now() > deadline {
                let _ = self.0.kill();
                let _ = self.0.wait();
                return;
            }
            thread::sleep(POLL);
        }
    }
}

/// Root's alone, and short enough for the name of a socket.
fn folder() -> PathBuf {
    Path::new("/run").join(PREFIX)
}

fn socket() -> PathBuf {
    folder().join("vsnat.sock")
}

/// The director's file: the VIPs, the marks, and IPVS's own ways where ours differ on
/// purpose.
fn configuration() -> String {
    let vips: Vec<String> = (0..world::VIPS)
        .map(|number| format!("{}/32", world::vip(number)))
        .collect();
    let mut text = format!(
        "[director]\nouter = \"{OUTER_INTERFACE}\"\ninner = [\"{INNER_INTERFACE}\"]\n\
         vips = {vips:?}\nmasquerade = false\n\n\
         [settings]\none_packet_answers = 0\nport_zero_spares_local = 0\n"
    );
    for rule in MARKS {
        let destination = rule.destination;
        // Writing to a string cannot fail.
        let _ = write!(
            text,
            "\n[[mark]]\nmark = {}\ndestination = \"{destination}\"\n",
            rule.mark
        );
        if let Some(protocol) = rule.protocol {
            let _ = writeln!(text, "protocol = \"{protocol}\"");
        }
        if let Some(port) = rule.port {
            let _ = writeln!(text, "ports = [{port}]");
        }
    }
    text
}

fn iptables(rule: &MarkRule) -> Command {
    let mut command = Command::new("iptables-legacy");
    command.args(["-t", "mangle", "-A", "PREROUTING", "-i", OUTER_INTERFACE]);
    command.args(["-d", rule.destination]);
    if let Some(protocol) = rule.protocol {
        command.args(["-p", protocol]);
        if let Some(port) = rule.port {
            command.args(["--dport", &port.to_string()]);
        }
    }
    command.args(["-j", "MARK", "--set-mark", &rule.mark.to_string()]);
    command
}

fn succeed(command: &mut Command) -> Result<()> {
    let status = command
        .stdin(Stdio::null())
        .status()
        .with_context(|| format!("cannot start {}", command.get_program().display()))?;
    if !status.success() {
        bail!("{command:?} failed ({status})");
    }
    Ok(())
}

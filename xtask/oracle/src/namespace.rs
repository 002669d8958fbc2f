//! The namespaces of a run: built, entered, removed.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use nix::sched::{CloneFlags, setns};
use oracle::world::{self, CLIENTS, DIRECTOR, SERVERS};

/// Where iproute2 keeps named namespaces.
const FOLDER: &str = "/run/netns";

/// The three namespaces. Dropping it removes them.
pub struct Network {
    clients: File,
    director: File,
    servers: File,
}

impl Network {
    /// Builds all of it and enters the director's namespace, for good: programs are
    /// started from there.
    pub fn build() -> Result<Self> {
        remove();
        batch(&[], &world::namespaces())?;
        let network = Network {
            clients: open(CLIENTS)?,
            director: open(DIRECTOR)?,
            servers: open(SERVERS)?,
        };
        for (namespace, lines) in world::links() {
            batch(&["-n", namespace], &lines)?;
        }
        for namespace in [&network.clients, &network.servers, &network.director] {
            enter(namespace)?;
            // Refusals are compared; a kernel's own sparing of them is not.
            write_sysctl("net/ipv4/icmp_ratelimit", "0")?;
        }
        write_sysctl("net/ipv4/ip_forward", "1")?;
        Ok(network)
    }

    /// Runs `work` in the clients' namespace; sockets stay where they were made.
    pub fn as_client<T>(&self, work: impl FnOnce() -> Result<T>) -> Result<T> {
        self.inside(&self.clients, work)
    }

    pub fn as_server<T>(&self, work: impl FnOnce() -> Result<T>) -> Result<T> {
        self.inside(&self.servers, work)
    }

    fn inside<T>(&self, namespace: &File, work: impl FnOnce() -> Result<T>) -> Result<T> {
        enter(namespace)?;
        let outcome = work();
        enter(&self.director)?;
        outcome
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        remove();
    }
}

/// Writes a setting of the namespace that this thread is in.
pub fn write_sysctl(key: &str, value: &str) -> Result<()> {
    let path = Path::new("/proc/sys").join(key);
    fs::write(&path, value).with_context(|| format!("cannot write {value} to {}", path.display()))
}

fn open(name: &str) -> Result<File> {
    let path = Path::new(FOLDER).join(name);
    File::open(&path).with_context(|| format!("cannot open the namespace {}", path.display()))
}

fn enter(namespace: &File) -> Result<()> {
    setns(namespace, CloneFlags::CLONE_NEWNET).context("cannot enter a network namespace")
}

/// Removes what an earlier run may have left; nothing there is nothing to do.
fn remove() {
    for name in [CLIENTS, DIRECTOR, SERVERS] {
        if Path::new(FOLDER).join(name).exists() {
            let mut command = Command::new("ip");
            command.args(["netns", "del", name]);
            let _ = command.stderr(Stdio::null()).status();
        }
    }
}

/// Runs lines of iproute2 in the namespace that this thread is in, or in that of `-n`.
pub fn batch(options: &[&str], lines: &str) -> Result<()> {
    let mut child = Command::new("ip")
        .args(options)
        .args(["-batch", "-"])
        .stdin(Stdio::piped())
        .spawn()
        .context("cannot start `ip`")?;
    let mut input = child
        .stdin
        .take()
        .context("a piped standard input is missing")?;
    input.write_all(lines.as_bytes())?;
    drop(input);
    if !child.wait()?.success() {
        bail!("`ip -batch` refused a line of:\n{lines}");
    }
    Ok(())
}

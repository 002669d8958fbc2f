//! Network namespaces without names: they vanish with the last that holds them.

use std::fs::{self, File};
use std::io::Write;
use std::os::fd::AsRawFd;
use std::process::{Command, Stdio};

use nix::sched::{CloneFlags, setns, unshare};

use crate::path::error::PathError;

pub struct Namespace(File);

impl Namespace {
    /// Makes one and enters it with the calling thread.
    pub fn new() -> Result<Self, PathError> {
        unshare(CloneFlags::CLONE_NEWNET)
            .map_err(|error| PathError::system("make a network namespace")(error.into()))?;
        // Router solicitations would be packets that nobody sent. A kernel
        // without IPv6 has none.
        for scope in ["all", "default"] {
            let _ = fs::write(format!("/proc/sys/net/ipv6/conf/{scope}/disable_ipv6"), "1");
        }
        let file = File::open("/proc/thread-self/ns/net");
        file.map(Namespace)
            .map_err(PathError::system("hold a network namespace"))
    }

    /// Enters it with the calling thread.
    pub fn enter(&self) -> Result<(), PathError> {
        setns(&self.0, CloneFlags::CLONE_NEWNET)
            .map_err(|error| PathError::system("enter a network namespace")(error.into()))
    }

    /// What other programs find it by.
    pub fn path(&self) -> String {
        format!("/proc/{}/fd/{}", std::process::id(), self.0.as_raw_fd())
    }
}

/// Writes a setting of the namespace that the calling thread is in.
pub fn write_sysctl(key: &str, value: &str) -> Result<(), PathError> {
    fs::write(format!("/proc/sys/{key}"), value)
        .map_err(PathError::system("set a forwarding switch"))
}

/// A program that reads its orders from standard input.
#[derive(Clone, Copy, Debug)]
pub struct Tool {
    pub program: &'static str,
    pub package: &'static str,
    pub arguments: &'static [&'static str],
}

pub const IP: Tool = Tool {
    program: "ip",
    package: "iproute2",
    arguments: &["-batch", "-"],
};

pub const NFT: Tool = Tool {
    program: "nft",
    package: "nftables",
    arguments: &["-f", "-"],
};

pub const IPVSADM: Tool = Tool {
    program: "ipvsadm",
    package: "ipvsadm",
    arguments: &["-R"],
};

/// Runs a tool in the namespace that the calling thread is in.
pub fn order(tool: Tool, lines: &str) -> Result<(), PathError> {
    let not_started = |source| PathError::NotStarted {
        program: tool.program,
        package: tool.package,
        source,
    };
    let mut child = Command::new(tool.program)
        .args(tool.arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(not_started)?;
    if let Some(mut input) = child.stdin.take() {
        // Of one that went away its last words tell more.
        let _ = input.write_all(lines.as_bytes());
    }
    let done = child.wait_with_output().map_err(not_started)?;
    if done.status.success() {
        return Ok(());
    }
    Err(PathError::Refused {
        program: tool.program,
        said: String::from_utf8_lossy(&done.stderr).trim().to_owned(),
    })
}

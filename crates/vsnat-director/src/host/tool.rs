//! Running `ip` and `nft`, the host's own tools.

use std::io::{self, Write};
use std::os::unix::process::CommandExt;
use std::process::{Command, Output, Stdio};

use thiserror::Error;

/// Where Debian and others keep them; a service's PATH may lack it.
const SYSTEM_FOLDERS: &str = "/usr/sbin:/sbin:/usr/bin:/bin";

/// A tool is missing or refused.
#[derive(Debug, Error)]
pub enum ToolError {
    #[error("{tool} is not installed; install it (Debian: apt install {package})")]
    Missing {
        tool: &'static str,
        package: &'static str,
    },
    #[error("cannot run {command}: {source}")]
    Io { command: String, source: io::Error },
    #[error("`{command}` failed: {message}")]
    Failed { command: String, message: String },
}

/// A tool of the host.
#[derive(Clone, Copy, Debug)]
pub enum Tool {
    Ip,
    Nft,
}

impl Tool {
    fn name(self) -> &'static str {
        match self {
            Tool::Ip => "ip",
            Tool::Nft => "nft",
        }
    }

    fn package(self) -> &'static str {
        match self {
            Tool::Ip => "iproute2",
            Tool::Nft => "nftables",
        }
    }

    /// Runs the tool and gives what it printed.
    pub fn run(self, arguments: &[&str]) -> Result<String, ToolError> {
        self.run_with_input(arguments, "")
    }

    /// Runs the tool with `input` on its standard input.
    pub fn run_with_input(self, arguments: &[&str], input: &str) -> Result<String, ToolError> {
        let output = self.output(arguments, input).map_err(|source| {
            if source.kind() == io::ErrorKind::NotFound {
                return ToolError::Missing {
                    tool: self.name(),
                    package: self.package(),
                };
            }
            let command = self.command_line(arguments);
            ToolError::Io { command, source }
        })?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        Err(ToolError::Failed {
            command: self.command_line(arguments),
            message: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        })
    }

    fn output(self, arguments: &[&str], input: &str) -> io::Result<Output> {
        let path = match std::env::var("PATH") {
            Ok(path) => format!("{path}:{SYSTEM_FOLDERS}"),
            Err(_) => SYSTEM_FOLDERS.to_owned(),
        };
        let mut child = Command::new(self.name())
            .args(arguments)
            // A second Ctrl-C, which a terminal sends to the whole group of the
            // daemon, must not break what the first one began.
            .process_group(0)
            .env("PATH", path)
            .env("LC_ALL", "C")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        // The inputs are far smaller than a pipe, so writing cannot block on
        // output that nobody reads yet. A tool that ends early says why itself.
        if let Some(mut stdin) = child.stdin.take() {
            let _ = stdin.write_all(input.as_bytes());
        }
        child.wait_with_output()
    }

    fn command_line(self, arguments: &[&str]) -> String {
        format!("{} {}", self.name(), arguments.join(" "))
    }
}

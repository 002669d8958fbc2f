//! Cargo builds whose results we go on to use, found by what cargo reports rather
//! than by guessing at paths (a cargo configuration may move the target directory).

use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use crate::ebpf;
use crate::process::command_line;
use crate::workspace::Workspace;

/// How user space is compiled.
#[derive(Debug, Clone, Copy)]
pub enum Profile {
    Dev,
    Release,
}

/// Whether an executable is the program itself or tests of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    Program,
    Tests,
}

/// One executable that cargo built.
#[derive(Debug)]
pub struct Artifact {
    /// The target's name, such as `privileged_dataplane`.
    pub name: String,
    pub role: Role,
    pub executable: PathBuf,
    pub package_dir: PathBuf,
}

/// Builds the eBPF programs and then the vsnat executable.
pub fn vsnat(workspace: &Workspace, profile: Profile) -> Result<PathBuf> {
    ebpf::build(workspace)?;
    let executable = vsnat_executable(workspace, profile)?;
    println!("xtask: built {}", executable.display());
    Ok(executable)
}

/// Builds the vsnat executable with the eBPF object that is there.
pub fn vsnat_executable(workspace: &Workspace, profile: Profile) -> Result<PathBuf> {
    let mut cargo = workspace.cargo();
    cargo.args(["build", "--package", "vsnat"]);
    match profile {
        Profile::Dev => {}
        Profile::Release => {
            cargo.arg("--release");
        }
    }
    artifacts(&mut cargo)?
        .into_iter()
        .find(|artifact| artifact.name == "vsnat" && artifact.role == Role::Program)
        .map(|artifact| artifact.executable)
        .context("cargo built no executable named vsnat")
}

/// Runs a cargo build and returns the executables it made; messages for people go to stderr.
pub fn artifacts(cargo: &mut Command) -> Result<Vec<Artifact>> {
    cargo.arg("--message-format=json-render-diagnostics");
    let line = command_line(cargo);
    let output = cargo
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("cannot start `{line}`"))?;
    if !output.status.success() {
        bail!("`{line}` failed ({})", output.status);
    }
    Ok(parse(&String::from_utf8_lossy(&output.stdout)))
}

#[derive(Deserialize)]
struct Message {
    reason: String,
    target: Option<Target>,
    profile: Option<CompileProfile>,
    executable: Option<PathBuf>,
    manifest_path: Option<PathBuf>,
}

#[derive(Deserialize)]
struct Target {
    name: String,
}

#[derive(Deserialize)]
struct CompileProfile {
    test: bool,
}

fn parse(messages: &str) -> Vec<Artifact> {
    messages
        .lines()
        // A build script's own output may be in between; it is no JSON and not ours.
        .filter_map(|line| serde_json::from_str::<Message>(line).ok())
        .filter(|message| message.reason == "compiler-artifact")
        .filter_map(|message| {
            let target = message.target?;
            Some(Artifact {
                name: target.name,
                role: if message.profile?.test {
                    Role::Tests
                } else {
                    Role::Program
                },
                executable: message.executable?,
                package_dir: message.manifest_path?.parent()?.to_path_buf(),
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_executables_are_taken_from_the_messages() {
        let messages = concat!(
            r#"{"reason":"compiler-artifact","manifest_path":"/w/a/Cargo.toml","target":{"name":"a"},"profile":{"test":false},"executable":null}"#,
            "\nnot json\n",
            r#"{"reason":"compiler-artifact","manifest_path":"/w/a/Cargo.toml","target":{"name":"privileged_x"},"profile":{"test":true},"executable":"/t/x-1"}"#,
            "\n",
            r#"{"reason":"compiler-artifact","manifest_path":"/w/b/Cargo.toml","target":{"name":"b"},"profile":{"test":false},"executable":"/t/b"}"#,
            "\n",
            r#"{"reason":"build-finished","success":true}"#,
        );
        let artifacts = parse(messages);

        let found: Vec<_> = artifacts
            .iter()
            .map(|a| (a.name.as_str(), a.role))
            .collect();
        assert_eq!(found, [("privileged_x", Role::Tests), ("b", Role::Program)]);
        assert_eq!(artifacts[0].package_dir, PathBuf::from("/w/a"));
    }
}

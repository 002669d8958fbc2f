//! The README's first command: build everything, then let vsnat demonstrate itself.

use std::fs;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::build::{self, Profile};
use crate::packages::{self, Purpose};
use crate::process;
use crate::workspace::Workspace;

pub fn run(workspace: &Workspace, arguments: &[String]) -> Result<()> {
    packages::ensure(&[Purpose::Lab])?;
    let vsnat = build::vsnat(workspace, Profile::Release)?;

    // Made by the user, so that `cargo clean` can remove what root writes into it.
    let out = workspace.target("demo");
    fs::create_dir_all(&out).with_context(|| format!("cannot create {}", out.display()))?;

    let mut command = if process::is_root() {
        Command::new(&vsnat)
    } else {
        let mut sudo = packages::sudo()
            .context("the demo makes network namespaces and loads eBPF programs: run it as root, or install sudo")?;
        sudo.arg(&vsnat);
        sudo
    };
    command
        .current_dir(workspace.root())
        .args(["lab", "demo", "--out"])
        .arg(&out)
        .args(arguments);

    let line = process::command_line(&command);
    let status = command
        .status()
        .with_context(|| format!("cannot start `{line}`"))?;
    if !status.success() {
        bail!("`{line}` failed ({status})");
    }
    Ok(())
}

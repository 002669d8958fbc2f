//! The README's first command: build everything, then let vsnat demonstrate itself.

use std::fs;

use anyhow::{Context, Result};

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

    let why = "the demo makes network namespaces and loads eBPF programs: run it as root, or install sudo";
    let mut command = packages::vsnat_as_root(&vsnat, why)?;
    command
        .current_dir(workspace.root())
        .args(["lab", "demo", "--out"])
        .arg(&out)
        .args(arguments);
    process::run(&mut command)
}

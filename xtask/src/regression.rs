//! Whether the packet path became slower than the run whose figures are committed.
//!
//! The build for development serves: what is measured is the eBPF programs, which are
//! the same in every build, and user space only starts them.

use std::path::PathBuf;

use anyhow::{Result, bail};

use crate::build::{self, Profile};
use crate::packages;
use crate::process;
use crate::workspace::Workspace;

/// What `vsnat bench packet --json` printed on a quiet machine.
const COMMITTED: &str = "docs/performance/packet.json";

/// Compares with what the tests before have built.
pub fn run(workspace: &Workspace) -> Result<()> {
    let committed = committed(workspace)?;
    let vsnat = build::vsnat_executable(workspace, Profile::Dev)?;
    let why = "the comparison loads eBPF programs: run it as root, or install sudo";
    let mut command = packages::vsnat_as_root(&vsnat, why)?;
    process::run(command.args(["bench", "regression"]).arg(committed))
}

/// The committed run.
pub fn committed(workspace: &Workspace) -> Result<PathBuf> {
    let file = workspace.root().join(COMMITTED);
    if !file.exists() {
        bail!(
            "{COMMITTED} is missing; after `cargo xtask build` make it by \
             `target/release/vsnat bench packet --json > {COMMITTED}`"
        );
    }
    Ok(file)
}

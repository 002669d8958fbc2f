//! `cargo xtask bench`: builds vsnat as it is shipped, and lets it measure itself.

use std::process::Command;

use anyhow::{Context, Result, bail};
use clap::Subcommand;

use crate::build::{self, Profile};
use crate::packages::{self, Purpose};
use crate::process;
use crate::workspace::Workspace;

#[derive(Subcommand)]
pub enum Bench {
    /// The price of a packet, in nanoseconds and in bare redirects
    Packet {
        /// Passed on to `vsnat bench packet`
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
}

pub fn run(workspace: &Workspace, bench: &Bench) -> Result<()> {
    packages::ensure(&[Purpose::Lab])?;
    let vsnat = build::vsnat(workspace, Profile::Release)?;
    let mut command = if process::is_root() {
        Command::new(&vsnat)
    } else {
        let mut sudo = packages::sudo()
            .context("benchmarks load eBPF programs: run them as root, or install sudo")?;
        sudo.arg(&vsnat);
        sudo
    };
    match bench {
        Bench::Packet { arguments } => command.args(["bench", "packet"]).args(arguments),
    };
    let line = process::command_line(&command);
    let status = command
        .status()
        .with_context(|| format!("cannot start `{line}`"))?;
    if !status.success() {
        bail!("`{line}` failed ({status})");
    }
    Ok(())
}

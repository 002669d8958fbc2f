//! What has to hold before a change is taken: the same here and on a build machine.
//!
//! The tests come late, so that their result lines are near the end of the log. After
//! them the machine is quiet enough to look whether a packet became dearer.

use std::fs;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, bail};

use crate::ebpf;
use crate::process;
use crate::regression;
use crate::test;
use crate::workspace::Workspace;

pub fn run(workspace: &Workspace) -> Result<()> {
    step("components", || ensure_components(workspace))?;
    // Formatting covers the eBPF crate too: it is a member, only not a default one.
    step("rustfmt", || {
        process::run(workspace.cargo().args(["fmt", "--all", "--check"]))
    })?;
    step("eBPF programs", || ebpf::build(workspace).map(drop))?;
    step("clippy", || {
        process::run(workspace.cargo().args([
            "clippy",
            "--all-targets",
            "--",
            "--deny",
            "warnings",
        ]))
    })?;
    step("sizes", || print_sizes(workspace))?;
    step("tests", || test::run(workspace, &[]))?;
    step("price of a packet", || regression::run(workspace))
}

fn step(name: &str, work: impl FnOnce() -> Result<()>) -> Result<()> {
    println!("\nxtask: ==== {name} ====");
    let start = Instant::now();
    work().with_context(|| format!("step `{name}` failed"))?;
    println!(
        "xtask: ==== {name}: passed in {} s ====",
        start.elapsed().as_secs()
    );
    Ok(())
}

/// A minimal rustup profile lacks both; rustup adds them in seconds.
fn ensure_components(workspace: &Workspace) -> Result<()> {
    for (subcommand, component) in [("fmt", "rustfmt"), ("clippy", "clippy")] {
        if process::output(workspace.cargo().args([subcommand, "--version"])).is_ok() {
            continue;
        }
        println!("xtask: adding the component {component} to the toolchain");
        process::run(Command::new("rustup").args(["component", "add", component])).with_context(
            || format!("`cargo {subcommand}` is missing; install the component {component}"),
        )?;
    }
    Ok(())
}

fn print_sizes(workspace: &Workspace) -> Result<()> {
    let object = workspace.object();
    let bytes = fs::metadata(&object)
        .with_context(|| format!("cannot read {}", object.display()))?
        .len();
    println!("xtask: eBPF object with debug information: {bytes} bytes");
    if bytes == 0 {
        bail!("{} is empty", object.display());
    }
    Ok(())
}

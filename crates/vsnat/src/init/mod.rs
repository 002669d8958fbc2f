//! `vsnat init`: from a few answers to a director's file and its unit.
//!
//! What is not given as an option is asked, with what was found on this machine
//! as the suggestion. Nothing is written before everything is known to be right,
//! and nothing that is there is replaced unless that is asked for.

mod answers;
mod file;
mod found;
mod questions;
mod unit;

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::Args;
use ipnet::Ipv4Net;

use crate::cli::DEFAULT_CONFIG;
use crate::output;
use answers::{Answers, ServicePort};
use found::Found;
use questions::Questions;

/// Where systemd looks for units of the administrator.
const DEFAULT_UNIT: &str = "/etc/systemd/system/vsnat.service";

#[derive(Debug, Args)]
pub struct InitArgs {
    /// The interface towards the clients.
    #[arg(long, value_name = "INTERFACE")]
    outer: Option<String>,
    /// An interface towards the real servers; may be given again.
    #[arg(long, value_name = "INTERFACE")]
    inner: Vec<String>,
    /// An address of the services, like 203.0.113.10/24; may be given again.
    #[arg(long, value_name = "ADDRESS/PREFIX")]
    vip: Vec<Ipv4Net>,
    /// A port that is served, like 80 or udp:53; may be given again.
    #[arg(long, value_name = "[PROTOCOL:]PORT")]
    service: Vec<ServicePort>,
    /// The address of a real server of all these services; may be given again.
    #[arg(long, value_name = "ADDRESS")]
    server: Vec<std::net::Ipv4Addr>,
    /// Give the real servers their addresses by DHCP.
    #[arg(long)]
    dhcp: bool,
    /// The file to write.
    #[arg(long, value_name = "FILE", default_value = DEFAULT_CONFIG)]
    config: PathBuf,
    /// The unit of systemd to write.
    #[arg(long, value_name = "FILE", default_value = DEFAULT_UNIT)]
    unit: PathBuf,
    /// Write no unit.
    #[arg(long)]
    no_unit: bool,
    /// Replace files that are there.
    #[arg(long)]
    force: bool,
}

pub fn main(args: &InitArgs) -> anyhow::Result<ExitCode> {
    let files = files(args);
    if !args.force {
        refuse_present(&files)?;
    }
    let found = Found::here()?;
    let answers = answers(args, &found)?;
    let text = file::text(&answers, &found);
    let name = args.config.display().to_string();
    if let Err(mistakes) = vsnat_config::parse(&name, &text) {
        bail!("these answers make no director; nothing is written:\n{mistakes}");
    }
    for path in files {
        let content = match path == args.config {
            true => text.clone(),
            false => unit::text(&args.config)?,
        };
        write(path, &content)?;
        output::text(&format!("wrote {}\n", path.display()))?;
    }
    output::text(&next(args, &answers, &found))?;
    Ok(ExitCode::SUCCESS)
}

fn files(args: &InitArgs) -> Vec<&Path> {
    let unit = (!args.no_unit).then_some(args.unit.as_path());
    std::iter::once(args.config.as_path()).chain(unit).collect()
}

fn refuse_present(files: &[&Path]) -> anyhow::Result<()> {
    match files.iter().find(|path| path.exists()) {
        None => Ok(()),
        Some(path) => bail!(
            "{} is there already; nothing is written. Replace it by --force, or name another file",
            path.display()
        ),
    }
}

/// Whoever names interfaces and VIP is asked nothing.
fn answers(args: &InitArgs, found: &Found) -> anyhow::Result<Answers> {
    let given = Answers {
        outer: args.outer.clone().unwrap_or_default(),
        inner: args.inner.clone(),
        vips: args.vip.clone(),
        services: args.service.clone(),
        servers: args.server.clone(),
        dhcp: args.dhcp,
    };
    if args.outer.is_some() && !given.inner.is_empty() && !given.vips.is_empty() {
        return Ok(given);
    }
    Questions::new(io::stdin().lock(), found).ask(given)
}

/// A reader sees the old text or the new one, after a crash too.
fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    let failed = || format!("cannot write {}; run this with sudo", path.display());
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    if let Some(folder) = folder {
        fs::create_dir_all(folder).with_context(failed)?;
    }
    let mut next = path.as_os_str().to_owned();
    next.push(".next");
    let mut file = fs::File::create(&next).with_context(failed)?;
    file.write_all(text.as_bytes()).with_context(failed)?;
    file.sync_all().with_context(failed)?;
    fs::rename(&next, path).with_context(failed)
}

/// What to do now.
fn next(args: &InitArgs, answers: &Answers, found: &Found) -> String {
    let mut text = "\nnext:\n".to_owned();
    for name in std::iter::once(&answers.outer).chain(&answers.inner) {
        if !found.interfaces.contains(name) {
            text += &format!("  see to it that there is an interface {name} (ip link)\n");
        }
    }
    for inner in &answers.inner {
        if found.networks_of(inner).is_empty() {
            text += &format!(
                "  give {inner} an address of the real servers' network, permanently, like: ip \
                 address add 10.0.100.1/24 dev {inner}\n"
            );
        }
    }
    text += &format!("  vsnat check {}\n", args.config.display());
    if args.no_unit {
        let config = args.config.display();
        return text + &format!("  vsnat run --config {config}\n  vsnat status\n");
    }
    let unit = args.unit.file_name().unwrap_or_default().to_string_lossy();
    text + &format!("  systemctl daemon-reload\n  systemctl enable --now {unit}\n  vsnat status\n")
}

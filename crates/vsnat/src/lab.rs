//! `vsnat lab`: a cluster on one machine.

use std::env;
use std::io;
use std::net::SocketAddrV4;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use clap::{Args, Subcommand};
use vsnat_lab::experiment::{self, DemoOptions, Scale};
use vsnat_lab::progress::Bars;
use vsnat_lab::servers::{Capacity, ServerKind};
use vsnat_lab::session::{self, ServeOptions, UpOptions};
use vsnat_lab::{Cancel, LabName, Node, Plan};

use crate::output;

#[derive(Debug, Args)]
pub struct LabArgs {
    #[command(subcommand)]
    pub action: LabAction,
}

#[derive(Debug, Subcommand)]
pub enum LabAction {
    /// Build a cluster and leave it running: client, director, real servers.
    Up(UpArgs),
    /// Remove every trace of a lab, also after a crash.
    Down(NameArgs),
    /// Open a shell in a node: client, director, server1, server2, …
    Shell {
        /// The node.
        node: Node,
        #[command(flatten)]
        name: NameArgs,
    },
    /// Measure one server against four behind the director, and write a report.
    Demo(DemoArgs),
    /// Be the web server of a node.
    #[command(hide = true)]
    Serve(ServeArgs),
}

#[derive(Debug, Args)]
pub struct NameArgs {
    /// Name of the lab; several can stand on one machine.
    #[arg(long, default_value = "lab", value_parser = LabName::new)]
    name: LabName,
}

#[derive(Debug, Args)]
pub struct UpArgs {
    #[command(flatten)]
    name: NameArgs,
    /// How many real servers.
    #[arg(long, value_name = "N", default_value_t = 4)]
    servers: usize,
    /// What they run: embedded, apache or nginx.
    #[arg(long, value_name = "KIND", default_value = "embedded")]
    server: ServerKind,
    /// Hold each embedded server to one request at a time of so many ms.
    #[arg(long, value_name = "MS")]
    hold_ms: Option<u64>,
}

#[derive(Debug, Args)]
pub struct DemoArgs {
    /// Name of the lab that is built for it.
    #[arg(long, default_value = "demo", value_parser = LabName::new)]
    name: LabName,
    /// What the real servers run: embedded, apache or nginx.
    #[arg(long, value_name = "KIND", default_value = "embedded")]
    server: ServerKind,
    /// As slow and as long as the original: 13.97 ms a request, up to 100,000
    /// requests, some 35 minutes.
    #[arg(long)]
    seed_scale: bool,
    /// Folder for report.html, report.svg and report.json.
    #[arg(long, value_name = "FOLDER", default_value = "target/demo")]
    out: PathBuf,
}

#[derive(Debug, Args)]
pub struct ServeArgs {
    #[arg(long)]
    netns: String,
    #[arg(long)]
    server_name: String,
    #[arg(long)]
    address: SocketAddrV4,
    #[arg(long)]
    kind: ServerKind,
    #[arg(long)]
    hold_us: Option<u64>,
    #[arg(long)]
    folder: PathBuf,
}

pub fn main(args: LabArgs) -> anyhow::Result<ExitCode> {
    match args.action {
        LabAction::Up(args) => up(args),
        LabAction::Down(NameArgs { name }) => down(&name),
        LabAction::Shell { node, name } => Err(session::shell(&name.name, node).into()),
        LabAction::Demo(args) => demo(args),
        LabAction::Serve(args) => serve(args),
    }
}

fn up(args: UpArgs) -> anyhow::Result<ExitCode> {
    let capacity = match args.hold_ms {
        None => Capacity::Unlimited,
        Some(ms) => Capacity::OneAtATime {
            per_request: Duration::from_millis(ms),
        },
    };
    let options = UpOptions {
        executable: executable()?,
        name: args.name.name,
        plan: Plan {
            servers: args.servers,
            ..Plan::default()
        },
        server: args.server,
        capacity,
    };
    session::up(&options, &mut io::stdout().lock())?;
    Ok(ExitCode::SUCCESS)
}

fn down(name: &LabName) -> anyhow::Result<ExitCode> {
    let removal = session::down(name, &executable()?)?;
    let said = match removal.is_empty() {
        true => format!("lab {name} is not there; nothing to do\n"),
        false => format!(
            "lab {name} is removed: {} namespaces, {} processes\n",
            removal.namespaces.len(),
            removal.processes
        ),
    };
    output::text(&said)?;
    Ok(ExitCode::SUCCESS)
}

fn demo(args: DemoArgs) -> anyhow::Result<ExitCode> {
    let options = DemoOptions {
        executable: executable()?,
        name: args.name,
        server: args.server,
        scale: match args.seed_scale {
            true => Scale::Original,
            false => Scale::Quick,
        },
        output: args.out,
    };
    let cancel = Cancel::on_signals()?;
    let report = experiment::demo(&options, &Bars, &cancel, &mut io::stdout().lock())?;
    if report.all_met() {
        return Ok(ExitCode::SUCCESS);
    }
    let missed = report.expectations().into_iter().filter(|e| !e.met);
    let missed: Vec<String> = missed.map(|e| e.what).collect();
    output::error(&format!("vsnat: not as expected: {}", missed.join("; ")));
    Ok(ExitCode::FAILURE)
}

fn serve(args: ServeArgs) -> anyhow::Result<ExitCode> {
    session::serve(&ServeOptions {
        netns: args.netns,
        server_name: args.server_name,
        address: args.address,
        kind: args.kind,
        hold_us: args.hold_us,
        folder: args.folder,
    })?;
    Ok(ExitCode::SUCCESS)
}

/// This program: the lab starts it again as director and as real servers.
fn executable() -> anyhow::Result<PathBuf> {
    env::current_exe().context("cannot find this program's own file, which the lab starts")
}

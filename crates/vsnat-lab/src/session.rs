//! Labs that stand until they are taken down: `up`, `down`, `shell`, and the
//! server process of a node.

use std::fs;
use std::io::Write;
use std::net::SocketAddrV4;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::Duration;

use crate::LabError;
use crate::cancel::Cancel;
use crate::director::{self, Director, DirectorOptions};
use crate::names::{LabName, Node};
use crate::namespace::Namespace;
use crate::servers::process::ServerProcess;
use crate::servers::{Capacity, RealServer, ServerKind, ServerOptions};
use crate::teardown::{self, Removal};
use crate::topology::{Cluster, Plan, SERVICE_PORT, VIP};

/// How often a server process looks whether it is to end.
const POLL: Duration = Duration::from_millis(50);

/// What a standing lab is made of.
#[derive(Clone, Debug)]
pub struct UpOptions {
    /// The program that holds the subcommands `run`, `ipvsadm` and `lab serve`.
    pub executable: PathBuf,
    pub name: LabName,
    pub plan: Plan,
    pub server: ServerKind,
    pub capacity: Capacity,
}

/// What a server process of a node is told: the flags of `lab serve`.
#[derive(Clone, Debug)]
pub struct ServeOptions {
    pub netns: String,
    pub server_name: String,
    pub address: SocketAddrV4,
    pub kind: ServerKind,
    /// Microseconds a request takes; none is not held.
    pub hold_us: Option<u64>,
    /// Takes configuration and logs of a real web server.
    pub folder: PathBuf,
}

/// Builds a lab, starts its servers and its director and leaves them running.
pub fn up(options: &UpOptions, out: &mut dyn Write) -> Result<(), LabError> {
    let cluster = Cluster::build(&options.name, &options.plan)?;
    let mut servers = Vec::new();
    for (node, address) in cluster.servers() {
        servers.push(start_server(options, &cluster, node, address)?);
    }
    let director = Director::start(DirectorOptions::new(&options.executable, &options.name))?;
    for command in cluster.service_commands() {
        say(out, &format!("director# ipvsadm {command}"))?;
        director.ipvsadm(&command.split(' ').collect::<Vec<_>>())?;
    }
    say(out, &hints(&cluster))?;
    director.detach();
    servers.into_iter().for_each(ServerProcess::detach);
    cluster.stay()
}

/// Removes every trace of a lab, also one that a crash left.
pub fn down(name: &LabName, executable: &Path) -> Result<Removal, LabError> {
    teardown::remove(name, Some(executable))
}

/// Becomes the user's shell in a node; returns only an error.
pub fn shell(name: &LabName, node: Node) -> LabError {
    let namespace = name.namespace(node);
    if !namespace.exists() {
        return LabError::NoSuchNode {
            name: name.to_string(),
            node: node.to_string(),
        };
    }
    if let Err(error) = namespace.enter() {
        return error;
    }
    let program = std::env::var("SHELL").unwrap_or_else(|_| "/bin/sh".to_owned());
    let mut shell = Command::new(&program);
    shell.env("VSNAT_LAB_NODE", node.to_string());
    shell.env(vsnat_api::SOCKET_ENV, director::socket_path(name));
    LabError::NotRun {
        command: program,
        source: shell.exec(),
    }
}

/// The server process of a node: serves until SIGTERM or SIGINT.
pub fn serve(options: &ServeOptions) -> Result<(), LabError> {
    let cancel = Cancel::on_signals()?;
    let capacity = match options.hold_us {
        None => Capacity::Unlimited,
        Some(hold_us) => Capacity::OneAtATime {
            per_request: Duration::from_micros(hold_us),
        },
    };
    let server = ServerOptions {
        name: options.server_name.clone(),
        address: options.address,
        capacity,
    };
    let namespace = Namespace::named(&options.netns);
    let running = RealServer::start(options.kind, &namespace, &server, &options.folder)?;
    while !cancel.is_raised() {
        thread::sleep(POLL);
    }
    drop(running);
    Ok(())
}

impl ServeOptions {
    /// The words after the executable's name that start this server.
    pub fn arguments(&self) -> Vec<String> {
        let mut words: Vec<String> = ["lab", "serve", "--netns", &self.netns]
            .map(str::to_owned)
            .to_vec();
        words.extend(["--server-name".to_owned(), self.server_name.clone()]);
        words.extend(["--address".to_owned(), self.address.to_string()]);
        words.extend(["--kind".to_owned(), self.kind.to_string()]);
        if let Some(hold_us) = self.hold_us {
            words.extend(["--hold-us".to_owned(), hold_us.to_string()]);
        }
        words.extend(["--folder".to_owned(), self.folder.display().to_string()]);
        words
    }
}

fn start_server(
    options: &UpOptions,
    cluster: &Cluster,
    node: Node,
    address: SocketAddrV4,
) -> Result<ServerProcess, LabError> {
    let namespace = cluster.namespace(node);
    let hold_us = match options.capacity {
        Capacity::Unlimited => None,
        Capacity::OneAtATime { per_request } => Some(per_request.as_micros() as u64),
    };
    let folder = cluster.state_dir().join(node.to_string());
    fs::create_dir_all(&folder).map_err(LabError::io(format!("make {}", folder.display())))?;
    let serve = ServeOptions {
        netns: namespace.name().to_owned(),
        server_name: node.to_string(),
        address,
        kind: options.server,
        hold_us,
        folder: cluster.state_dir(),
    };
    let mut command = Command::new(&options.executable);
    command.args(serve.arguments());
    ServerProcess::start(&namespace, "real server", &mut command, address, &folder)
}

fn hints(cluster: &Cluster) -> String {
    let (name, client) = (cluster.name(), cluster.client());
    format!(
        "lab {name} is up: {} real servers behind http://{VIP}:{SERVICE_PORT}/\n\
         try:   ip netns exec {client} curl -i http://{VIP}/\n\
         look:  vsnat lab shell director --name {name}   (then: vsnat ipvsadm -Ln)\n\
         end:   vsnat lab down --name {name}",
        cluster.servers().len()
    )
}

fn say(out: &mut dyn Write, text: &str) -> Result<(), LabError> {
    writeln!(out, "{text}").map_err(LabError::io("write to standard output"))
}

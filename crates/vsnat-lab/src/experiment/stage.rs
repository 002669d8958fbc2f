//! The stage of the experiment: a cluster, its servers, and the one path to
//! them that is open at a time.

use std::sync::Arc;
use std::time::Duration;

use super::{CONCURRENCY, DemoOptions, WARM_UP_REQUESTS};
use crate::LabError;
use crate::cancel::Cancel;
use crate::director::{self, Director, DirectorOptions, Stop};
use crate::load::{self, Connections, LoadPlan, LoadResult, SourcePool};
use crate::progress::{Observer, Progress, Unseen};
use crate::report::{Run, Target};
use crate::servers::{Capacity, DOCUMENT_BYTES, RealServer, ServerOptions};
use crate::topology::{CLIENTS, Cluster, PlainRouting, Plan, SERVICE_PORT, VIP};

/// Longer than a held server's whole queue takes at the original's pace.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// Whether the servers were held to a capacity in a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hold {
    Held,
    Unheld,
}

impl Hold {
    pub const fn of(capacity: Capacity) -> Self {
        match capacity {
            Capacity::OneAtATime { .. } => Hold::Held,
            Capacity::Unlimited => Hold::Unheld,
        }
    }
}

/// What leads from the client to the servers.
#[derive(Debug)]
enum Path {
    Closed,
    Routing(#[expect(dead_code, reason = "held for what dropping it undoes")] PlainRouting),
    Director(Director),
}

/// Fields drop in this order: the path first, the cluster last.
pub(super) struct Stage<'a> {
    path: Path,
    servers: Vec<RealServer>,
    sources: SourcePool,
    options: &'a DemoOptions,
    observer: &'a dyn Observer,
    cancel: &'a Cancel,
    cluster: Cluster,
}

impl<'a> Stage<'a> {
    pub fn build(
        options: &'a DemoOptions,
        observer: &'a dyn Observer,
        cancel: &'a Cancel,
    ) -> Result<Self, LabError> {
        let cluster = Cluster::build(&options.name, &Plan::default())?;
        Ok(Stage {
            path: Path::Closed,
            servers: Vec::new(),
            sources: SourcePool::new(&CLIENTS),
            options,
            observer,
            cancel,
            cluster,
        })
    }

    /// Name and address of every server.
    pub fn server_names(&self) -> Vec<(String, String)> {
        let servers = self.cluster.servers().into_iter();
        servers
            .map(|(node, address)| (node.to_string(), address.to_string()))
            .collect()
    }

    /// Starts all servers anew.
    pub fn start_servers(&mut self, capacity: Capacity) -> Result<(), LabError> {
        self.servers.clear();
        for (node, address) in self.cluster.servers() {
            let options = ServerOptions {
                name: node.to_string(),
                address,
                capacity,
            };
            let namespace = self.cluster.namespace(node);
            let folder = self.cluster.state_dir();
            let server = RealServer::start(self.options.server, &namespace, &options, &folder)?;
            self.servers.push(server);
        }
        Ok(())
    }

    pub fn use_routing(&mut self) -> Result<(), LabError> {
        self.close_path()?;
        self.path = Path::Routing(self.cluster.route_plainly()?);
        Ok(())
    }

    /// Starts a director and makes the service; gives the ipvsadm commands.
    pub fn use_director(&mut self) -> Result<Vec<String>, LabError> {
        self.close_path()?;
        let director = Director::start(DirectorOptions::new(
            &self.options.executable,
            &self.options.name,
        ))?;
        let mut commands = Vec::new();
        for command in self.cluster.service_commands() {
            director.ipvsadm(&command.split(' ').collect::<Vec<_>>())?;
            commands.push(format!("ipvsadm {command}"));
        }
        self.path = Path::Director(director);
        Ok(commands)
    }

    /// What `ipvsadm -Ln --stats` prints now.
    pub fn listing(&self) -> Result<String, LabError> {
        director::ipvsadm(
            &self.options.executable,
            &self.options.name,
            &["-Ln", "--stats"],
        )
    }

    pub fn warm_up(&self, target: Target) -> Result<(), LabError> {
        self.load(target, WARM_UP_REQUESTS, Arc::new(Unseen))
            .map(drop)
    }

    /// Measures one run; `number` tells runs of the same kind apart.
    pub fn run(
        &self,
        target: Target,
        hold: Hold,
        requests: u64,
        number: Option<usize>,
    ) -> Result<Run, LabError> {
        let mut name = target.name().to_owned();
        match hold {
            Hold::Held => name.push_str("-held"),
            Hold::Unheld => name.push_str("-unheld"),
        }
        name.push_str(&format!("-{requests}"));
        if let Some(number) = number {
            name.push_str(&format!("-{number}"));
        }
        let seen_before = self.connections_seen();
        let result = self.load(target, requests, self.observer.begin(&name, requests))?;
        let seen = self.connections_seen();
        let connections = seen.zip(seen_before).map(|(after, before)| after - before);
        Ok(Run::new(
            name,
            target,
            hold == Hold::Held,
            &result,
            connections,
        ))
    }

    /// Stops everything and removes the cluster.
    pub fn remove(mut self) -> Result<(), LabError> {
        self.close_path()?;
        self.servers.clear();
        self.cluster.remove().map(drop)
    }

    fn load(
        &self,
        target: Target,
        requests: u64,
        progress: Arc<dyn Progress>,
    ) -> Result<LoadResult, LabError> {
        let servers = self.cluster.servers();
        let addresses = servers.iter().map(|(_, address)| *address);
        let plan = LoadPlan {
            targets: match target {
                Target::Rs => addresses.take(1).collect(),
                Target::Routed => addresses.collect(),
                Target::Vs => vec![std::net::SocketAddrV4::new(VIP, SERVICE_PORT)],
            },
            requests,
            concurrency: CONCURRENCY,
            connections: Connections::OnePerRequest,
            timeout: REQUEST_TIMEOUT,
            document_bytes: DOCUMENT_BYTES,
        };
        let client = self.cluster.client();
        load::run(&client, &plan, &self.sources, progress, self.cancel)
    }

    fn connections_seen(&self) -> Option<u64> {
        let counts = self.servers.iter().map(RealServer::counts);
        counts.map(|counts| Some(counts?.connections)).sum()
    }

    fn close_path(&mut self) -> Result<(), LabError> {
        match std::mem::replace(&mut self.path, Path::Closed) {
            Path::Closed | Path::Routing(_) => Ok(()),
            Path::Director(director) => director.stop(Stop::Remove).map(drop),
        }
    }
}

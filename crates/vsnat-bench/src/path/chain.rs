//! Clients' end, director, servers' end: one chain of links for each director.

use std::thread;
use std::time::{Duration, Instant};

use nix::net::if_::if_nametoindex;
use vsnat_dataplane::AttachedBy;

use crate::path::counter::Counter;
use crate::path::director::{Director, Kind};
use crate::path::error::PathError;
use crate::path::frame::address;
use crate::path::namespace::{IP, Namespace, order};
use crate::path::network::{END, FLOWS_MAX, OUTER};
use crate::path::socket::{Batch, Sender, Tap};
use crate::path::traffic::{Picks, Side, Traffic};

/// For links to come up.
const PATIENCE: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(5);

pub struct Chain {
    clients: End,
    servers: End,
    /// What arrives at the director from the clients.
    entry: Counter,
    director: Director,
}

struct End {
    namespace: Namespace,
    sender: Sender,
    arrived: Counter,
    ifindex: u32,
}

impl Chain {
    pub fn new(kind: &Kind) -> Result<Self, PathError> {
        let (clients, servers) = (Namespace::new()?, Namespace::new()?);
        let director = Director::new(kind, &clients, &servers)?;
        let entry = Counter::new(OUTER)?;
        let mut chain = Chain {
            clients: End::new(clients)?,
            servers: End::new(servers)?,
            entry,
            director,
        };
        chain.wait(Traffic::ToServers)?;
        chain.wait(Traffic::FromServers)?;
        Ok(chain)
    }

    pub fn attached_by(&self) -> Option<AttachedBy> {
        self.director.attached_by()
    }

    pub fn sender(&self, from: Side) -> &Sender {
        match from {
            Side::Clients => &self.clients.sender,
            Side::Servers => &self.servers.sender,
        }
    }

    /// Packets that ever arrived at an end.
    pub fn arrived(&mut self, at: Side) -> Result<u64, PathError> {
        match at {
            Side::Clients => self.clients.arrived.read(),
            Side::Servers => self.servers.arrived.read(),
        }
    }

    /// Packets that ever arrived at the director from the clients.
    pub fn entered(&mut self) -> Result<u64, PathError> {
        self.entry.read()
    }

    /// Sends packets that no director cares for until one comes through: the
    /// kernel takes up to a second to notice that a link is up.
    fn wait(&mut self, traffic: Traffic) -> Result<(), PathError> {
        let (from, flow) = (traffic.from(), FLOWS_MAX - 1);
        let (src, dst) = traffic.ends(flow, &Picks::default());
        let mut batch = Batch::new(traffic.frame());
        address(&mut batch.frames()[0], src, dst);
        let before = self.arrived(from.other())?;
        let start = Instant::now();
        let mut sent = 0;
        while self.arrived(from.other())? == before {
            if start.elapsed() > PATIENCE {
                let row = "links that came up just now".to_owned();
                let arrived = 0;
                return Err(PathError::Lost { row, sent, arrived });
            }
            self.sender(from).send(&mut batch, 1)?;
            sent += 1;
            thread::sleep(POLL);
        }
        Ok(())
    }

    pub fn tap(&self, at: Side) -> Result<Tap, PathError> {
        let end = match at {
            Side::Clients => &self.clients,
            Side::Servers => &self.servers,
        };
        end.namespace.enter()?;
        Tap::new(end.ifindex)
    }
}

impl End {
    fn new(namespace: Namespace) -> Result<Self, PathError> {
        namespace.enter()?;
        order(IP, &format!("link set lo up\nlink set {END} up\n"))?;
        let ifindex = if_nametoindex(END)
            .map_err(|error| PathError::system("find the end of a link")(error.into()))?;
        Ok(End {
            namespace,
            sender: Sender::new(ifindex)?,
            arrived: Counter::new(END)?,
            ifindex,
        })
    }
}

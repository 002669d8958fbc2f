//! DHCP on the inner interfaces: sockets, clock and disk around the server of
//! `vsnat-dhcp`.
//!
//! [`open`] looks and refuses, and changes nothing: the director is not started
//! where another server answers. [`Opened::serve`] starts a thread that waits for
//! packets; it blocks on the disk too, so it is none of the runtime's.

mod clock;
mod frame;
mod listing;
mod others;
mod ping;
mod plan;
mod port;
mod service;

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use ipnet::Ipv4Net;
use nix::sys::eventfd::{EfdFlags, EventFd};
use thiserror::Error;
use vsnat_api::DhcpLeases;
use vsnat_config::{Config, OtherServers};
use vsnat_dhcp::{Folder, Loaded, Server, Store, StoreError};

use crate::host::tool::ToolError;
use crate::host::{address, link};
use clock::Clock;
use others::Found;
use ping::Pinger;
use port::Port;
use service::Service;

/// Why no addresses can be given out here.
#[derive(Debug, Error)]
pub enum DhcpError {
    #[error(
        "another DHCP server answers on {interface}: {server}; stop it, or take {interface} from \
         its interfaces, or write force = true under [dhcp] if its addresses are others"
    )]
    OtherServer { interface: String, server: String },
    #[error(
        "no inner interface has an address in {network}, in which DHCP is to give out addresses; \
         give one to an inner interface (ip address add), or name the router if {network} is \
         behind a relay agent"
    )]
    NoAddress { network: Ipv4Net },
    #[error(
        "port 67 of {interface} is in use by another program of this host; stop that DHCP server \
         or relay (ss -ulpn 'sport = :67' shows it), or remove [dhcp]"
    )]
    PortInUse { interface: String },
    #[error("cannot open a socket for DHCP on {interface}: {source}")]
    Socket {
        interface: String,
        source: io::Error,
    },
    #[error("the leases in {}: {source}", path.display())]
    Leases { path: PathBuf, source: StoreError },
    #[error("cannot prepare DHCP: {0}")]
    Prepare(#[from] io::Error),
    #[error(transparent)]
    Tool(#[from] ToolError),
}

/// Ready to serve.
#[derive(Debug)]
pub(crate) struct Opened {
    server: Server,
    store: Store<Folder>,
    ports: Vec<Port>,
    pinger: Pinger,
    clock: Clock,
}

/// A running server; it ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Dhcp {
    server: Arc<Mutex<Server>>,
    clock: Clock,
    stop: Arc<EventFd>,
    thread: Option<JoinHandle<()>>,
}

/// Checks whether the file's `[dhcp]` can be carried out; none when it has none.
/// The calling thread is in the director's network namespace.
pub(crate) fn open(config: &Config, leases: &std::path::Path) -> Result<Option<Opened>, DhcpError> {
    let Some(dhcp) = &config.dhcp else {
        return Ok(None);
    };
    let addresses = address::all()?;
    let networks = plan::networks(dhcp, &config.inner, &addresses)?;
    let links = link::all()?;
    let mut ports = Vec::new();
    for name in &config.inner {
        ports.push(Port::open(name)?);
    }
    match dhcp.others {
        OtherServers::Tolerate => {}
        OtherServers::Refuse => none_but_us(config, &links)?,
    }
    let clock = Clock::now();
    let of_leases = |source| DhcpError::Leases {
        path: leases.to_owned(),
        source,
    };
    let (store, loaded) = Store::open(Folder::new(leases)).map_err(of_leases)?;
    let Loaded {
        leases: stored,
        damaged,
    } = loaded;
    if damaged > 0 {
        tracing::warn!(
            "{damaged} damaged lines of {} are left out: their clients may get other addresses",
            leases.display()
        );
    }
    let reservations = dhcp.reservations.clone();
    let server = Server::new(networks, reservations, stored, clock.time());
    Ok(Some(Opened {
        server,
        store,
        ports,
        pinger: Pinger::open()?,
        clock,
    }))
}

fn none_but_us(config: &Config, links: &[link::Link]) -> Result<(), DhcpError> {
    let inner = links
        .iter()
        .filter(|link| config.inner.contains(&link.name));
    let running: Vec<&link::Link> = inner.filter(|link| link.is_running()).collect();
    match others::find(&running)? {
        None => Ok(()),
        Some(Found { interface, server }) => Err(DhcpError::OtherServer { interface, server }),
    }
}

impl Opened {
    pub fn serve(self) -> Result<Dhcp, DhcpError> {
        let stop = Arc::new(EventFd::from_flags(EfdFlags::EFD_NONBLOCK).map_err(io::Error::from)?);
        for network in self.server.networks() {
            tracing::info!("giving out addresses in {}", network.network);
        }
        let server = Arc::new(Mutex::new(self.server));
        let service = Service {
            server: Arc::clone(&server),
            store: self.store,
            ports: self.ports,
            pinger: self.pinger,
            clock: self.clock,
            stop: Arc::clone(&stop),
        };
        let thread = thread::Builder::new().name("dhcp".to_owned());
        let thread = thread.spawn(move || service.run())?;
        Ok(Dhcp {
            server,
            clock: self.clock,
            stop,
            thread: Some(thread),
        })
    }
}

impl Dhcp {
    pub fn leases(&self) -> DhcpLeases {
        let server = service::locked(&self.server);
        listing::of(&server, self.clock.time())
    }
}

impl Drop for Dhcp {
    fn drop(&mut self) {
        // The count cannot pass its limit with one write.
        let _ = self.stop.write(1);
        if let Some(thread) = self.thread.take() {
            // Should it have panicked, its log says so.
            let _ = thread.join();
        }
    }
}

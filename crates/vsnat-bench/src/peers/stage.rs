//! Everything that stands while peers take turns, and the turns.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::thread;
use std::time::Duration;

use vsnat_lab::Cancel;

use super::haproxy::Haproxy;
use super::load::{Clients, Turn};
use super::network::Network;
use super::nftables::Nftables;
use super::nginx::Nginx;
use super::peer::{Carrier, Peer};
use super::plain::Plain;
use super::program::Programs;
use super::report::Run;
use super::rows::Row;
use super::servers::Servers;
use super::vsnat::{Loaded, Tc};
use super::xdp::Xdp;
use super::{Options, PeersError, machine};

/// Connections that were cut at the end of a run say farewell to each other, over the
/// peer that carried them.
const FAREWELL: Duration = Duration::from_millis(30);

/// In the order in which it is taken down.
pub struct Stage {
    carriers: BTreeMap<Peer, Box<dyn Carrier>>,
    _servers: Servers,
    clients: Clients,
    network: Network,
    repetitions: u32,
    run: Duration,
    warm_up: Duration,
}

impl Stage {
    pub fn build(options: &Options, cancel: &Cancel) -> Result<Self, PeersError> {
        let programs = Programs::find(&options.programs)?;
        let network = Network::build(&options.name)?;
        let servers = Servers::start(&network, &programs)?;
        let carriers = carriers(options, &network, &programs)?;
        Ok(Stage {
            carriers,
            _servers: servers,
            clients: Clients::new(&network, cancel),
            network,
            repetitions: options.repetitions,
            run: options.run,
            warm_up: options.warm_up,
        })
    }

    /// All runs of a row. Who begins changes with the repetition, so that nobody always
    /// comes after the same one.
    pub fn measure(&mut self, row: Row) -> Result<Vec<Run>, PeersError> {
        let peers: Vec<Peer> = self.carriers.keys().copied().collect();
        let mut runs = Vec::new();
        for repetition in 0..self.repetitions {
            let first = repetition as usize % peers.len();
            for place in 0..peers.len() {
                let peer = peers[(first + place) % peers.len()];
                if peer.can(row.manner) {
                    runs.push(self.turn(peer, row)?.told(peer, repetition));
                }
            }
        }
        Ok(runs)
    }

    fn turn(&mut self, peer: Peer, row: Row) -> Result<Turn, PeersError> {
        self.network.set_links(peer.links())?;
        self.carrier(peer, |carrier| carrier.begin())?;
        let turn = self.load(peer, row);
        thread::sleep(FAREWELL);
        self.carrier(peer, |carrier| carrier.end())?;
        turn
    }

    fn load(&self, peer: Peer, row: Row) -> Result<Turn, PeersError> {
        self.clients.run(&self.network, peer, row, self.warm_up)?;
        self.clients.run(&self.network, peer, row, self.run)
    }

    fn carrier(
        &mut self,
        peer: Peer,
        act: impl Fn(&mut Box<dyn Carrier>) -> Result<(), PeersError>,
    ) -> Result<(), PeersError> {
        self.carriers.get_mut(&peer).map_or(Ok(()), act)
    }
}

fn carriers(
    options: &Options,
    network: &Network,
    programs: &Programs,
) -> Result<BTreeMap<Peer, Box<dyn Carrier>>, PeersError> {
    let cpus = machine::cpus();
    let mut vsnat: Option<Rc<RefCell<Loaded>>> = None;
    let mut carriers: BTreeMap<Peer, Box<dyn Carrier>> = BTreeMap::new();
    for &peer in &options.peers {
        let carrier: Box<dyn Carrier> = match peer {
            Peer::Plain | Peer::PlainXdp => Box::new(Plain),
            Peer::Nftables => Box::new(Nftables::new(network)?),
            Peer::Haproxy => Box::new(Haproxy::start(network, programs, cpus)?),
            Peer::Nginx => Box::new(Nginx::start(network, programs, cpus)?),
            Peer::VsnatTc => Box::new(Tc::new(&loaded(&mut vsnat, options, network)?)),
            Peer::VsnatXdp => Box::new(Xdp::new(&loaded(&mut vsnat, options, network)?)),
        };
        carriers.insert(peer, carrier);
    }
    Ok(carriers)
}

/// TC and XDP are two entrances of one data plane.
fn loaded(
    vsnat: &mut Option<Rc<RefCell<Loaded>>>,
    options: &Options,
    network: &Network,
) -> Result<Rc<RefCell<Loaded>>, PeersError> {
    if let Some(loaded) = vsnat {
        return Ok(Rc::clone(loaded));
    }
    let loaded = Loaded::open(network, options.object.clone())?;
    let loaded = Rc::new(RefCell::new(loaded));
    *vsnat = Some(Rc::clone(&loaded));
    Ok(loaded)
}

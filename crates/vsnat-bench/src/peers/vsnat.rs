//! vsnat's own data plane, loaded once and attached for its turns: the programs and
//! tables that `vsnat run` loads.

use std::cell::RefCell;
use std::net::SocketAddrV4;
use std::path::PathBuf;
use std::rc::Rc;

use ipnet::Ipv4Net;
use vsnat_api::{Command, Protocol, Scheduler, ServerSpec, ServiceKey, ServiceSpec, Side, Weight};
use vsnat_dataplane::{DataPlane, Limits, OpenOptions};
use vsnat_lab::{GATEWAY, Namespace, OUTER_INTERFACE};

use super::PeersError;
use super::network::{ECHO_PORT, HTTP_PORT, Network, Vip};
use super::peer::Carrier;
use crate::world;

/// The data plane, with its services.
#[derive(Debug)]
pub struct Loaded {
    plane: DataPlane,
    name: String,
    namespace: Namespace,
}

impl Loaded {
    pub fn open(network: &Network, object: Option<PathBuf>) -> Result<Self, PeersError> {
        let options = OpenOptions {
            name: world::plane_name(0),
            limits: Limits::default(),
            object,
        };
        let namespace = network.director();
        let (plane, _) = namespace.run(|| DataPlane::open(&options))??;
        let mut loaded = Loaded {
            plane,
            name: options.name,
            namespace,
        };
        loaded.plane.set_own_networks(&own_networks())?;
        loaded.serve(Protocol::Tcp, HTTP_PORT, network)?;
        loaded.serve(Protocol::Udp, ECHO_PORT, network)?;
        Ok(loaded)
    }

    fn serve(
        &mut self,
        protocol: Protocol,
        port: u16,
        network: &Network,
    ) -> Result<(), PeersError> {
        let key = ServiceKey::Address {
            protocol,
            address: SocketAddrV4::new(Vip::Vsnat.address(), port).into(),
        };
        let spec = ServiceSpec::new(key, Scheduler::Rr);
        self.plane.apply(&Command::AddService(spec))?;
        for address in network.server_sockets(port) {
            self.plane.apply(&Command::AddServer {
                service: key,
                server: ServerSpec::new(address, Weight::ONE),
            })?;
        }
        Ok(())
    }
}

impl Loaded {
    /// Does something with the data plane in the director's namespace.
    pub fn inside<T: Send>(
        &mut self,
        work: impl FnOnce(&mut DataPlane) -> T + Send,
    ) -> Result<T, PeersError> {
        let plane = &mut self.plane;
        Ok(self.namespace.run(|| work(plane))?)
    }

    pub fn attach(&mut self) -> Result<(), PeersError> {
        self.inside(|plane| {
            for (interface, side) in sides() {
                plane.attach(&interface, side)?;
            }
            Ok(())
        })?
    }

    pub fn detach(&mut self) -> Result<(), PeersError> {
        self.inside(|plane| {
            for (interface, _) in sides() {
                plane.detach(&interface)?;
            }
            Ok(())
        })?
    }
}

impl Drop for Loaded {
    fn drop(&mut self) {
        // What cannot be removed now is removed by the next measurement.
        let _ = self.namespace.run(|| DataPlane::remove(&self.name));
    }
}

/// vsnat at TC ingress of every interface.
#[derive(Debug)]
pub struct Tc {
    loaded: Rc<RefCell<Loaded>>,
}

impl Tc {
    pub fn new(loaded: &Rc<RefCell<Loaded>>) -> Self {
        Tc {
            loaded: Rc::clone(loaded),
        }
    }
}

impl Carrier for Tc {
    fn begin(&mut self) -> Result<(), PeersError> {
        self.loaded.borrow_mut().attach()
    }

    fn end(&mut self) -> Result<(), PeersError> {
        self.loaded.borrow_mut().detach()
    }
}

/// The director's interfaces, the outer one first.
pub fn sides() -> impl Iterator<Item = (String, Side)> {
    let inner = Network::inner_interfaces().map(|name| (name, Side::Inner));
    std::iter::once((OUTER_INTERFACE.to_owned(), Side::Outer)).chain(inner)
}

/// What no client may have as its address.
fn own_networks() -> Vec<Ipv4Net> {
    /// The servers' network.
    const INNER_PREFIX: u8 = 24;
    let inner = Ipv4Net::new(GATEWAY, INNER_PREFIX).map(|network| network.trunc());
    let vips = Vip::ALL.map(|vip| Ipv4Net::from(vip.address()));
    inner.into_iter().chain(vips).collect()
}

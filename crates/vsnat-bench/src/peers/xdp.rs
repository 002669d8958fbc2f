//! vsnat with XDP in front of TC on every interface, run by the driver.

use std::cell::RefCell;
use std::rc::Rc;

use vsnat_api::Attach;
use vsnat_dataplane::{DataPlane, Lane};

use super::PeersError;
use super::peer::Carrier;
use super::vsnat::{Loaded, sides};

/// The same data plane as TC's. veth is no driver that XDP pays on; it is the one that
/// is everywhere.
#[derive(Debug)]
pub struct Xdp {
    loaded: Rc<RefCell<Loaded>>,
    accelerated: u64,
}

impl Xdp {
    pub fn new(loaded: &Rc<RefCell<Loaded>>) -> Self {
        Xdp {
            loaded: Rc::clone(loaded),
            accelerated: 0,
        }
    }
}

impl Carrier for Xdp {
    fn begin(&mut self) -> Result<(), PeersError> {
        let mut loaded = self.loaded.borrow_mut();
        loaded.attach()?;
        let begun = loaded.inside(|plane| {
            plane.accelerate(&lanes(Attach::Xdp))?;
            Ok::<u64, PeersError>(accelerated(plane))
        })?;
        self.accelerated = begun?;
        Ok(())
    }

    fn end(&mut self) -> Result<(), PeersError> {
        let mut loaded = self.loaded.borrow_mut();
        let ended = loaded.inside(|plane| {
            plane.accelerate(&lanes(Attach::Tc))?;
            Ok::<u64, PeersError>(accelerated(plane))
        })??;
        loaded.detach()?;
        match ended > self.accelerated {
            true => Ok(()),
            false => Err(PeersError::NotAccelerated),
        }
    }
}

fn lanes(attach: Attach) -> Vec<Lane> {
    let lane = |(interface, side)| Lane {
        interface,
        side,
        attach,
        obstacle: None,
    };
    sides().map(lane).collect()
}

/// Packets that XDP has translated so far.
fn accelerated(plane: &DataPlane) -> u64 {
    let reasons = plane.reasons();
    let found = reasons.iter().find(|count| count.reason == "accelerated");
    found.map_or(0, |count| count.packets)
}

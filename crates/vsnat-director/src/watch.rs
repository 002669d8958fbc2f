//! Interfaces that vanish and come back, and addresses that change.
//!
//! A link that goes down and up keeps its programs and addresses. An interface
//! that is created anew under the same name has neither: it is attached again,
//! gets its VIPs again, and its neighbours are told.

use std::collections::BTreeMap;
use std::time::Duration;

use nix::net::if_::if_nametoindex;
use vsnat_api::{InterfaceView, Side};
use vsnat_config::Config;
use vsnat_dataplane::Acceleration;

use crate::announcements::Announcements;
use crate::engine::Parts;
use crate::host::address::{self, InterfaceAddress};
use crate::host::{forwarding, link, neighbours, own_source};
use crate::lanes;
use crate::preflight;
use crate::six;
use crate::start::{Setup, announce, own_networks, sides, sources};

/// An interface that is back serves after a second at most.
pub(crate) const PERIOD: Duration = Duration::from_secs(1);

/// The interfaces and addresses as they were last seen.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    announcements: Announcements,
    indices: BTreeMap<String, u32>,
    own: Vec<ipnet::Ipv4Net>,
    sources: Vec<ipnet::Ipv4Net>,
    own6: Vec<ipnet::Ipv6Net>,
    /// The last failure of each interface, so that it is told once.
    failures: BTreeMap<String, String>,
}

impl Seen {
    /// As it is after a start that has these VIPs to announce.
    pub fn now(config: &Config, taken: &[InterfaceAddress]) -> Self {
        let names = sides(config).map(|(name, _)| name);
        let found = names.filter_map(|name| Some((name.to_owned(), index_of(name)?)));
        Seen {
            announcements: Announcements::of(taken),
            indices: found.collect(),
            own: Vec::new(),
            sources: Vec::new(),
            own6: Vec::new(),
            failures: BTreeMap::new(),
        }
    }
}

impl Parts {
    /// Compares with what was seen last, and repairs.
    pub fn look(&mut self, setup: &Setup, addresses_changed: impl FnOnce(&mut Parts)) {
        for (interface, side) in sides(&setup.config) {
            let before = self.seen.indices.get(interface).copied();
            match (before, index_of(interface)) {
                (None, None) => {}
                (Some(before), Some(now)) if before == now => {}
                (Some(_), None) => self.vanished(interface),
                (_, Some(index)) => self.returned(setup, interface, side, index),
            }
        }
        self.data_plane.look_at_lanes();
        self.seen.announcements.repeat();
        self.look_at_addresses(&setup.config, addresses_changed);
    }

    fn vanished(&mut self, interface: &str) {
        tracing::warn!("{interface} is gone; it is attached again when it comes back");
        self.seen.indices.remove(interface);
        self.interfaces.retain(|view| view.name != interface);
    }

    fn returned(&mut self, setup: &Setup, interface: &str, side: Side, index: u32) {
        match self.equip(setup, interface, side) {
            Ok((attached_by, accelerations)) => {
                tracing::info!("{interface} is back; attached by {attached_by}");
                self.interfaces.retain(|view| view.name != interface);
                self.interfaces.push(InterfaceView {
                    name: interface.to_owned(),
                    side,
                    attached_by,
                    accelerated_by: String::new(),
                    why: String::new(),
                });
                lanes::show(&accelerations, &mut self.interfaces);
                self.seen.indices.insert(interface.to_owned(), index);
                self.seen.failures.remove(interface);
            }
            Err(error) => {
                let last = self
                    .seen
                    .failures
                    .insert(interface.to_owned(), error.clone());
                if last.as_ref() != Some(&error) {
                    tracing::error!("{interface} is back, but {error}; trying again");
                }
            }
        }
    }

    fn equip(
        &mut self,
        setup: &Setup,
        interface: &str,
        side: Side,
    ) -> Result<(String, Vec<Acceleration>), String> {
        forwarding::enable(&[interface]).map_err(|error| format!("forwarding: {error}"))?;
        let attached = self.data_plane.attach(interface, side);
        let attached_by = attached.map_err(|error| error.to_string())?.to_string();
        match side {
            Side::Outer => self.put_vips(setup)?,
            Side::Inner => {
                neighbours::watch(interface).map_err(|error| error.to_string())?;
                own_source::accept(interface).map_err(|error| error.to_string())?;
            }
        }
        if !self.record.ipv6.is_empty() {
            let enabled = six::enable_again(interface, side);
            enabled.map_err(|error| format!("IPv6 forwarding: {error}"))?;
        }
        let links = link::all().map_err(|error| error.to_string())?;
        // What one interface can do decides about the others too.
        let accelerated = lanes::accelerate(&setup.config, &links, &mut self.data_plane);
        let accelerations = accelerated.map_err(|error| error.to_string())?;
        Ok((attached_by, accelerations))
    }

    fn put_vips(&mut self, setup: &Setup) -> Result<(), String> {
        let outer = &setup.config.outer;
        let links = link::all().map_err(|error| error.to_string())?;
        let present = address::all().map_err(|error| error.to_string())?;
        let here = links.iter().find(|link| link.name == *outer);
        let is_absent = |vip: &&ipnet::IpNet| {
            let is_it = |a: &InterfaceAddress| a.address.addr() == vip.addr();
            !present.iter().any(is_it)
        };
        let absent = setup.config.vips.iter().filter(is_absent);
        let absent = absent.map(|vip| InterfaceAddress {
            interface: outer.clone(),
            address: *vip,
        });
        let absent: Vec<InterfaceAddress> = absent.collect();
        if let Some(link) = here {
            // Somebody else may have taken it meanwhile.
            let unused = preflight::unused_on_link(&setup.config, link, &absent);
            unused.map_err(|error| error.to_string())?;
        }
        for vip in absent {
            self.note_address(setup, &vip)?;
            address::add(&vip).map_err(|error| error.to_string())?;
            if let Some(link) = here {
                announce(link, &vip);
            }
            self.seen.announcements.add(vip);
        }
        Ok(())
    }

    /// The record comes before the change, here too.
    fn note_address(&mut self, setup: &Setup, vip: &InterfaceAddress) -> Result<(), String> {
        if self.record.added_addresses.contains(vip) {
            return Ok(());
        }
        self.record.added_addresses.push(vip.clone());
        let saved = self.record.save(&setup.paths.record);
        saved.map_err(|error| error.to_string())
    }

    fn look_at_addresses(&mut self, config: &Config, changed: impl FnOnce(&mut Parts)) {
        let Ok(addresses) = address::all() else {
            return;
        };
        let sources = sources(config, &addresses);
        if sources != self.seen.sources {
            self.data_plane.set_sources(&sources);
            self.seen.sources = sources;
        }
        let own = own_networks(config, &addresses);
        if own == self.seen.own && six::own_networks(config, &addresses) == self.seen.own6 {
            return;
        }
        if let Err(error) = self.data_plane.set_own_networks(&own) {
            tracing::error!("cannot tell the packet path this host's addresses: {error}");
            return;
        }
        let own6 = six::own_networks(config, &addresses);
        if let Err(error) = self.data_plane.set_own_networks6(&own6) {
            tracing::error!("cannot tell the packet path this host's IPv6 addresses: {error}");
            return;
        }
        self.seen.own = own;
        self.seen.own6 = own6;
        changed(self);
    }
}

fn index_of(interface: &str) -> Option<u32> {
    if_nametoindex(interface).ok()
}

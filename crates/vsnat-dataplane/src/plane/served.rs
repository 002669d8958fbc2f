//! Whose destination a server's address and port are: the packet path finds
//! answers of single packets by it.
//!
//! A server may serve several services. Where one of them is for single
//! packets its answers must find that one; otherwise the newest counts.

use std::collections::BTreeMap;

use vsnat_abi::destination::Dest;
use vsnat_abi::net::Be16;
use vsnat_abi::service::ServiceKey4;
use vsnat_api::Protocol;

use crate::Backend;
use crate::plane::{Known, Plane};

/// By address and port.
pub(super) type ServedBy = BTreeMap<ServiceKey4, Served>;

/// The destinations that one address and port are.
#[derive(Debug, Default)]
pub(super) struct Served {
    /// By age, oldest first.
    plain: Vec<Aged>,
    single: Vec<Aged>,
}

/// A destination by its age: [`Dest::order`], then index.
type Aged = (u64, u32);

impl Served {
    fn chosen(&self) -> Option<u32> {
        let chosen = self.single.last().or(self.plain.last());
        chosen.map(|(_, index)| *index)
    }

    fn insert(&mut self, packets: Packets, entry: Aged) {
        let list = self.list(packets);
        if let Err(place) = list.binary_search(&entry) {
            list.insert(place, entry);
        }
    }

    fn remove(&mut self, packets: Packets, entry: Aged) {
        let list = self.list(packets);
        if let Ok(place) = list.binary_search(&entry) {
            list.remove(place);
        }
    }

    fn list(&mut self, packets: Packets) -> &mut Vec<Aged> {
        match packets {
            Packets::OfConnections => &mut self.plain,
            Packets::Single => &mut self.single,
        }
    }
}

/// What a service is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Packets {
    OfConnections,
    Single,
}

impl Packets {
    pub fn of(known: &Known) -> Self {
        match known.one_packet {
            true => Packets::Single,
            false => Packets::OfConnections,
        }
    }
}

impl<B: Backend> Plane<B> {
    /// Lets the packet path know a server by its address and port.
    pub(super) fn remember_server_key(&mut self, index: u32, packets: Packets) {
        let Some(dest) = self.backend.memory().dests.read(index) else {
            return;
        };
        for key in keys_of_server(&dest) {
            let served = self.served_by.entry(key).or_default();
            served.insert(packets, (dest.order, index));
            self.put_server_key(key);
        }
    }

    pub(super) fn forget_server_key(&mut self, index: u32, packets: Packets) {
        let Some(dest) = self.backend.memory().dests.read(index) else {
            return;
        };
        for key in keys_of_server(&dest) {
            if let Some(served) = self.served_by.get_mut(&key) {
                served.remove(packets, (dest.order, index));
            }
            self.put_server_key(key);
        }
    }

    /// The servers of a service that is for other packets now.
    pub(super) fn change_server_keys(&mut self, known: &Known, from: Packets, to: Packets) {
        if from == to {
            return;
        }
        for index in &known.dests {
            self.forget_server_key(*index, from);
            self.remember_server_key(*index, to);
        }
    }

    pub(super) fn adopt_server_keys(&mut self) {
        let of_service = |known: &Known| {
            let packets = Packets::of(known);
            let dests = known.dests.iter();
            dests
                .map(move |index| (*index, packets))
                .collect::<Vec<_>>()
        };
        let all: Vec<(u32, Packets)> = self.services.values().flat_map(of_service).collect();
        for (index, packets) in all {
            self.remember_server_key(index, packets);
        }
    }

    fn put_server_key(&mut self, key: ServiceKey4) {
        let chosen = self.served_by.get(&key).and_then(Served::chosen);
        let put = match chosen {
            Some(dest) => self.backend.put_server_key(key, dest),
            None => {
                self.served_by.remove(&key);
                self.backend.remove_server_key(key)
            }
        };
        if let Err(error) = put {
            tracing::warn!(%error, "answers of single packets may go untranslated");
        }
    }
}

/// A server of a service by mark may be asked by any protocol.
fn keys_of_server(dest: &Dest) -> Vec<ServiceKey4> {
    let port = match dest.port {
        Be16::ZERO => dest.service.port,
        port => port,
    };
    let protocols = match Protocol::from_number(dest.service.protocol) {
        Some(protocol) => vec![protocol],
        None => Protocol::ALL.to_vec(),
    };
    let key = |protocol: Protocol| ServiceKey4 {
        vip: dest.address,
        port,
        protocol: protocol.number(),
        zero: 0,
    };
    protocols.into_iter().map(key).collect()
}

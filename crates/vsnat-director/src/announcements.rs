//! VIPs that were taken just now, told to the neighbours again and again: a
//! frame may get lost, and a switch may still be learning.

use std::collections::BTreeMap;

use crate::host::address::{self, InterfaceAddress};
use crate::host::link;
use crate::start::announce;

/// After the first announcement, one a second (RFC 5227 asks for two in all; a
/// neighbour that missed them believes in the old owner for minutes).
const MORE: u32 = 3;

/// How often each address is still to be announced.
#[derive(Clone, Debug, Default)]
pub(crate) struct Announcements {
    left: BTreeMap<InterfaceAddress, u32>,
}

impl Announcements {
    pub fn of(taken: &[InterfaceAddress]) -> Self {
        let left = taken.iter().map(|vip| (vip.clone(), MORE));
        Announcements {
            left: left.collect(),
        }
    }

    pub fn add(&mut self, taken: InterfaceAddress) {
        self.left.insert(taken, MORE);
    }

    /// To be called about once a second. An interface that is down is waited
    /// for; an address that is gone is not ours to announce.
    pub fn repeat(&mut self) {
        if self.left.is_empty() {
            return;
        }
        let (Ok(links), Ok(present)) = (link::all(), address::all()) else {
            return;
        };
        self.left.retain(|vip, left| {
            if !present.contains(vip) {
                return false;
            }
            let here = links.iter().find(|link| link.name == vip.interface);
            if let Some(link) = here.filter(|link| link.is_running()) {
                announce(link, vip);
                *left -= 1;
            }
            *left > 0
        });
    }
}

//! Sources that are refused, and sources that cannot be.

use std::collections::BTreeSet;

use ipnet::Ipv4Net;
use vsnat_abi::settings::{MAX_DENY, deny};
use vsnat_api::CommandError;

use crate::plane::{Plane, failed};
use crate::{Backend, BackendError};

/// No packet of the outer side comes from these: "this network", loopback,
/// multicast, and what lies above it up to broadcast (RFC 1122 §3.2.1.3,
/// RFC 1112).
const NEVER_SOURCES: [&str; 4] = ["0.0.0.0/8", "127.0.0.0/8", "224.0.0.0/4", "240.0.0.0/4"];

impl<B: Backend> Plane<B> {
    pub fn denied(&self) -> Vec<Ipv4Net> {
        let denied = self
            .deny
            .iter()
            .filter(|(_, bits)| *bits & deny::DENIED != 0);
        denied.map(|(prefix, _)| *prefix).collect()
    }

    /// Sources that must not arrive on the outer side, besides those that are
    /// never right: the inner networks and the director's own addresses.
    pub fn set_own_networks(&mut self, networks: &[Ipv4Net]) -> Result<(), BackendError> {
        let never = NEVER_SOURCES.iter().filter_map(|net| net.parse().ok());
        let own = networks.iter().map(Ipv4Net::trunc);
        let wanted: BTreeSet<Ipv4Net> = never.chain(own).collect();
        for (prefix, bits) in self.deny.clone() {
            if bits & deny::MARTIAN != 0 && !wanted.contains(&prefix) {
                self.put_deny(prefix, bits & !deny::MARTIAN)?;
            }
        }
        for prefix in wanted {
            self.put_deny(prefix, self.deny_bits(prefix) | deny::MARTIAN)?;
        }
        Ok(())
    }

    pub(super) fn deny_add(&mut self, prefix: Ipv4Net) -> Result<(), CommandError> {
        let prefix = prefix.trunc();
        let bits = self.deny_bits(prefix);
        if bits & deny::DENIED != 0 {
            return Err(CommandError::DenyExists {
                prefix: prefix.into(),
            });
        }
        if bits == 0 && self.deny.len() as u32 >= MAX_DENY {
            return Err(CommandError::Full {
                what: "denied prefixes".to_owned(),
                limit: MAX_DENY,
            });
        }
        self.put_deny(prefix, bits | deny::DENIED).map_err(failed)?;
        self.add_denied(1);
        Ok(())
    }

    pub(super) fn deny_delete(&mut self, prefix: Ipv4Net) -> Result<(), CommandError> {
        let prefix = prefix.trunc();
        let bits = self.deny_bits(prefix);
        if bits & deny::DENIED == 0 {
            return Err(CommandError::NoSuchDeny {
                prefix: prefix.into(),
            });
        }
        self.put_deny(prefix, bits & !deny::DENIED)
            .map_err(failed)?;
        self.add_denied(-1);
        Ok(())
    }

    pub(super) fn adopt_deny(&mut self) {
        match self.backend.deny() {
            Ok(entries) => self.deny = entries.into_iter().collect(),
            Err(error) => tracing::error!(%error, "the denied prefixes could not be read"),
        }
        let settings = self.backend.memory().settings;
        if let Some(mut value) = settings.read(0) {
            value.denied = self.denied().len() as u32;
            settings.write(0, value);
        }
    }

    fn deny_bits(&self, prefix: Ipv4Net) -> u32 {
        self.deny.get(&prefix).copied().unwrap_or(0)
    }

    fn put_deny(&mut self, prefix: Ipv4Net, bits: u32) -> Result<(), BackendError> {
        self.backend.put_deny(prefix, bits)?;
        match bits {
            0 => self.deny.remove(&prefix),
            bits => self.deny.insert(prefix, bits),
        };
        Ok(())
    }

    /// Tells the packet path whether established packets need the look-up.
    fn add_denied(&mut self, change: i32) {
        let settings = self.backend.memory().settings;
        if let Some(mut value) = settings.read(0) {
            value.denied = value.denied.saturating_add_signed(change);
            settings.write(0, value);
        }
    }
}

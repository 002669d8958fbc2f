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
        let with_bit =
            |(prefix, bits): (Ipv4Net, u32)| (bits & deny::DENIED != 0).then_some(prefix);
        let mut prefixes: Vec<Ipv4Net> = self
            .backend
            .deny()
            .into_iter()
            .filter_map(with_bit)
            .collect();
        prefixes.sort_unstable();
        prefixes
    }

    /// Sources that must not arrive on the outer side, besides those that are
    /// never right: the inner networks and the director's own addresses.
    pub fn set_own_networks(&mut self, networks: &[Ipv4Net]) -> Result<(), BackendError> {
        let never = NEVER_SOURCES.iter().filter_map(|net| net.parse().ok());
        let own = networks.iter().map(Ipv4Net::trunc);
        let wanted: BTreeSet<Ipv4Net> = never.chain(own).collect();
        let known = self.backend.deny();
        for (prefix, bits) in &known {
            if bits & deny::MARTIAN != 0 && !wanted.contains(prefix) {
                self.backend.put_deny(*prefix, bits & !deny::MARTIAN)?;
            }
        }
        for prefix in wanted {
            let bits = known.iter().find(|(net, _)| *net == prefix);
            let bits = bits.map_or(0, |(_, bits)| *bits);
            self.backend.put_deny(prefix, bits | deny::MARTIAN)?;
        }
        Ok(())
    }

    pub(super) fn deny_add(&mut self, prefix: Ipv4Net) -> Result<(), CommandError> {
        let prefix = prefix.trunc();
        let known = self.backend.deny();
        let bits = known.iter().find(|(net, _)| *net == prefix);
        let bits = bits.map_or(0, |(_, bits)| *bits);
        if bits & deny::DENIED != 0 {
            return Err(CommandError::DenyExists { prefix });
        }
        if bits == 0 && known.len() as u32 >= MAX_DENY {
            return Err(CommandError::Full {
                what: "denied prefixes".to_owned(),
                limit: MAX_DENY,
            });
        }
        let put = self.backend.put_deny(prefix, bits | deny::DENIED);
        put.map_err(failed)?;
        self.count_denied();
        Ok(())
    }

    pub(super) fn deny_delete(&mut self, prefix: Ipv4Net) -> Result<(), CommandError> {
        let prefix = prefix.trunc();
        let known = self.backend.deny();
        let bits = known.iter().find(|(net, _)| *net == prefix);
        let bits = bits.map_or(0, |(_, bits)| *bits);
        if bits & deny::DENIED == 0 {
            return Err(CommandError::NoSuchDeny { prefix });
        }
        let put = self.backend.put_deny(prefix, bits & !deny::DENIED);
        put.map_err(failed)?;
        self.count_denied();
        Ok(())
    }

    /// Tells the packet path whether established packets need the look-up.
    fn count_denied(&mut self) {
        let denied = self.denied().len() as u32;
        let settings = self.backend.memory().settings;
        if let Some(mut value) = settings.read(0) {
            value.denied = denied;
            settings.write(0, value);
        }
    }
}

//! IPv6 sources that are refused, and sources that cannot be.
//!
//! The table itself is the list: it is small, and asked for by people.

use ipnet::Ipv6Net;
use vsnat_abi::settings::{MAX_DENY, deny};
use vsnat_api::CommandError;

use crate::plane::{Plane, failed};
use crate::{Backend, BackendError};

/// No packet of the outer side comes from these: nobody, loopback, IPv4 in two
/// disguises, and multicast (RFC 4291, RFC 6052).
const NEVER_SOURCES: [&str; 4] = ["::/128", "::1/128", "::ffff:0:0/96", "ff00::/8"];

impl<B: Backend> Plane<B> {
    /// IPv6 prefixes whose packets are refused.
    pub fn denied6(&self) -> Result<Vec<Ipv6Net>, BackendError> {
        let mut denied = self.backend.deny6()?;
        denied.retain(|(_, bits)| bits & deny::DENIED != 0);
        Ok(denied.into_iter().map(|(prefix, _)| prefix).collect())
    }

    /// Refuses a prefix; one that is refused already changes nothing.
    pub fn deny6_add(&mut self, prefix: Ipv6Net) -> Result<(), CommandError> {
        let entries = self.backend.deny6().map_err(failed)?;
        if entries.len() as u32 >= MAX_DENY {
            return Err(CommandError::Full {
                what: "denied prefixes".to_owned(),
                limit: MAX_DENY,
            });
        }
        let prefix = prefix.trunc();
        let bits = bits_of(&entries, prefix) | deny::DENIED;
        self.backend.put_deny6(prefix, bits).map_err(failed)?;
        self.count_deny6().map_err(failed)
    }

    /// Refuses a prefix no more. Answers whether it was refused.
    pub fn deny6_delete(&mut self, prefix: Ipv6Net) -> Result<bool, CommandError> {
        let entries = self.backend.deny6().map_err(failed)?;
        let prefix = prefix.trunc();
        let bits = bits_of(&entries, prefix);
        if bits & deny::DENIED == 0 {
            return Ok(false);
        }
        let put = self.backend.put_deny6(prefix, bits & !deny::DENIED);
        put.map_err(failed)?;
        self.count_deny6().map_err(failed)?;
        Ok(true)
    }

    /// IPv6 sources that must not arrive on the outer side, besides those that
    /// are never right: the inner networks and the director's own addresses.
    pub fn set_own_networks6(&mut self, networks: &[Ipv6Net]) -> Result<(), BackendError> {
        let never = NEVER_SOURCES.iter().filter_map(|net| net.parse().ok());
        let wanted: Vec<Ipv6Net> = never.chain(networks.iter().map(Ipv6Net::trunc)).collect();
        let entries = self.backend.deny6()?;
        for (prefix, bits) in &entries {
            if bits & deny::MARTIAN != 0 && !wanted.contains(prefix) {
                self.backend.put_deny6(*prefix, bits & !deny::MARTIAN)?;
            }
        }
        for prefix in wanted {
            let bits = bits_of(&entries, prefix) | deny::MARTIAN;
            self.backend.put_deny6(prefix, bits)?;
        }
        self.count_deny6()
    }

    /// Tells the packet path whether a look-up is needed.
    fn count_deny6(&mut self) -> Result<(), BackendError> {
        let entries = self.backend.deny6()?.len() as u32;
        let settings = self.backend.memory().settings;
        if let Some(mut value) = settings.read(0) {
            value.denied6 = entries;
            settings.write(0, value);
        }
        Ok(())
    }
}

fn bits_of(entries: &[(Ipv6Net, u32)], prefix: Ipv6Net) -> u32 {
    let found = entries.iter().find(|(entry, _)| *entry == prefix);
    found.map_or(0, |(_, bits)| *bits)
}

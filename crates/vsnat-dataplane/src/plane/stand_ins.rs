//! Stand-ins of IPv6 addresses.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use vsnat_api::CommandError;

/// The benchmarking block (RFC 2544).
const POOL: Ipv4Addr = Ipv4Addr::new(198, 18, 0, 0);
const POOL_LEN: u32 = 1 << 17;

#[derive(Debug, Default)]
pub(super) struct StandIns {
    given: BTreeMap<Ipv6Addr, u32>,
    true_addresses: Vec<Ipv6Addr>,
}

impl StandIns {
    pub fn of(&self, address: Ipv6Addr) -> Option<Ipv4Addr> {
        let index = self.given.get(&address)?;
        Some(Ipv4Addr::from_bits(POOL.to_bits() + index))
    }

    pub fn give(&mut self, address: Ipv6Addr) -> Result<Ipv4Addr, CommandError> {
        if let Some(stand_in) = self.of(address) {
            return Ok(stand_in);
        }
        let index = self.true_addresses.len() as u32;
        if index >= POOL_LEN {
            return Err(CommandError::Full { what: "IPv6 addresses".to_owned(), limit: POOL_LEN });
        }
        self.given.insert(address, index);
        self.true_addresses.push(address);
        Ok(Ipv4Addr::from_bits(POOL.to_bits() + index))
    }

    pub fn true_address(&self, address: Ipv4Addr) -> IpAddr {
        let index = address.to_bits().wrapping_sub(POOL.to_bits());
        match self.true_addresses.get(index as usize) {
            Some(address) => (*address).into(),
            None => address.into(),
        }
    }
}

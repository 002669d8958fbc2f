//! The border between the addresses of an administrator and those of the
//! packet path.
//!
//! The packet path knows IPv4 addresses only: an IPv6 address that it deals
//! with has a stand-in there. What a record names keeps its stand-in for as
//! long as the record is there; all words of the plane are true addresses.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4};

use ipnet::IpNet;
use vsnat_abi::net::{Be16, Be32};
use vsnat_abi::service::ServiceKey4;
use vsnat_api::{CommandError, Mark, Protocol, ServiceKey};

use crate::Backend;
use crate::plane::Plane;

impl<B: Backend> Plane<B> {
    /// An end as the packet path knows it; `None` of an IPv6 address that
    /// nobody here has named.
    pub(super) fn path_end(&self, end: SocketAddr) -> Option<SocketAddrV4> {
        let ip = match end.ip() {
            IpAddr::V4(ip) => ip,
            IpAddr::V6(ip) => self.stand_in(ip)?,
        };
        Some(SocketAddrV4::new(ip, end.port()))
    }

    /// The same, with a stand-in from now on where there was none.
    pub(super) fn given_end(&mut self, end: SocketAddr) -> Result<SocketAddrV4, CommandError> {
        let ip = match end.ip() {
            IpAddr::V4(ip) => ip,
            IpAddr::V6(ip) => self.given_stand_in(ip)?,
        };
        Ok(SocketAddrV4::new(ip, end.port()))
    }

    /// An end as everybody else knows it.
    pub(super) fn true_end(&self, ip: Be32, port: Be16) -> SocketAddr {
        let known = Ipv4Addr::from(ip.bytes());
        let address = match self.true_address(known) {
            // A host of IPv4 that has an address of the pool.
            IpAddr::V6(address) if address.is_unspecified() => known.into(),
            address => address,
        };
        SocketAddr::new(address, port.host())
    }

    /// What a record names keeps its stand-in; until it is written, a fresh
    /// one is safe for longer than any command takes.
    fn given_stand_in(&mut self, ip: Ipv6Addr) -> Result<Ipv4Addr, CommandError> {
        let held = self.hold_stand_in(ip);
        let stand_in = held.map_err(|error| CommandError::Failed {
            message: error.to_string(),
        })?;
        self.release_stand_in(ip);
        Ok(stand_in)
    }

    /// The denied prefixes of both families.
    pub fn denied_of_both(&self) -> Vec<IpNet> {
        let six = self.denied6().unwrap_or_else(|error| {
            tracing::error!(%error, "the denied IPv6 prefixes could not be read");
            Vec::new()
        });
        let four = self.denied().into_iter().map(IpNet::V4);
        four.chain(six.into_iter().map(IpNet::V6)).collect()
    }

    pub(super) fn deny_any(&mut self, prefix: IpNet) -> Result<(), CommandError> {
        match prefix {
            IpNet::V4(prefix) => self.deny_add(prefix),
            IpNet::V6(six) if self.denied_of_both().contains(&prefix) => {
                Err(CommandError::DenyExists { prefix: six.into() })
            }
            IpNet::V6(prefix) => self.deny6_add(prefix),
        }
    }

    pub(super) fn allow_any(&mut self, prefix: IpNet) -> Result<(), CommandError> {
        match prefix {
            IpNet::V4(prefix) => self.deny_delete(prefix),
            IpNet::V6(six) => match self.deny6_delete(six)? {
                true => Ok(()),
                false => Err(CommandError::NoSuchDeny { prefix }),
            },
        }
    }

    pub(super) fn given_key(&mut self, key: ServiceKey) -> Result<ServiceKey4, CommandError> {
        match key {
            ServiceKey::Address { protocol, address } => {
                let end = self.given_end(address)?;
                Ok(key_of_end(protocol, end))
            }
            ServiceKey::Mark { mark } => Ok(ServiceKey4::of_mark(mark.get())),
        }
    }

    pub(super) fn true_key(&self, key: &ServiceKey4) -> Option<ServiceKey> {
        if key.is_mark() {
            let mark = Mark::new(key.vip.host()).ok()?;
            return Some(ServiceKey::Mark { mark });
        }
        Some(ServiceKey::Address {
            protocol: Protocol::from_number(key.protocol)?,
            address: self.true_end(key.vip, key.port),
        })
    }
}

fn key_of_end(protocol: Protocol, end: SocketAddrV4) -> ServiceKey4 {
    ServiceKey4 {
        vip: Be32::from_bytes(end.ip().octets()),
        port: Be16::from_host(end.port()),
        protocol: protocol.number(),
        zero: 0,
    }
}

//! Services whose connections speak of others, and who is asked to read them.

use std::net::{SocketAddr, SocketAddrV4};

use vsnat_abi::service::{Service, service_flag};
use vsnat_abi::settings::flag;
use vsnat_api::{Helper, Protocol, ServiceKey};

use crate::Backend;
use crate::plane::Plane;

/// Every bit that says something of a helper.
const FLAGS: u32 = service_flag::FTP | service_flag::FTP_ASKED;

impl<B: Backend> Plane<B> {
    /// Where the daemon must listen: addresses of the services with FTP's
    /// helper.
    pub fn helped(&self) -> Vec<SocketAddrV4> {
        let services = self.backend.memory().services;
        let is_helped = |index: u32| {
            let service = services.read(index);
            service.is_some_and(|service| service.flags & service_flag::FTP != 0)
        };
        let helped = self.services.iter().filter(|(_, k)| is_helped(k.index));
        let addresses = helped.filter_map(|(key, _)| key.address());
        addresses.filter_map(ipv4).collect()
    }

    /// What the packet path and the next daemon are told of a helper.
    pub(super) fn helper_flags(&self, key: ServiceKey, helper: Option<Helper>) -> u32 {
        let settings = self.backend.memory().settings.read(0).unwrap_or_default();
        match helper {
            Some(Helper::Ftp) => FLAGS,
            None if settings.flags & flag::FTP_HELPER != 0 && is_ftp(key) => service_flag::FTP,
            None => 0,
        }
    }

    /// Follows the setting: services on FTP's port get the helper, or lose it.
    /// Connections that are open stay as they are.
    pub(super) fn settle_helpers(&mut self) {
        let known = self.services.iter();
        let known: Vec<_> = known.map(|(key, k)| (*key, k.index, k.helper)).collect();
        for (key, index, helper) in known {
            let Some(mut service) = self.backend.memory().services.read(index) else {
                continue;
            };
            let flags = service.flags & !FLAGS | self.helper_flags(key, helper);
            if flags != service.flags {
                service.flags = flags;
                self.write_service(index, service);
            }
        }
    }
}

/// The helper that was asked for when a service was made.
pub(super) fn asked(service: &Service) -> Option<Helper> {
    (service.flags & service_flag::FTP_ASKED != 0).then_some(Helper::Ftp)
}

/// Control connections of IPv6 are none of the helper's.
fn ipv4(address: SocketAddr) -> Option<SocketAddrV4> {
    match address {
        SocketAddr::V4(address) => Some(address),
        SocketAddr::V6(_) => None,
    }
}

fn is_ftp(key: ServiceKey) -> bool {
    let port = key.address().and_then(ipv4).map(|address| address.port());
    key.protocol() == Some(Protocol::Tcp) && port == Some(Helper::FTP_PORT)
}

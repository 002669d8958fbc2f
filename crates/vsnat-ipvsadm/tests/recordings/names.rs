//! The names that the recording machine knew.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use vsnat_api::Protocol;
use vsnat_ipvsadm::Names;

const HOSTS: &[(&str, Ipv4Addr)] = &[
    ("localhost", Ipv4Addr::LOCALHOST),
    ("client.example", Ipv4Addr::new(10, 0, 1, 10)),
    ("vip.example", Ipv4Addr::new(10, 0, 1, 100)),
    (
        "vip-with-a-rather-long-host-name.subdomain.example",
        Ipv4Addr::new(10, 0, 1, 101),
    ),
    ("rs1.example", Ipv4Addr::new(10, 0, 2, 11)),
    ("rs2.example", Ipv4Addr::new(10, 0, 2, 12)),
    ("rs3.example", Ipv4Addr::new(10, 0, 2, 13)),
    (
        "rs4-with-a-rather-long-host-name.subdomain.example",
        Ipv4Addr::new(10, 0, 2, 14),
    ),
];

const HOSTS6: &[(&str, Ipv6Addr)] = &[
    (
        "vip6.example",
        Ipv6Addr::new(0xfd00, 1, 0, 0, 0, 0, 0, 0x100),
    ),
    (
        "rs1v6.example",
        Ipv6Addr::new(0xfd00, 2, 0, 0, 0, 0, 0, 0x11),
    ),
];

/// Of TCP and UDP; it knew none of SCTP.
const SERVICES: &[(&str, u16)] = &[
    ("tcpmux", 1),
    ("domain", 53),
    ("http", 80),
    ("https", 443),
    ("sip", 5060),
    ("http-alt", 8080),
    ("tproxy", 8081),
];

pub struct RecordedNames;

impl RecordedNames {
    /// Of either family.
    pub fn any_address_of(&self, host: &str) -> Option<IpAddr> {
        let found = self.address6_of(host).map(IpAddr::V6);
        found.or_else(|| self.address_of(host).map(IpAddr::V4))
    }
}

impl Names for RecordedNames {
    fn address_of(&self, host: &str) -> Option<Ipv4Addr> {
        let found = HOSTS.iter().find(|(name, _)| *name == host);
        found.map(|(_, address)| *address)
    }

    fn address6_of(&self, host: &str) -> Option<Ipv6Addr> {
        let found = HOSTS6.iter().find(|(name, _)| *name == host);
        found.map(|(_, address)| *address)
    }

    fn port_of(&self, service: &str, protocol: Protocol) -> Option<u16> {
        if protocol == Protocol::Sctp {
            return None;
        }
        let found = SERVICES.iter().find(|(name, _)| *name == service);
        found.map(|(_, port)| *port)
    }

    fn host_of(&self, address: IpAddr) -> Option<String> {
        let hosts = HOSTS.iter().map(|(name, host)| (*name, IpAddr::V4(*host)));
        let hosts6 = HOSTS6.iter().map(|(name, host)| (*name, IpAddr::V6(*host)));
        let found = hosts.chain(hosts6).find(|(_, host)| *host == address);
        found.map(|(name, _)| name.to_owned())
    }

    fn service_of(&self, port: u16, protocol: Protocol) -> Option<String> {
        if protocol == Protocol::Sctp {
            return None;
        }
        let found = SERVICES.iter().find(|(_, number)| *number == port);
        found.map(|(name, _)| (*name).to_owned())
    }
}

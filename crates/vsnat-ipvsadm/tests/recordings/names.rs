//! The names that the recording machine knew.

use std::net::Ipv4Addr;

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

impl Names for RecordedNames {
    fn address_of(&self, host: &str) -> Option<Ipv4Addr> {
        let found = HOSTS.iter().find(|(name, _)| *name == host);
        found.map(|(_, address)| *address)
    }

    fn port_of(&self, service: &str, protocol: Protocol) -> Option<u16> {
        if protocol == Protocol::Sctp {
            return None;
        }
        let found = SERVICES.iter().find(|(name, _)| *name == service);
        found.map(|(_, port)| *port)
    }

    fn host_of(&self, address: Ipv4Addr) -> Option<String> {
        let found = HOSTS.iter().find(|(_, host)| *host == address);
        found.map(|(name, _)| (*name).to_owned())
    }

    fn service_of(&self, port: u16, protocol: Protocol) -> Option<String> {
        if protocol == Protocol::Sctp {
            return None;
        }
        let found = SERVICES.iter().find(|(_, number)| *number == port);
        found.map(|(name, _)| (*name).to_owned())
    }
}

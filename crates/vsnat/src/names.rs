//! Names of hosts and services, looked up as every other program does: by the
//! C library, so that /etc/hosts, /etc/services and DNS all count.

use std::ffi::{CStr, CString};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};

use socket2::SockAddr;
use vsnat_api::Protocol;
use vsnat_ipvsadm::Names;

/// Longest names that the C library gives (NI_MAXHOST, NI_MAXSERV).
const MAX_HOST: usize = 1025;
const MAX_SERVICE: usize = 32;

/// The look-ups of this system. Used by one thread only: some of the C
/// library's answers stand in a buffer that the next look-up overwrites.
pub struct SystemNames;

impl Names for SystemNames {
    fn address_of(&self, host: &str) -> Option<Ipv4Addr> {
        let mut addresses = (host, 0).to_socket_addrs().ok()?;
        addresses.find_map(|address| match address.ip() {
            IpAddr::V4(address) => Some(address),
            IpAddr::V6(_) => None,
        })
    }

    fn address6_of(&self, host: &str) -> Option<Ipv6Addr> {
        let mut addresses = (host, 0).to_socket_addrs().ok()?;
        addresses.find_map(|address| match address.ip() {
            IpAddr::V4(_) => None,
            IpAddr::V6(address) => Some(address),
        })
    }

    fn port_of(&self, service: &str, protocol: Protocol) -> Option<u16> {
        let service = CString::new(service).ok()?;
        // SAFETY: both are C strings that live through the call.
        let entry = unsafe { libc::getservbyname(service.as_ptr(), name_of(protocol).as_ptr()) };
        // SAFETY: the answer is null or an entry that stays valid until the
        // next look-up of this only thread.
        let entry = unsafe { entry.as_ref() }?;
        let port = u16::try_from(entry.s_port).ok()?;
        Some(u16::from_be(port))
    }

    fn host_of(&self, address: IpAddr) -> Option<String> {
        let mut host = [0; MAX_HOST];
        let length = host.len() as libc::socklen_t;
        let address = SockAddr::from(SocketAddr::new(address, 0));
        // SAFETY: the address and the buffer live through the call, and their
        // sizes are given; without a service buffer none is written.
        let result = unsafe {
            libc::getnameinfo(
                address.as_ptr().cast(),
                address.len(),
                host.as_mut_ptr(),
                length,
                std::ptr::null_mut(),
                0,
                libc::NI_NAMEREQD,
            )
        };
        if result != 0 {
            return None;
        }
        text(&host)
    }

    fn service_of(&self, port: u16, protocol: Protocol) -> Option<String> {
        let port = i32::from(port.to_be());
        // SAFETY: the protocol is a C string that lives through the call.
        let entry = unsafe { libc::getservbyport(port, name_of(protocol).as_ptr()) };
        // SAFETY: the answer is null or an entry that stays valid until the
        // next look-up of this only thread.
        let entry = unsafe { entry.as_ref() }?;
        // SAFETY: the name of an entry is a C string, valid as the entry is.
        let name = unsafe { CStr::from_ptr(entry.s_name) };
        let name = name.to_str().ok()?;
        (name.len() < MAX_SERVICE).then(|| name.to_owned())
    }
}

fn name_of(protocol: Protocol) -> &'static CStr {
    match protocol {
        Protocol::Tcp => c"tcp",
        Protocol::Udp => c"udp",
        Protocol::Sctp => c"sctp",
    }
}

fn text(buffer: &[libc::c_char]) -> Option<String> {
    let bytes: Vec<u8> = buffer.iter().map(|c| c.cast_unsigned()).collect();
    let text = CStr::from_bytes_until_nul(&bytes).ok()?;
    text.to_str().ok().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether this system knows services at all: /etc/services may be absent.
    fn has_services() -> bool {
        let services = std::fs::read_to_string("/etc/services").unwrap_or_default();
        services.lines().any(|line| line.starts_with("domain"))
    }

    #[test]
    fn services_are_found_in_both_directions() {
        let known = has_services();
        let port = SystemNames.port_of("domain", Protocol::Udp);
        assert_eq!(port, known.then_some(53));
        let name = SystemNames.service_of(53, Protocol::Tcp);
        assert_eq!(name.is_some_and(|name| name == "domain"), known);
        assert_eq!(SystemNames.port_of("no-such-service", Protocol::Tcp), None);
        assert_eq!(SystemNames.service_of(1, Protocol::Udp), None);
    }

    #[test]
    fn hosts_of_this_machine_are_found() {
        assert_eq!(
            SystemNames.address_of("localhost"),
            Some(Ipv4Addr::LOCALHOST)
        );
        assert_eq!(
            SystemNames.host_of(Ipv4Addr::LOCALHOST.into()).as_deref(),
            Some("localhost")
        );
    }
}

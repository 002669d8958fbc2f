//! The options of an answer: what a lease needs, and what a client asks for.

use std::net::Ipv4Addr;

use dhcproto::v4::{DhcpOption, OptionCode};
use ipnet::Ipv4Net;

use crate::{HostName, Network, Request};

/// What is told to a client that does not say what it wants.
const USUAL: [OptionCode; 9] = [
    OptionCode::SubnetMask,
    OptionCode::Router,
    OptionCode::ClasslessStaticRoute,
    OptionCode::DomainNameServer,
    OptionCode::DomainName,
    OptionCode::Hostname,
    OptionCode::BroadcastAddr,
    OptionCode::InterfaceMtu,
    OptionCode::NtpServers,
];

/// What an answer grants.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Granted<'a> {
    Lease {
        address: Ipv4Addr,
        host_name: Option<&'a HostName>,
    },
    /// To a client that has its address from elsewhere.
    OptionsOnly,
}

impl<'a> Granted<'a> {
    pub fn address(self) -> Option<Ipv4Addr> {
        match self {
            Granted::Lease { address, .. } => Some(address),
            Granted::OptionsOnly => None,
        }
    }

    fn host_name(self) -> Option<&'a HostName> {
        match self {
            Granted::Lease { host_name, .. } => host_name,
            Granted::OptionsOnly => None,
        }
    }
}

/// The times, and the mask without which an address is of no use.
pub(crate) fn of_lease(network: &Network, granted: Granted) -> Vec<DhcpOption> {
    match granted {
        Granted::Lease { .. } => vec![
            DhcpOption::AddressLeaseTime(network.lease_time_s),
            DhcpOption::Renewal(network.renewal_s()),
            DhcpOption::Rebinding(network.rebinding_s()),
            DhcpOption::SubnetMask(network.network.netmask()),
        ],
        Granted::OptionsOnly => Vec::new(),
    }
}

/// What the client asks for and the network has, the most wanted first.
pub(crate) fn of_network(
    network: &Network,
    request: &Request,
    granted: Granted,
) -> Vec<DhcpOption> {
    let wanted = match request.wanted.is_empty() {
        true => &USUAL[..],
        false => &request.wanted[..],
    };
    let mut told: Vec<OptionCode> = Vec::new();
    let mut options = Vec::new();
    for code in wanted.iter().filter(|code| USUAL.contains(code)) {
        if told.contains(code) {
            continue;
        }
        told.push(*code);
        options.extend(option(*code, network, granted));
    }
    options
}

fn option(code: OptionCode, network: &Network, granted: Granted) -> Option<DhcpOption> {
    let some = |addresses: &[Ipv4Addr]| (!addresses.is_empty()).then(|| addresses.to_vec());
    match code {
        OptionCode::SubnetMask => Some(DhcpOption::SubnetMask(network.network.netmask())),
        OptionCode::Router => Some(DhcpOption::Router(vec![network.router])),
        OptionCode::DomainNameServer => some(&network.dns).map(DhcpOption::DomainNameServer),
        OptionCode::NtpServers => some(&network.ntp).map(DhcpOption::NtpServers),
        OptionCode::DomainName => {
            let domain = network.domain.clone()?;
            Some(DhcpOption::DomainName(domain))
        }
        OptionCode::Hostname => {
            let name = granted.host_name()?;
            Some(DhcpOption::Hostname(name.as_str().to_owned()))
        }
        OptionCode::BroadcastAddr => Some(DhcpOption::BroadcastAddr(network.network.broadcast())),
        OptionCode::InterfaceMtu => network.mtu.map(DhcpOption::InterfaceMtu),
        OptionCode::ClasslessStaticRoute => classless(network),
        // Not an enum of ours: there is an option for every number.
        _ => None,
    }
}

/// With the default route in it: who takes this option leaves the router's
/// aside (RFC 3442).
fn classless(network: &Network) -> Option<DhcpOption> {
    if network.routes.is_empty() {
        return None;
    }
    let default = (Ipv4Net::default(), network.router);
    let others = network.routes.iter().map(|route| (route.to, route.via));
    let routes = std::iter::once(default).chain(others).collect();
    Some(DhcpOption::ClasslessStaticRoute(routes))
}

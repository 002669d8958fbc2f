//! A host made ready for IPv6: forwarding, neighbours, masquerade.
//!
//! Done when the file asks for IPv6, or when a command does at run time, and
//! never before: a director of IPv4 alone changes nothing of IPv6.

use std::net::{IpAddr, SocketAddr};

use ipnet::{IpNet, Ipv6Net};
use vsnat_api::{Command, CommandError, ServiceKey, Side};
use vsnat_config::{Config, DirectorName};

use crate::engine::Parts;
use crate::host::address::InterfaceAddress;
use crate::host::masquerade::{self, PortRange};
use crate::host::masquerade6::{self, Rules6};
use crate::host::tool::ToolError;
use crate::host::{forwarding6, neighbours};
use crate::start::{Setup, sides};

/// Makes the host forward IPv6 as it forwards IPv4.
pub(crate) fn enable(config: &Config) -> std::io::Result<()> {
    forwarding6::enable(sides(config).map(|(name, _)| name))?;
    let mut inner = config.inner.iter();
    inner.try_for_each(|name| neighbours::watch6(name))
}

/// The same for one interface, which has come back.
pub(crate) fn enable_again(interface: &str, side: Side) -> std::io::Result<()> {
    forwarding6::enable(std::iter::once(interface))?;
    match side {
        Side::Outer => Ok(()),
        Side::Inner => neighbours::watch6(interface),
    }
}

/// The rules that hide the servers' own traffic; none when nothing is to be
/// hidden.
pub(crate) fn rules(
    config: &Config,
    name: &DirectorName,
    addresses: &[InterfaceAddress],
    services: impl Iterator<Item = ServiceKey>,
) -> Option<Rules6> {
    let networks = masquerade6::hidden(config, addresses);
    let taken: Vec<u16> = services
        .filter_map(|key| Some(key.address()?.port()))
        .collect();
    // A service on all ports would get nothing if the masquerade took them.
    let whole = match taken.contains(&0) {
        true => PortRange::ephemeral(),
        false => PortRange::UNPRIVILEGED,
    };
    let ports = whole.without(taken);
    if networks.is_empty() || ports.is_empty() {
        return None;
    }
    Some(Rules6 {
        table: masquerade::table_of(name),
        outer: config.outer.clone(),
        networks,
        ports,
    })
}

/// IPv6 sources that nobody on the outer side may have: the inner networks and
/// the addresses of the director itself.
pub(crate) fn own_networks(config: &Config, addresses: &[InterfaceAddress]) -> Vec<Ipv6Net> {
    let six = addresses.iter().filter_map(|found| match found.address {
        IpNet::V6(address) if address.addr().is_loopback() => None,
        IpNet::V6(address) if config.inner.contains(&found.interface) => Some(address.trunc()),
        IpNet::V6(address) => Some(address.addr().into()),
        IpNet::V4(_) => None,
    });
    let vips = config.vips.iter().filter_map(|vip| match vip.addr() {
        IpAddr::V6(address) => Some(address.into()),
        IpAddr::V4(_) => None,
    });
    Ipv6Net::aggregate(&six.chain(vips).collect())
}

/// Makes the table of IPv6 follow the rules.
pub(crate) fn hide(rules: Option<&Rules6>, table: &str) -> Result<(), ToolError> {
    match rules {
        Some(rules) => masquerade6::apply(rules),
        None => masquerade6::remove(table),
    }
}

impl Parts {
    /// Makes the host ready before the first command that names an address of
    /// IPv6. What was found is recorded before.
    pub fn ready_for(&mut self, command: &Command, setup: &Setup) -> Result<(), CommandError> {
        if !names_ipv6(command) || !self.record.ipv6.is_empty() {
            return Ok(());
        }
        let failed = |what: &str, error: &dyn std::fmt::Display| CommandError::Failed {
            message: format!("cannot make this host ready for IPv6: {what}: {error}"),
        };
        let inner = setup.config.inner.iter().map(String::as_str);
        let found = forwarding6::found(inner).map_err(|error| failed("its settings", &error))?;
        self.record.ipv6 = found;
        let saved = self.record.save(&setup.paths.record);
        saved.map_err(|error| failed("the record", &error))?;
        enable(&setup.config).map_err(|error| failed("forwarding", &error))?;
        tracing::info!("switched on IPv6 forwarding");
        Ok(())
    }
}

fn names_ipv6(command: &Command) -> bool {
    let is_ipv6 = |address: Option<SocketAddr>| address.is_some_and(|a| a.is_ipv6());
    match command {
        Command::AddService(spec) => is_ipv6(spec.key.address()),
        Command::AddServer { server, .. } => server.address.is_ipv6(),
        Command::EditService(_)
        | Command::DeleteService(_)
        | Command::Clear
        | Command::EditServer { .. }
        | Command::DeleteServer { .. }
        | Command::Zero(_)
        | Command::DenyAdd(_)
        | Command::DenyDelete(_)
        | Command::SetTimeouts(_)
        | Command::Set(_)
        | Command::MarkAdd(_)
        | Command::MarkDelete(_) => false,
    }
}

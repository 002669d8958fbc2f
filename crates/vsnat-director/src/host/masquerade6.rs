//! The real servers' own traffic of IPv6 leaves by the director's address.
//!
//! Only unique local addresses (RFC 4193) are hidden, since they mean nothing
//! outside; others are routed as they are. A table of our own beside that of
//! IPv4, see [`super::masquerade`].

use std::fmt::Write;

use ipnet::{IpNet, Ipv6Net};
use vsnat_config::{Config, Masquerade};

use super::address::InterfaceAddress;
use super::masquerade::PortRange;
use super::tool::{Tool, ToolError};

/// What the table holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules6 {
    pub table: String,
    pub outer: String,
    pub networks: Vec<Ipv6Net>,
    pub ports: PortRange,
}

/// The unique local networks of the inner interfaces, none inside another, if
/// they are to be hidden. A director of IPv4 alone leaves IPv6 to others.
pub fn hidden(config: &Config, addresses: &[InterfaceAddress]) -> Vec<Ipv6Net> {
    let wanted = match config.masquerade {
        Masquerade::InnerNetworks => config.has_ipv6(),
        Masquerade::Off | Masquerade::Networks(_) => false,
    };
    let here = addresses
        .iter()
        .filter(|a| config.inner.contains(&a.interface));
    let networks = here.filter_map(|a| match a.address {
        IpNet::V6(address) if address.addr().is_unique_local() => Some(address.trunc()),
        IpNet::V4(_) | IpNet::V6(_) => None,
    });
    match wanted {
        true => Ipv6Net::aggregate(&networks.collect()),
        false => Vec::new(),
    }
}

/// Makes the table hold exactly these rules, whatever it held.
pub fn apply(rules: &Rules6) -> Result<(), ToolError> {
    let arguments = ["--file", "-"];
    Tool::Nft
        .run_with_input(&arguments, &script(rules))
        .map(drop)
}

/// Removes the table; it need not be there.
pub fn remove(table: &str) -> Result<(), ToolError> {
    if !exists(table)? {
        return Ok(());
    }
    Tool::Nft.run(&["delete", "table", "ip6", table]).map(drop)
}

pub fn exists(table: &str) -> Result<bool, ToolError> {
    let tables = Tool::Nft.run(&["list", "tables", "ip6"])?;
    let line = format!("table ip6 {table}");
    Ok(tables.lines().any(|l| l.trim() == line))
}

/// The chain is emptied and filled, never deleted: open connections stay.
fn script(rules: &Rules6) -> String {
    let Rules6 {
        table,
        outer,
        networks,
        ports: PortRange { low, high },
    } = rules;
    let sources: Vec<String> = networks.iter().map(Ipv6Net::to_string).collect();
    let sources = sources.join(", ");
    let mut script = format!(
        "table ip6 {table} {{\n chain postrouting {{\n  \
         type nat hook postrouting priority srcnat; policy accept;\n }}\n}}\n\
         flush chain ip6 {table} postrouting\n"
    );
    let rule =
        format!("add rule ip6 {table} postrouting oifname \"{outer}\" ip6 saddr {{ {sources} }}");
    // Writing to a String cannot fail.
    let _ = writeln!(
        script,
        "{rule} meta l4proto {{ tcp, udp, sctp }} masquerade to :{low}-{high}"
    );
    let _ = writeln!(script, "{rule} masquerade");
    script
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(interface: &str, address: &str) -> InterfaceAddress {
        InterfaceAddress {
            interface: interface.to_owned(),
            address: address.parse().unwrap(),
        }
    }

    #[test]
    fn only_unique_local_networks_inside_are_hidden() {
        let text = "[director]\nouter = \"eth0\"\ninner = [\"eth1\"]\n\
                    vips = [\"2001:db8::7\"]\n";
        let addresses = [
            at("eth0", "fd00:1::1/64"),
            at("eth1", "fd00:2::1/64"),
            at("eth1", "2001:db8:2::1/64"),
            at("eth1", "10.0.0.1/24"),
        ];
        let config = vsnat_config::parse("a", text).unwrap();
        assert_eq!(
            hidden(&config, &addresses),
            ["fd00:2::/64".parse().unwrap()]
        );
        let config = vsnat_config::parse("a", &text.replace("2001:db8::7", "192.0.2.7")).unwrap();
        assert_eq!(hidden(&config, &addresses), []);
    }
}

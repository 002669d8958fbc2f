//! Whether the host fits, found out without changing anything.

use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;

use ipnet::{IpNet, Ipv4Net};
use thiserror::Error;
use vsnat_api::{Forward, MarkRule, NatSource, ServiceKey};
use vsnat_config::{Config, DirectorName, Masquerade, VipsInUse};
use vsnat_dataplane::DataPlane;

use crate::host::address::{self, InterfaceAddress};
use crate::host::bpffs::{self, Bpffs};
use crate::host::link::{self, Link};
use crate::host::masquerade::{self, PortRange, Rules};
use crate::host::sysctl::Setting;
use crate::host::tool::ToolError;
use crate::host::{arp, forwarding, forwarding6, loopback, neighbours, own_source};
use crate::record::Record;

/// The kernel's own types: without them there are no BPF timers.
const BTF: &str = "/sys/kernel/btf/vmlinux";

/// Why a director cannot start here.
#[derive(Debug, Error)]
pub enum PreflightError {
    #[error("there is no interface {name} here; this network namespace has {known}")]
    NoInterface { name: String, known: String },
    #[error(
        "{name} is no Ethernet interface; give one that is, or a bridge, bond or VLAN made of some"
    )]
    NotEthernet { name: String },
    #[error(
        "{name} is a port of {master}, and packets to this host arrive at {master}: give {master} \
         instead"
    )]
    Port { name: String, master: String },
    #[error(
        "VIP {} is already on {interface} of this host, and must be on {outer}; remove it there \
         (ip address del {vip} dev {interface}), or choose another VIP",
        vip.addr()
    )]
    VipOnOtherInterface {
        vip: IpNet,
        interface: String,
        outer: String,
    },
    #[error(
        "VIP {vip} is in use by the neighbour {mac} on {outer}; remove it from that host, choose \
         another VIP, or write force_vips = true to take it all the same"
    )]
    VipInUse {
        vip: Ipv4Addr,
        mac: String,
        outer: String,
    },
    #[error(
        "VIP {vip} is on {outer} with the prefix /{prefix}; write it so under vips, or remove it \
         from {outer}"
    )]
    VipPrefix {
        vip: IpAddr,
        prefix: u8,
        outer: String,
    },
    #[error(
        "this kernel does not describe its types ({BTF} is missing); boot one that is built with \
         CONFIG_DEBUG_INFO_BTF, as those of Debian 12 are"
    )]
    NoBtf,
    #[error(
        "this kernel has no BPF file system (no folder {}); boot one that is built with \
         CONFIG_BPF_SYSCALL",
        bpffs::MOUNT_POINT
    )]
    NoBpffs,
    #[error(
        "the BPF file system is not mounted at {}, and a mount made here would end with this \
         process; if this runs in `ip netns exec NAME`, use `vsnat run --netns NAME` instead, else \
         mount it first: mount -t bpf bpf {}",
        bpffs::MOUNT_POINT,
        bpffs::MOUNT_POINT
    )]
    PrivateMounts,
    #[error(
        "there is an nftables table ip {table} already, which no director that runs here made; if \
         nothing needs it, remove it: nft delete table ip {table}"
    )]
    ForeignTable { table: String },
    #[error("the kernel refuses the masquerade rules, so its nftables lacks something: {source}")]
    Masquerade { source: ToolError },
    #[error(
        "{section} names {address}, which is neither a VIP nor on {outer}; write one that is, or \
         add it to vips"
    )]
    NotOnOuter {
        section: &'static str,
        address: Ipv4Addr,
        outer: String,
    },
    #[error(
        "no source port is left for masquerade: the services take every port from 1024 on; remove \
         one, or write masquerade = false"
    )]
    NoPortLeft,
    #[error(
        "IPv4 forwarding is off ({switch} is 0) and cannot be switched on here: {source}; \
         switch it on where this host's sysctls can be written, as a container's host can"
    )]
    Forwarding { switch: String, source: io::Error },
    #[error("cannot look at {what} of this host: {source}")]
    Look {
        what: &'static str,
        source: io::Error,
    },
    #[error(transparent)]
    Tool(#[from] ToolError),
}

/// What was found, for the changes to come.
#[derive(Debug)]
pub struct Host {
    pub outer: Link,
    pub addresses: Vec<InterfaceAddress>,
    /// VIPs that have to be put on the outer interface.
    pub absent: Vec<InterfaceAddress>,
    /// Whether the outer interface promotes addresses.
    pub promotion: Setting,
    pub bpffs: Bpffs,
    pub forwarding: Vec<Setting>,
    /// Neighbour timers of the inner interfaces.
    pub neighbours: Vec<Setting>,
    /// Switches of the loopback interface.
    pub loopback: Vec<Setting>,
    /// `accept_local` of the inner interfaces.
    pub own_sources: Vec<Setting>,
    /// The switches of IPv6, where it is asked for.
    pub ipv6: Vec<Setting>,
}

/// Checks everything that can be checked beforehand. `record` is that of a
/// director of this name which has not been taken down.
pub fn check(
    config: &Config,
    name: &DirectorName,
    record: Option<&Record>,
) -> Result<Host, PreflightError> {
    let bpffs = kernel()?;
    let links = link::all()?;
    let outer = interface(&links, &config.outer)?;
    let mut chosen = vec![outer];
    for inner in &config.inner {
        chosen.push(interface(&links, inner)?);
    }

    let addresses = address::all().map_err(|source| looking("addresses", source))?;
    let absent = absent_vips(config, &found_by_others(config, record, &addresses))?;
    unused_on_link(config, outer, &absent)?;
    masquerade_possible(config, name, record, &addresses)?;
    let promotion = address::promotion(&config.outer);
    let promotion = promotion.map_err(|source| looking("promotion of addresses", source))?;
    let forwarding = forwarding::found().map_err(|source| looking("IPv4 forwarding", source))?;
    forwarding_possible(config, &forwarding)?;
    let neighbours = neighbours::found(config.inner.iter().map(String::as_str))
        .map_err(|source| looking("neighbour timers", source))?;
    let loopback = loopback::found().map_err(|source| looking("the loopback interface", source))?;
    let own_sources = own_source::found(config.inner.iter().map(String::as_str))
        .map_err(|source| looking("accept_local", source))?;
    let ipv6 = match config.has_ipv6() {
        true => {
            let inner = config.inner.iter().map(String::as_str);
            forwarding6::found(inner).map_err(|source| looking("the IPv6 settings", source))?
        }
        false => Vec::new(),
    };
    warn(config, &chosen, &addresses);
    Ok(Host {
        outer: outer.clone(),
        addresses,
        absent,
        promotion,
        bpffs,
        forwarding,
        neighbours,
        loopback,
        own_sources,
        ipv6,
    })
}

/// The rules that these services and addresses ask for; none when nothing is
/// to be translated. A port that a service takes is not forwarded.
pub fn masquerade_rules(
    config: &Config,
    name: &DirectorName,
    addresses: &[InterfaceAddress],
    services: impl IntoIterator<Item = ServiceKey>,
    marks: &[MarkRule],
) -> Option<Rules> {
    let chosen = config.network_masquerades.iter();
    let chosen = chosen.map(|choice| (choice.network, choice.source));
    let networks = match &config.masquerade {
        Masquerade::Off => Vec::new(),
        Masquerade::Networks(networks) => networks.clone(),
        Masquerade::InnerNetworks => masqueraded_networks(config, addresses),
    };
    // What a file says of one network comes before what it says of all.
    let others = networks
        .into_iter()
        .map(|network| (network, NatSource::Auto));
    let mut networks: Vec<(Ipv4Net, NatSource)> = chosen.collect();
    networks.extend(others.filter(|(network, _)| is_unchosen(config, *network)));
    let services: Vec<ServiceKey> = services.into_iter().collect();
    let is_free = |forward: &&Forward| {
        vsnat_config::taken_by(forward, services.iter().copied(), marks).is_none()
    };
    let forwards: Vec<Forward> = config.forwards.iter().filter(is_free).copied().collect();
    if networks.is_empty() && forwards.is_empty() {
        return None;
    }
    let services: Vec<u16> = services.into_iter().filter_map(port_of).collect();
    // A service on all ports would get nothing if the masquerade took them.
    let whole = match services.contains(&0) {
        true => PortRange::ephemeral(),
        false => PortRange::UNPRIVILEGED,
    };
    Some(Rules {
        table: masquerade::table_of(name),
        outer: config.outer.clone(),
        networks,
        ports: whole.without(services.into_iter().chain(forwarded(config))),
        forwards,
    })
}

/// Whether no choice of the file is about all of a network.
fn is_unchosen(config: &Config, network: Ipv4Net) -> bool {
    let mut chosen = config.network_masquerades.iter();
    !chosen.any(|choice| choice.network.contains(&network))
}

fn forwarded(config: &Config) -> impl Iterator<Item = u16> {
    config.forwards.iter().map(|forward| forward.address.port())
}

/// The port of a service; those by mark have none.
fn port_of(service: ServiceKey) -> Option<u16> {
    Some(service.address()?.port())
}

/// The IPv4 networks of the inner interfaces, none inside another.
pub fn inner_networks(config: &Config, addresses: &[InterfaceAddress]) -> Vec<Ipv4Net> {
    let networks = config.inner.iter();
    let networks = networks.flat_map(|inner| address::networks_of(inner, addresses));
    Ipv4Net::aggregate(&networks.collect())
}

/// As [`inner_networks`], but each by itself, since each is counted by itself.
fn masqueraded_networks(config: &Config, addresses: &[InterfaceAddress]) -> Vec<Ipv4Net> {
    let networks = config.inner.iter();
    let networks = networks.flat_map(|inner| address::networks_of(inner, addresses));
    let mut networks: Vec<Ipv4Net> = networks.collect();
    networks.sort();
    networks.dedup();
    let is_inside = |one: &Ipv4Net| networks.iter().any(|n| n != one && n.contains(one));
    networks
        .iter()
        .copied()
        .filter(|one| !is_inside(one))
        .collect()
}

fn kernel() -> Result<Bpffs, PreflightError> {
    if !Path::new(BTF).exists() {
        return Err(PreflightError::NoBtf);
    }
    let found = bpffs::found();
    match found {
        Bpffs::Impossible => Err(PreflightError::NoBpffs),
        Bpffs::Mountable if bpffs::mounts_are_private() => Err(PreflightError::PrivateMounts),
        Bpffs::Mounted | Bpffs::Mountable => Ok(found),
    }
}

fn interface<'l>(links: &'l [Link], name: &str) -> Result<&'l Link, PreflightError> {
    let Some(link) = links.iter().find(|link| link.name == name) else {
        let known: Vec<&str> = links.iter().map(|link| link.name.as_str()).collect();
        return Err(PreflightError::NoInterface {
            name: name.to_owned(),
            known: known.join(", "),
        });
    };
    let name = name.to_owned();
    if let Some(master) = link.aggregate() {
        let master = master.to_owned();
        return Err(PreflightError::Port { name, master });
    }
    if !link.is_ethernet() {
        return Err(PreflightError::NotEthernet { name });
    }
    Ok(link)
}

/// What works, but not as most would want it.
fn warn(config: &Config, chosen: &[&Link], addresses: &[InterfaceAddress]) {
    for link in chosen.iter().filter(|link| !link.is_running()) {
        let name = &link.name;
        tracing::warn!("{name} is down or has no carrier; nothing passes until it is up");
    }
    for bridge in chosen.iter().filter(|link| link.is_filtered_bridge()) {
        let name = &bridge.name;
        tracing::warn!(
            "the frames of bridge {name} pass nftables and connection tracking, which slows \
             service traffic down, and a prerouting rule that drops may stop it; mend it: {}",
            link::UNFILTER_BRIDGES
        );
    }
    let outer = address::networks_of(&config.outer, addresses);
    for inner in inner_networks(config, addresses) {
        let meets = |outer: &&Ipv4Net| outer.contains(&inner) || inner.contains(*outer);
        if let Some(outer) = outer.iter().find(meets) {
            tracing::warn!(
                "the network {inner} behind the inner interfaces overlaps with {outer} on {}: \
                 clients with addresses of {inner} are dropped as martians",
                config.outer
            );
        }
    }
}

/// Whether the switches that are off can be switched on.
fn forwarding_possible(config: &Config, found: &[Setting]) -> Result<(), PreflightError> {
    let interfaces = std::iter::once(&config.outer).chain(&config.inner);
    let refused = forwarding::refused(found, interfaces.map(String::as_str));
    match refused {
        None => Ok(()),
        Some((switch, source)) => Err(PreflightError::Forwarding { switch, source }),
    }
}

/// Addresses less those of this director that the file no longer wants there:
/// they are going to be removed.
fn found_by_others(
    config: &Config,
    record: Option<&Record>,
    addresses: &[InterfaceAddress],
) -> Vec<InterfaceAddress> {
    let going = |address: &&InterfaceAddress| {
        let ours = record.is_some_and(|record| record.added_addresses.contains(address));
        ours && !is_wanted(config, address)
    };
    let staying = addresses.iter().filter(|address| !going(address));
    staying.cloned().collect()
}

/// Whether the file wants this address where it is.
pub fn is_wanted(config: &Config, found: &InterfaceAddress) -> bool {
    found.interface == config.outer && config.vips.contains(&found.address)
}

fn absent_vips(
    config: &Config,
    addresses: &[InterfaceAddress],
) -> Result<Vec<InterfaceAddress>, PreflightError> {
    let mut absent = Vec::new();
    for vip in &config.vips {
        let outer = config.outer.clone();
        let owner = addresses.iter().find(|a| a.address.addr() == vip.addr());
        match owner {
            None => absent.push(InterfaceAddress {
                interface: outer,
                address: *vip,
            }),
            Some(owner) if owner.interface != outer => {
                return Err(PreflightError::VipOnOtherInterface {
                    vip: owner.address,
                    interface: owner.interface.clone(),
                    outer,
                });
            }
            // A VIP without a prefix in the file takes the one it is found with.
            Some(owner) if owner.address != *vip && vip.prefix_len() != vip.max_prefix_len() => {
                return Err(PreflightError::VipPrefix {
                    vip: vip.addr(),
                    prefix: owner.address.prefix_len(),
                    outer,
                });
            }
            Some(_) => {}
        }
    }
    Ok(absent)
}

/// Whether no neighbour has the VIPs that are to be taken, or the file says to
/// take them all the same.
pub fn unused_on_link(
    config: &Config,
    outer: &Link,
    absent: &[InterfaceAddress],
) -> Result<(), PreflightError> {
    if absent.is_empty() || !outer.is_running() {
        return Ok(());
    }
    let vips = absent.iter().filter_map(|vip| Some(vip.ipv4()?.addr()));
    let vips: Vec<Ipv4Addr> = vips.collect();
    let owners = arp::probe(outer, &vips).map_err(|source| looking("the outer link", source))?;
    let Some((vip, mac)) = owners.into_iter().next() else {
        return Ok(());
    };
    let mac: Vec<String> = mac.iter().map(|byte| format!("{byte:02x}")).collect();
    let in_use = PreflightError::VipInUse {
        vip,
        mac: mac.join(":"),
        outer: outer.name.clone(),
    };
    match config.vips_in_use {
        VipsInUse::Refuse => Err(in_use),
        VipsInUse::Take => {
            tracing::warn!("{in_use}; taken all the same, as force_vips says");
            Ok(())
        }
    }
}

fn masquerade_possible(
    config: &Config,
    name: &DirectorName,
    record: Option<&Record>,
    addresses: &[InterfaceAddress],
) -> Result<(), PreflightError> {
    let keys = config.services.iter().map(|service| service.spec.key);
    let Some(rules) = masquerade_rules(config, name, addresses, keys, &config.marks) else {
        return Ok(());
    };
    addresses_present(config, addresses)?;
    if rules.lack_ports() {
        return Err(PreflightError::NoPortLeft);
    }
    let table = &rules.table;
    let ours = record.is_some() || DataPlane::is_pinned(name.as_str());
    if !ours && masquerade::exists(table)? {
        let table = table.clone();
        return Err(PreflightError::ForeignTable { table });
    }
    masquerade::check(&rules).map_err(|source| match source {
        ToolError::Failed { .. } => PreflightError::Masquerade { source },
        ToolError::Missing { .. } | ToolError::Io { .. } => PreflightError::Tool(source),
    })
}

/// Whether packets to the addresses that the host translates come here.
fn addresses_present(
    config: &Config,
    addresses: &[InterfaceAddress],
) -> Result<(), PreflightError> {
    let sources = config.network_masquerades.iter();
    let sources = sources.filter_map(|choice| match choice.source {
        NatSource::Address(address) => Some(("[[masquerade]]", address)),
        NatSource::Auto | NatSource::Keep => None,
    });
    let forwards = config.forwards.iter();
    let forwards = forwards.map(|forward| ("[[forward]]", *forward.address.ip()));
    let is_here = |address: Ipv4Addr| {
        let is_vip = config.vips.iter().any(|vip| vip.addr() == address);
        let found =
            |a: &InterfaceAddress| a.interface == config.outer && a.address.addr() == address;
        is_vip || addresses.iter().any(found)
    };
    match sources
        .chain(forwards)
        .find(|(_, address)| !is_here(*address))
    {
        None => Ok(()),
        Some((section, address)) => Err(PreflightError::NotOnOuter {
            section,
            address,
            outer: config.outer.clone(),
        }),
    }
}

fn looking(what: &'static str, source: io::Error) -> PreflightError {
    PreflightError::Look { what, source }
}

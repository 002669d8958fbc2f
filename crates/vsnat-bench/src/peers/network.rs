//! The namespaces and links that all peers share: a client, a director, and four
//! real servers, each server on a link of its own.

use std::fmt::Write as _;
use std::fs;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::path::PathBuf;
use std::process::Command;

use vsnat_lab::{
    Cluster, GATEWAY, INNER_INTERFACE, LabName, Namespace, OUTER_INTERFACE, Plan, VIP,
};

use super::PeersError;

/// Where web servers listen, behind the director and in front of it.
pub const HTTP_PORT: u16 = 80;
/// Where UDP is answered, behind the director and in front of it.
pub const ECHO_PORT: u16 = 7;

pub const SERVERS: usize = 4;

/// Each peer has an address of its own on the outer network, so that programs which
/// listen can stay while another has its turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Vip {
    Vsnat,
    Nftables,
    Haproxy,
    Nginx,
}

impl Vip {
    pub const ALL: [Vip; 4] = [Vip::Vsnat, Vip::Nftables, Vip::Haproxy, Vip::Nginx];

    pub fn address(self) -> Ipv4Addr {
        let [a, b, c, last] = VIP.octets();
        let number = match self {
            Vip::Vsnat => 0,
            Vip::Nftables => 1,
            Vip::Haproxy => 2,
            Vip::Nginx => 3,
        };
        Ipv4Addr::new(a, b, c, last + number)
    }
}

/// How the ends of the links do their work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkSetup {
    /// As the kernel sets veth up: checksums and segments are left unfinished.
    Kernel,
    /// As XDP needs it: whole checksums, since XDP cannot finish them, and receivers
    /// with a queue of their own (by GRO), since a veth without one drops what XDP
    /// sends into it.
    Xdp,
}

/// Dropping it removes everything it made.
#[derive(Debug)]
pub struct Network {
    cluster: Cluster,
    links: LinkSetup,
}

impl Network {
    pub fn build(name: &LabName) -> Result<Self, PeersError> {
        let plan = Plan {
            servers: SERVERS,
            ..Plan::default()
        };
        let network = Network {
            cluster: Cluster::build(name, &plan)?,
            links: LinkSetup::Kernel,
        };
        network.give_each_server_a_link()?;
        network.tune()?;
        Ok(network)
    }

    pub fn client(&self) -> Namespace {
        self.cluster.client()
    }

    pub fn director(&self) -> Namespace {
        self.cluster.director()
    }

    /// The real servers' namespaces and addresses.
    pub fn servers(&self) -> Vec<(Namespace, Ipv4Addr)> {
        let servers = self.cluster.servers().into_iter();
        servers
            .map(|(node, address)| (self.cluster.namespace(node), *address.ip()))
            .collect()
    }

    pub fn server_sockets(&self, port: u16) -> Vec<SocketAddrV4> {
        let servers = self.servers().into_iter();
        servers
            .map(|(_, address)| SocketAddrV4::new(address, port))
            .collect()
    }

    /// The director's interfaces towards the servers, in their order.
    pub fn inner_interfaces() -> impl Iterator<Item = String> {
        // As the cluster calls them.
        (1..=SERVERS).map(|number| format!("srv{number}"))
    }

    /// Takes configurations and logs; it goes with the cluster.
    pub fn folder(&self) -> PathBuf {
        self.cluster.state_dir()
    }

    /// Packets that every real server has received so far.
    pub fn server_packets(&self) -> Result<Vec<u64>, PeersError> {
        // Of the calling thread's namespace, unlike /proc/net of the process.
        const DEVICES: &str = "/proc/thread-self/net/dev";
        let mut packets = Vec::new();
        for (namespace, _) in self.servers() {
            let text = namespace.run(|| fs::read_to_string(DEVICES))?;
            let text = text.map_err(PeersError::system(format!("read {DEVICES}")))?;
            packets.push(received_packets(&text));
        }
        Ok(packets)
    }

    /// Sets the ends of the links up for whoever has the next turn.
    pub fn set_links(&mut self, links: LinkSetup) -> Result<(), PeersError> {
        if self.links == links {
            return Ok(());
        }
        let switches = match links {
            LinkSetup::Kernel => ["tx", "on", "gro", "off"],
            LinkSetup::Xdp => ["tx", "off", "gro", "on"],
        };
        let servers = self.servers().into_iter().map(|(namespace, _)| namespace);
        for end in std::iter::once(self.client()).chain(servers) {
            let mut ethtool = Command::new("ethtool");
            ethtool.args(["-K", "eth0"]).args(switches);
            end.output(&mut ethtool)?;
        }
        self.links = links;
        Ok(())
    }

    /// Takes the cluster's bridge out. It costs every peer the same, hides their
    /// differences, and has no native XDP.
    fn give_each_server_a_link(&self) -> Result<(), PeersError> {
        let mut lines = format!("link del {INNER_INTERFACE}\n");
        for (interface, (_, server)) in Network::inner_interfaces().zip(self.servers()) {
            // Writing to a String cannot fail.
            let _ = write!(
                lines,
                "address add {GATEWAY}/32 dev {interface}\n\
                 route add {server}/32 dev {interface} src {GATEWAY}\n"
            );
        }
        for vip in Vip::ALL {
            let address = vip.address();
            let _ = writeln!(lines, "address add {address}/24 dev {OUTER_INTERFACE}");
        }
        Ok(self.director().ip_batch(&lines)?)
    }

    /// What an administrator of a busy director sets: it routes, and a proxy on it,
    /// which opens a connection for each of its clients', has ports enough.
    fn tune(&self) -> Result<(), PeersError> {
        let director = self.director();
        director.set_sysctl("net/ipv4/ip_forward", "1")?;
        director.set_sysctl("net/ipv4/ip_local_port_range", "1024 65535")?;
        director.set_sysctl("net/ipv4/tcp_tw_reuse", "1")?;
        for (server, _) in self.servers() {
            // As large as the load's bursts; the kernel's default is 4,096 since 5.4.
            server.set_sysctl("net/core/somaxconn", "8192")?;
        }
        director.set_sysctl("net/core/somaxconn", "8192")?;
        Ok(())
    }
}

/// The second figure of the line that begins with the server's only link.
fn received_packets(devices: &str) -> u64 {
    let mut lines = devices.lines();
    let figures = lines.find_map(|line| line.trim().strip_prefix("eth0:"));
    let packets = figures.and_then(|figures| figures.split_whitespace().nth(1)?.parse().ok());
    packets.unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_peer_has_an_address_of_its_own() {
        let addresses = Vip::ALL.map(Vip::address);
        for (place, address) in addresses.iter().enumerate() {
            assert!(!addresses[..place].contains(address));
        }
    }

    #[test]
    fn packets_are_those_received_on_the_link() {
        let text = "Inter-| Receive\n face |bytes packets\n    lo: 1 2 3\n  eth0: 400 50 6 7 8\n";
        assert_eq!(received_packets(text), 50);
        assert_eq!(received_packets(""), 0);
    }
}

//! Client and attacker before the director, a server behind it.

use std::fs;
use std::net::{Ipv4Addr, SocketAddrV4};

use vsnat_lab::Namespace;

use crate::scale::ScaleError;
use crate::scale::flood::victim::Traffic;

/// The director's interfaces: towards the client, the attacker, the server.
pub const OUTER: &str = "outer0";
pub const FLOODED: &str = "outer1";
pub const INNER: &str = "inner0";
/// The only interface of everybody else.
pub const LINK: &str = "link0";

/// Where the frames of the flood go, and where they come from.
pub const FLOODED_MAC: [u8; 6] = [2, 0, 0, 0, 3, 1];
pub const ATTACKER_MAC: [u8; 6] = [2, 0, 0, 0, 3, 2];
/// The network that the flood's sources pretend to be in, of so many bits.
pub const SPOOFED: Ipv4Addr = Ipv4Addr::new(100, 64, 0, 0);
pub const SPOOFED_BITS: u32 = 10;

/// Followed by the number of the process.
const PREFIX: &str = "vsnatbench-";
const VIP: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 7);
const SERVER: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 2);

/// Namespaces that are deleted when nobody needs them any more.
pub struct Network {
    pub client: Namespace,
    pub attacker: Namespace,
    pub director: Namespace,
    pub server: Namespace,
}

impl Network {
    pub fn raise() -> Result<Self, ScaleError> {
        remove_leftovers()?;
        let process = std::process::id();
        let named = |role: &str| Namespace::named(format!("{PREFIX}{process}-{role}"));
        let network = Network {
            client: named("client"),
            attacker: named("attacker"),
            director: named("director"),
            server: named("server"),
        };
        for namespace in network.all() {
            namespace.create()?;
            // Router solicitations would be packets that nobody sent. A kernel
            // without IPv6 has none.
            let _ = namespace.set_sysctl("net/ipv6/conf/all/disable_ipv6", "1");
            let _ = namespace.set_sysctl("net/ipv6/conf/default/disable_ipv6", "1");
        }
        network.connect()?;
        Ok(network)
    }

    fn all(&self) -> [&Namespace; 4] {
        [&self.client, &self.attacker, &self.director, &self.server]
    }

    fn connect(&self) -> Result<(), ScaleError> {
        let (client, attacker, server) = (&self.client, &self.attacker, &self.server);
        self.director.ip_batch(&format!(
            "link set lo up
link add {OUTER} type veth peer name {LINK} netns {client}
link add {FLOODED} address 02:00:00:00:03:01 type veth peer name {LINK} netns {attacker}
link add {INNER} type veth peer name {LINK} netns {server}
link set {OUTER} up
link set {FLOODED} up
link set {INNER} up
addr add {VIP}/32 dev lo
addr add 192.0.2.1/24 dev {OUTER}
addr add 198.18.1.1/24 dev {FLOODED}
addr add 10.77.0.1/24 dev {INNER}
route add {SPOOFED}/{SPOOFED_BITS} via 198.18.1.2
neigh replace 198.18.1.2 lladdr 02:00:00:00:03:02 dev {FLOODED} nud permanent
"
        ))?;
        self.director.set_sysctl("net/ipv4/ip_forward", "1")?;
        let host = |mac: &str, address: &str, gateway: &str| {
            format!(
                "link set lo up\nlink set {LINK} {mac} up\naddr add {address}/24 dev {LINK}\n\
                 route add default via {gateway}\n"
            )
        };
        client.ip_batch(&host("", "192.0.2.2", "192.0.2.1"))?;
        attacker.ip_batch(&host(
            "address 02:00:00:00:03:02",
            "198.18.1.2",
            "198.18.1.1",
        ))?;
        server.ip_batch(&host("", &SERVER.to_string(), "10.77.0.1"))?;
        Ok(())
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        for namespace in self.all() {
            // One that was never made needs no deleting.
            let _ = namespace.delete();
        }
    }
}

/// What a measurement left that was interrupted.
fn remove_leftovers() -> Result<(), ScaleError> {
    for namespace in Namespace::with_prefix(PREFIX)? {
        let own = namespace.name().trim_start_matches(PREFIX);
        let process = own.split('-').next().unwrap_or(own);
        if !fs::exists(format!("/proc/{process}")).unwrap_or(true) {
            namespace.delete()?;
        }
    }
    Ok(())
}

pub fn service(traffic: Traffic) -> SocketAddrV4 {
    SocketAddrV4::new(VIP, traffic.port())
}

pub fn server(traffic: Traffic) -> SocketAddrV4 {
    SocketAddrV4::new(SERVER, traffic.port())
}

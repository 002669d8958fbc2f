//! A cluster on one machine: client, director and real servers, each in its
//! own network namespace.
//!
//! ```text
//!  client                director                         server1 … serverN
//!  eth0 ───── veth ───── outer   inner (bridge)
//!  192.168.28.10-13      .1      10.0.100.1 ─┬─ srv1 ─ veth ─ eth0 10.0.100.11
//!                        VIP .167            └─ srv2 ─ veth ─ eth0 10.0.100.12
//! ```
//!
//! The VIP is not put up here: that is the director program's business. The
//! servers' default route is the director; the client knows a route to them
//! only for the comparison with plain routing.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::path::PathBuf;
use std::process::Command;

use nix::unistd::Uid;

use crate::LabError;
use crate::names::{LabName, Node};
use crate::namespace::Namespace;
use crate::process::{ProcessId, pid_file};
use crate::teardown::{self, Removal};

/// The public address of the service.
pub const VIP: Ipv4Addr = Ipv4Addr::new(192, 168, 28, 167);
/// The port of the service, and of every real server.
pub const SERVICE_PORT: u16 = 80;
/// The director's own address on the outer network.
pub const DIRECTOR_OUTER: Ipv4Addr = Ipv4Addr::new(192, 168, 28, 1);
/// The real servers' gateway.
pub const GATEWAY: Ipv4Addr = Ipv4Addr::new(10, 0, 100, 1);
/// Names of the director's interfaces inside its namespace.
pub const OUTER_INTERFACE: &str = "outer";
pub const INNER_INTERFACE: &str = "inner";

/// Several client addresses, so that a run of 100,000 connections and those
/// after it never use a source port twice: each address gives some 64,000.
pub const CLIENTS: [Ipv4Addr; 4] = [
    Ipv4Addr::new(192, 168, 28, 10),
    Ipv4Addr::new(192, 168, 28, 11),
    Ipv4Addr::new(192, 168, 28, 12),
    Ipv4Addr::new(192, 168, 28, 13),
];

/// One /24 of servers; last octets 11 … 254 without 14.
pub const SERVERS_MAX: usize = 200;

const FORWARDING: &str = "net/ipv4/ip_forward";

/// Whether the kernel may hand unfinished work to an interface.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Offload {
    /// As the kernel sets veth up: the interface claims to do it.
    #[default]
    Kernel,
    /// Switched off, as on hardware that cannot do it.
    Off,
}

/// What a cluster looks like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    pub servers: usize,
    pub outer_mtu_bytes: u32,
    pub inner_mtu_bytes: u32,
    /// TSO, GSO and GRO on every link.
    pub segmentation: Offload,
    /// Transmit checksums on every link.
    pub checksums: Offload,
}

impl Default for Plan {
    fn default() -> Self {
        Plan {
            servers: 4,
            outer_mtu_bytes: 1500,
            inner_mtu_bytes: 1500,
            segmentation: Offload::Kernel,
            checksums: Offload::Kernel,
        }
    }
}

/// Address of real server `number`, counted from 1: .11, .12, .13, .15, .16 …
pub fn server_address(number: u8) -> Ipv4Addr {
    // The original cluster had no .14.
    let skipped = u8::from(number >= 4);
    let [a, b, c, _] = GATEWAY.octets();
    Ipv4Addr::new(a, b, c, number.saturating_add(10 + skipped))
}

/// A cluster that stands. Dropping it removes it, unless it was made to stay.
#[derive(Debug)]
pub struct Cluster {
    name: LabName,
    plan: Plan,
    removal: OnDrop,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum OnDrop {
    Remove,
    Stay,
}

impl Cluster {
    /// Builds a cluster. What a crashed owner left under this name is removed
    /// first; a cluster that is in use, or was made to stay, is an error.
    pub fn build(name: &LabName, plan: &Plan) -> Result<Self, LabError> {
        if !Uid::effective().is_root() {
            return Err(LabError::NotRoot);
        }
        if plan.servers == 0 || plan.servers > SERVERS_MAX {
            return Err(LabError::ServerCount {
                servers: plan.servers,
                max: SERVERS_MAX,
            });
        }
        claim(name)?;
        // From here on a failure takes down what was built.
        let cluster = Cluster {
            name: name.clone(),
            plan: plan.clone(),
            removal: OnDrop::Remove,
        };
        cluster.create_namespaces()?;
        cluster.link()?;
        cluster.tune_client()?;
        cluster.set_offloads()?;
        Ok(cluster)
    }

    pub fn name(&self) -> &LabName {
        &self.name
    }

    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    pub fn namespace(&self, node: Node) -> Namespace {
        self.name.namespace(node)
    }

    pub fn client(&self) -> Namespace {
        self.namespace(Node::Client)
    }

    pub fn director(&self) -> Namespace {
        self.namespace(Node::Director)
    }

    /// The real servers, each with where it listens.
    pub fn servers(&self) -> Vec<(Node, SocketAddrV4)> {
        (1..=self.plan.servers)
            .filter_map(|number| u8::try_from(number).ok())
            .map(|number| {
                let address = SocketAddrV4::new(server_address(number), SERVICE_PORT);
                (Node::Server(number), address)
            })
            .collect()
    }

    /// The commands that make the servers one virtual service under round
    /// robin, as an administrator types them after `ipvsadm`.
    pub fn service_commands(&self) -> Vec<String> {
        let service = SocketAddrV4::new(VIP, SERVICE_PORT);
        let mut commands = vec![format!("-A -t {service} -s rr")];
        commands.extend(
            self.servers()
                .into_iter()
                .map(|(_, server)| format!("-a -t {service} -r {server} -m -w 1")),
        );
        commands
    }

    pub fn state_dir(&self) -> PathBuf {
        self.name.state_dir()
    }

    /// Switches forwarding on in the director's namespace, for as long as the
    /// returned value lives. It must be off before: what is compared with the
    /// director has to be the lab's own plain routing and nobody else's.
    pub fn route_plainly(&self) -> Result<PlainRouting, LabError> {
        let namespace = self.director();
        if namespace.sysctl(FORWARDING)? != "0" {
            return Err(LabError::ForwardingIsOn {
                key: FORWARDING.replace('/', "."),
                namespace: namespace.name().to_owned(),
            });
        }
        namespace.set_sysctl(FORWARDING, "1")?;
        Ok(PlainRouting { namespace })
    }

    /// Leaves the cluster standing after this process.
    pub fn stay(mut self) -> Result<(), LabError> {
        self.removal = OnDrop::Stay;
        let owner = pid_file(&self.state_dir(), OWNER);
        fs::remove_file(&owner).map_err(LabError::io(format!("remove {}", owner.display())))
    }

    /// Removes the cluster, telling what went wrong where dropping could not.
    pub fn remove(mut self) -> Result<Removal, LabError> {
        self.removal = OnDrop::Stay;
        teardown::remove(&self.name, None)
    }

    fn nodes(&self) -> Vec<Node> {
        let mut nodes = vec![Node::Client, Node::Director];
        nodes.extend(self.servers().into_iter().map(|(node, _)| node));
        nodes
    }

    fn create_namespaces(&self) -> Result<(), LabError> {
        for node in self.nodes() {
            let namespace = self.namespace(node);
            namespace.create()?;
            // The lab speaks IPv4; router solicitations would only disturb
            // captures and counters.
            for scope in ["all", "default"] {
                disable_ipv6(&namespace, scope)?;
            }
            // Some systems switch forwarding on in every new namespace.
            namespace.set_sysctl(FORWARDING, "0")?;
            let filter = "net/bridge/bridge-nf-call-iptables";
            set_if_present(&namespace, filter, "0")?;
            namespace.ip_batch("link set lo up\n")?;
        }
        Ok(())
    }

    fn link(&self) -> Result<(), LabError> {
        self.director().ip_batch(&self.director_links())?;
        self.client().ip_batch(&client_links(&self.plan))?;
        for (node, address) in self.servers() {
            let lines = server_links(&self.plan, *address.ip());
            self.namespace(node).ip_batch(&lines)?;
        }
        Ok(())
    }

    fn director_links(&self) -> String {
        let Plan {
            outer_mtu_bytes: outer_mtu,
            inner_mtu_bytes: inner_mtu,
            ..
        } = self.plan;
        let client = self.client();
        let mut lines = format!(
            "link add {OUTER_INTERFACE} mtu {outer_mtu} type veth peer name eth0 netns {client}\n\
             address add {DIRECTOR_OUTER}/24 dev {OUTER_INTERFACE}\n\
             link set {OUTER_INTERFACE} up\n\
             link add {INNER_INTERFACE} mtu {inner_mtu} type bridge forward_delay 0 stp_state 0\n\
             address add {GATEWAY}/24 dev {INNER_INTERFACE}\n\
             link set {INNER_INTERFACE} up\n"
        );
        for (number, (node, _)) in (1..).zip(self.servers()) {
            let server = self.namespace(node);
            // Writing to a String cannot fail.
            let _ = write!(
                lines,
                "link add srv{number} mtu {inner_mtu} type veth peer name eth0 netns {server}\n\
                 link set srv{number} master {INNER_INTERFACE}\n\
                 link set srv{number} up\n"
            );
        }
        lines
    }

    /// A load generator opens more connections than the default range of
    /// ports holds; the settings are the client namespace's own.
    fn tune_client(&self) -> Result<(), LabError> {
        let client = self.client();
        client.set_sysctl("net/ipv4/ip_local_port_range", "1024 65535")?;
        client.set_sysctl("net/ipv4/tcp_tw_reuse", "1")
    }

    fn set_offloads(&self) -> Result<(), LabError> {
        let mut switches = Vec::new();
        if self.plan.segmentation == Offload::Off {
            switches.extend(["tso", "off", "gso", "off", "gro", "off"]);
        }
        if self.plan.checksums == Offload::Off {
            switches.extend(["tx", "off"]);
        }
        if switches.is_empty() {
            return Ok(());
        }
        for node in self.nodes() {
            for interface in self.interfaces(node) {
                let mut ethtool = Command::new("ethtool");
                ethtool.args(["-K", &interface]).args(&switches);
                self.namespace(node).output(&mut ethtool)?;
            }
        }
        Ok(())
    }

    /// The ends of links in a node (the bridge takes its ports' abilities).
    fn interfaces(&self, node: Node) -> Vec<String> {
        match node {
            Node::Client | Node::Server(_) => vec!["eth0".to_owned()],
            Node::Director => {
                let ports = (1..=self.plan.servers).map(|number| format!("srv{number}"));
                std::iter::once(OUTER_INTERFACE.to_owned())
                    .chain(ports)
                    .collect()
            }
        }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        match self.removal {
            OnDrop::Stay => {}
            // Nobody is left to tell; `vsnat lab down` finds what remains.
            OnDrop::Remove => drop(teardown::remove(&self.name, None)),
        }
    }
}

/// Plain routing through the director's namespace, until it is dropped.
#[derive(Debug)]
pub struct PlainRouting {
    namespace: Namespace,
}

impl Drop for PlainRouting {
    fn drop(&mut self) {
        // A namespace that is gone has no forwarding left to switch off.
        let _ = self.namespace.set_sysctl(FORWARDING, "0");
    }
}

const OWNER: &str = "owner";

/// Makes this process the lab's owner, clearing what a dead one left.
fn claim(name: &LabName) -> Result<(), LabError> {
    let state_dir = name.state_dir();
    let owner = pid_file(&state_dir, OWNER);
    if let Some(process) = ProcessId::read_alive(&owner) {
        return Err(LabError::InUse {
            name: name.to_string(),
            pid: process.pid().as_raw(),
        });
    }
    let was_made_to_stay = state_dir.exists() && !owner.exists();
    if was_made_to_stay {
        return Err(LabError::Exists {
            name: name.to_string(),
        });
    }
    teardown::remove(name, None)?;
    fs::create_dir_all(&state_dir).map_err(LabError::io(format!(
        "make the folder {}",
        state_dir.display()
    )))?;
    match ProcessId::this() {
        Some(this) => this.write(&owner),
        None => Ok(()),
    }
}

fn client_links(plan: &Plan) -> String {
    let mut lines = String::new();
    for address in CLIENTS {
        // Writing to a String cannot fail.
        let _ = writeln!(lines, "address add {address}/24 dev eth0");
    }
    let [a, b, c, _] = GATEWAY.octets();
    let mtu = plan.outer_mtu_bytes;
    let _ = write!(
        lines,
        "link set eth0 mtu {mtu}\nlink set eth0 up\nroute add {a}.{b}.{c}.0/24 via {DIRECTOR_OUTER}\n"
    );
    lines
}

fn server_links(plan: &Plan, address: Ipv4Addr) -> String {
    let mtu = plan.inner_mtu_bytes;
    format!(
        "address add {address}/24 dev eth0\nlink set eth0 mtu {mtu}\nlink set eth0 up\n\
         route add default via {GATEWAY}\n"
    )
}

/// A kernel without IPv6 has nothing to switch off.
fn disable_ipv6(namespace: &Namespace, scope: &str) -> Result<(), LabError> {
    let key = format!("net/ipv6/conf/{scope}/disable_ipv6");
    set_if_present(namespace, &key, "1")
}

/// Sets a switch that only some kernels have. The bridge's is one: it stands
/// for the cable and the switch between director and servers, which do not run
/// the director's netfilter over every frame.
fn set_if_present(namespace: &Namespace, key: &str, value: &str) -> Result<(), LabError> {
    match namespace.set_sysctl(key, value) {
        Err(LabError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(()),
        outcome => outcome,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_four_servers_have_the_original_addresses() {
        let last = |number| server_address(number).octets()[3];
        assert_eq!([1, 2, 3, 4, 5].map(last), [11, 12, 13, 15, 16]);
        assert_eq!(server_address(200), Ipv4Addr::new(10, 0, 100, 211));
    }
}

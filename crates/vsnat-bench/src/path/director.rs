//! What directs the packets of a chain: nothing but routing, vsnat, nftables,
//! or the kernel's IPVS.

use std::fmt::Write;
use std::net::Ipv4Addr;
use std::path::PathBuf;

use ipnet::Ipv4Net;
use vsnat_api::{Command, Protocol, Scheduler, ServerSpec, ServiceKey, ServiceSpec, Side, Weight};
use vsnat_dataplane::{AttachedBy, DataPlane, Limits, OpenOptions};

use crate::path::error::PathError;
use crate::path::namespace::{IP, IPVSADM, NFT, Namespace, order, write_sysctl};
use crate::path::network::{
    CLIENTS_MAC, END, GATEWAY, INNER, INNER_MAC, NOBODY_MAC, OUTER, OUTER_MAC, SERVERS,
    SERVERS_MAC, VIP, mac_text, server,
};
use crate::world;

/// As the daemon would find them.
const OWN: [Ipv4Net; 2] = [
    Ipv4Net::new_assert(Ipv4Addr::new(10, 9, 0, 0), 16),
    Ipv4Net::new_assert(Ipv4Addr::new(198, 51, 100, 1), 32),
];

/// Who directs.
#[derive(Clone, Debug)]
pub enum Kind {
    Routing,
    Vsnat(Vsnat),
    Nftables,
    Ipvs,
}

/// A data plane of ours.
#[derive(Clone, Debug)]
pub struct Vsnat {
    /// Tells the data planes of one measurement apart.
    pub number: u32,
    pub limits: Limits,
    /// Another eBPF object than the embedded one.
    pub object: Option<PathBuf>,
}

/// A namespace in which packets are directed.
pub struct Director {
    namespace: Namespace,
    plane: Option<Plane>,
}

struct Plane {
    name: String,
    attached_by: AttachedBy,
    /// What it holds open, sweeps.
    _open: DataPlane,
}

impl Director {
    /// Makes one between the ends, and leaves the calling thread in it.
    pub fn new(kind: &Kind, clients: &Namespace, servers: &Namespace) -> Result<Self, PathError> {
        let namespace = Namespace::new()?;
        order(IP, &links(clients, servers))?;
        // Whatever a new namespace begins with: plain routing at its fastest.
        for key in ["all/rp_filter", "outer0/rp_filter", "inner0/rp_filter"] {
            write_sysctl(&format!("net/ipv4/conf/{key}"), "0")?;
        }
        write_sysctl("net/ipv4/ip_forward", "1")?;
        let mut director = Director {
            namespace,
            plane: None,
        };
        match kind {
            Kind::Routing => {}
            Kind::Vsnat(vsnat) => director.plane = Some(vsnat.open()?),
            Kind::Nftables => order(NFT, &rules())?,
            Kind::Ipvs => order(IPVSADM, &services())?,
        }
        Ok(director)
    }

    /// How our programs are attached, where it is us who direct.
    pub fn attached_by(&self) -> Option<AttachedBy> {
        self.plane.as_ref().map(|plane| plane.attached_by)
    }
}

impl Drop for Director {
    fn drop(&mut self) {
        let Some(plane) = self.plane.take() else {
            return;
        };
        // What cannot be removed now is removed by the next measurement.
        if self.namespace.enter().is_ok() {
            let _ = DataPlane::remove(&plane.name);
        }
    }
}

impl Vsnat {
    fn open(&self) -> Result<Plane, PathError> {
        let name = world::plane_name(self.number);
        let options = OpenOptions {
            name: name.clone(),
            limits: self.limits,
            object: self.object.clone(),
        };
        let (mut open, _) = DataPlane::open(&options)?;
        let filled = fill(&mut open);
        let attached_by = match filled {
            Ok(attached_by) => attached_by,
            Err(error) => {
                drop(open);
                // The first error tells more than that of cleaning up.
                let _ = DataPlane::remove(&name);
                return Err(error);
            }
        };
        Ok(Plane {
            name,
            attached_by,
            _open: open,
        })
    }
}

/// As the daemon does it: what is its own, the service, then the interfaces.
fn fill(plane: &mut DataPlane) -> Result<AttachedBy, PathError> {
    plane.set_own_networks(&OWN)?;
    let key = ServiceKey::Address {
        protocol: Protocol::Udp,
        address: VIP.into(),
    };
    plane.apply(&Command::AddService(ServiceSpec::new(key, Scheduler::Rr)))?;
    for number in 0..SERVERS {
        plane.apply(&Command::AddServer {
            service: key,
            server: ServerSpec::new(server(number), Weight::ONE),
        })?;
    }
    plane.attach(INNER, Side::Inner)?;
    Ok(plane.attach(OUTER, Side::Outer)?)
}

fn links(clients: &Namespace, servers: &Namespace) -> String {
    let mut lines = String::from("link set lo up\n");
    let ends = [
        (OUTER, OUTER_MAC, CLIENTS_MAC, clients),
        (INNER, INNER_MAC, SERVERS_MAC, servers),
    ];
    for (interface, own, far, namespace) in ends {
        // Writing to a String cannot fail.
        let _ = writeln!(
            lines,
            "link add {interface} address {} type veth peer name {END} address {} netns {}\n\
             link set {interface} up",
            mac_text(own),
            mac_text(far),
            namespace.path()
        );
    }
    let nobody = mac_text(NOBODY_MAC);
    let vip = VIP.ip();
    let _ = writeln!(
        lines,
        "addr add 198.51.100.1/24 dev {OUTER}\n\
         addr add {vip}/32 dev {OUTER}\n\
         addr add 10.9.0.1/16 dev {INNER}\n\
         route add default via {GATEWAY}\n\
         neigh replace {GATEWAY} lladdr {nobody} dev {OUTER} nud permanent"
    );
    for number in 0..SERVERS {
        let address = *server(number).ip();
        let _ = writeln!(
            lines,
            "neigh replace {address} lladdr {nobody} dev {INNER} nud permanent"
        );
    }
    lines
}

fn rules() -> String {
    let servers: Vec<String> = (0..SERVERS)
        .map(|number| format!("{number} : {}", server(number).ip()))
        .collect();
    format!(
        "table ip bench {{\n chain clients {{\n  type nat hook prerouting priority dstnat;\n  \
         ip daddr {} udp dport {} dnat to numgen inc mod {SERVERS} map {{ {} }}\n }}\n}}\n",
        VIP.ip(),
        VIP.port(),
        servers.join(", ")
    )
}

fn services() -> String {
    let mut lines = format!("-A -u {VIP} -s rr\n");
    for number in 0..SERVERS {
        // Writing to a String cannot fail.
        let _ = writeln!(lines, "-a -u {VIP} -r {} -m", server(number));
    }
    lines
}

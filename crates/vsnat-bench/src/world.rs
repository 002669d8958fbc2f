//! A director in a network namespace of its own, whose neighbours are known.

use std::fs;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::path::PathBuf;
use std::process::Command as Process;

use nix::net::if_::if_nametoindex;
use nix::sched::{CloneFlags, unshare};
use vsnat_api::{
    Attach, Command, Protocol, Scheduler, ServerSpec, ServiceKey, ServiceSpec, Side, Weight,
};
use vsnat_dataplane::{DataPlane, Frame, Lane, Limits, OpenOptions, Program, Timed};

use crate::BenchError;

pub const OUTER_MAC: [u8; 6] = [2, 0, 0, 0, 1, 1];
pub const INNER_MAC: [u8; 6] = [2, 0, 0, 0, 2, 1];
/// Neighbours on one side have the director's own MAC of the other: a packet
/// whose MACs were rewritten is for the link it came from, and XDP, which goes by
/// MACs, can be fed with it again.
pub const GATEWAY_MAC: [u8; 6] = INNER_MAC;
pub const SERVER_MAC: [u8; 6] = OUTER_MAC;

/// The servers' side of a service whose translation changes nothing: the
/// kernel feeds a packet back as the program left it, so that is the only one
/// that can be measured many times in a row. Behind the inner link.
pub const FIXED_POINT: Ipv4Addr = Ipv4Addr::new(10, 9, 0, 7);
/// A service that is like others.
pub const VIP: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 7);
/// A host that is no VIP.
pub const STRANGER: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 9);

/// Data planes of measurements are called by their processes.
const NAME: &str = "bench-";
const PINS: &str = "/sys/fs/bpf/vsnat";

/// The network of the clients; the gateway is the way to all of them.
const CLIENTS: u32 = 0xcb00_0000;

pub struct World {
    pub plane: DataPlane,
    name: String,
    outer: u32,
    inner: u32,
}

impl World {
    /// Enters a new network namespace with the calling thread.
    pub fn new(limits: Limits, object: Option<PathBuf>) -> Result<Self, BenchError> {
        refuse_statistics()?;
        remove_leftovers();
        unshare(CloneFlags::CLONE_NEWNET)
            .map_err(|error| system("make a network namespace", error))?;
        links()?;
        let name = plane_name(0);
        let options = OpenOptions {
            name: name.clone(),
            limits,
            object,
        };
        let (plane, _) = DataPlane::open(&options)?;
        let index = |name: &str| if_nametoindex(name).map_err(|error| system("find a link", error));
        Ok(World {
            plane,
            name,
            outer: index("outer0")?,
            inner: index("inner0")?,
        })
    }

    /// Interface of the clients' side, in this namespace.
    pub fn outer_index(&self) -> u32 {
        self.outer
    }

    pub fn add_service(
        &mut self,
        vip: SocketAddrV4,
        scheduler: Scheduler,
        servers: impl Iterator<Item = SocketAddrV4>,
    ) -> Result<ServiceKey, BenchError> {
        let key = ServiceKey::Address {
            protocol: Protocol::Tcp,
            address: vip.into(),
        };
        let spec = ServiceSpec::new(key, scheduler);
        self.plane.apply(&Command::AddService(spec))?;
        let weight = match scheduler {
            // It stops at the weight.
            Scheduler::Ovf => Weight::new(Weight::MAX).unwrap_or(Weight::ONE),
            _ => Weight::ONE,
        };
        for address in servers {
            let server = ServerSpec::new(address, weight);
            self.plane.apply(&Command::AddServer {
                service: key,
                server,
            })?;
        }
        Ok(key)
    }

    pub fn delete_service(&mut self, key: ServiceKey) -> Result<(), BenchError> {
        Ok(self.plane.apply(&Command::DeleteService(key))?)
    }

    /// Runs a program on a packet so many times in a row.
    pub fn run(
        &mut self,
        program: Program,
        bytes: &[u8],
        repeat: u32,
    ) -> Result<Timed, BenchError> {
        self.run_with(program, bytes, Frames::Held, repeat)
    }

    /// The same for a program of XDP, and lets the frames go.
    pub fn run_live(
        &mut self,
        program: Program,
        bytes: &[u8],
        repeat: u32,
    ) -> Result<Timed, BenchError> {
        self.run_with(program, bytes, Frames::Live, repeat)
    }

    fn run_with(
        &mut self,
        program: Program,
        bytes: &[u8],
        frames: Frames,
        repeat: u32,
    ) -> Result<Timed, BenchError> {
        let ifindex = match program {
            Program::Side(Side::Inner) | Program::Xdp(Side::Inner) => self.inner,
            Program::Side(Side::Outer)
            | Program::Xdp(Side::Outer)
            | Program::Bare
            | Program::BareXdp
            | Program::Local => self.outer,
        };
        let frame = Frame {
            bytes,
            ifindex,
            segment_size: 0,
        };
        Ok(match frames {
            Frames::Held => self.plane.timed_run(program, &frame, repeat)?,
            Frames::Live => self.plane.live_run(program, &frame, repeat)?,
        })
    }

    /// Puts XDP in front of TC on both links, whose other ends drop what they
    /// are sent.
    pub fn accelerate(&mut self) -> Result<(), BenchError> {
        for peer in ["outer1", "inner1"] {
            self.plane.swallow(peer)?;
        }
        let sides = [("outer0", Side::Outer), ("inner0", Side::Inner)];
        self.plane.accelerate(&sides.map(|(interface, side)| Lane {
            interface: interface.to_owned(),
            side,
            attach: Attach::Xdp,
            obstacle: None,
        }))?;
        Ok(())
    }

    /// Packets that XDP translated.
    pub fn accelerated(&self) -> u64 {
        let reasons = self.plane.reasons();
        let found = reasons.iter().find(|count| count.reason == "accelerated");
        found.map_or(0, |count| count.packets)
    }
}

/// What becomes of the frames of a run.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Frames {
    Held,
    Live,
}

impl Drop for World {
    fn drop(&mut self) {
        // What cannot be removed now is named by the next start.
        let _ = DataPlane::remove(&self.name);
    }
}

/// A client's address and port; there are thousands of millions of them.
pub fn client(number: u32) -> SocketAddrV4 {
    const PORTS: u32 = 50_000;
    let address = Ipv4Addr::from(CLIENTS + number / PORTS + 1);
    SocketAddrV4::new(address, (number % PORTS) as u16 + 10_000)
}

/// A server behind the inner link.
pub fn server(number: u32) -> SocketAddrV4 {
    const SERVERS: u32 = 0x0a09_1000;
    SocketAddrV4::new(Ipv4Addr::from(SERVERS + number), 80)
}

/// Name of a data plane of this process.
pub fn plane_name(number: u32) -> String {
    format!("{NAME}{}-{number}", std::process::id())
}

/// A measurement that was interrupted leaves half a gigabyte pinned.
pub fn remove_leftovers() {
    for entry in fs::read_dir(PINS).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let Some(name) = name.to_str() else { continue };
        let Some(own) = name.strip_prefix(NAME) else {
            continue;
        };
        let process = own.split('-').next().unwrap_or(own);
        if process.parse::<u32>().is_ok() && !fs::exists(format!("/proc/{process}")).unwrap_or(true)
        {
            // What cannot be removed is left to the next measurement.
            let _ = DataPlane::remove(name);
        }
    }
}

pub fn refuse_statistics() -> Result<(), BenchError> {
    let value = fs::read_to_string("/proc/sys/kernel/bpf_stats_enabled").unwrap_or_default();
    match value.trim() {
        "1" => Err(BenchError::StatsEnabled),
        _ => Ok(()),
    }
}

fn links() -> Result<(), BenchError> {
    // Router solicitations would be packets that nobody sent. A kernel without
    // IPv6 has none.
    for scope in ["all", "default"] {
        let _ = fs::write(format!("/proc/sys/net/ipv6/conf/{scope}/disable_ipv6"), "1");
    }
    let text = "link set lo up
        link add outer0 address 02:00:00:00:01:01 type veth peer name outer1
        link add inner0 address 02:00:00:00:02:01 type veth peer name inner1
        link set outer0 up\nlink set outer1 up\nlink set inner0 up\nlink set inner1 up
        addr add 198.51.100.1/24 dev outer0
        addr add 10.9.255.1/24 dev inner0
        route add default via 198.51.100.254
        route add 10.9.0.0/16 via 10.9.255.254
        neigh replace 198.51.100.254 lladdr 02:00:00:00:02:01 dev outer0 nud permanent
        neigh replace 10.9.255.254 lladdr 02:00:00:00:01:01 dev inner0 nud permanent";
    for line in text.lines().map(str::trim) {
        let done = Process::new("ip").args(line.split_whitespace()).output();
        let done = done.map_err(|source| BenchError::System {
            doing: "run ip (package iproute2)",
            source,
        })?;
        if !done.status.success() {
            return Err(BenchError::Ip {
                line: line.to_owned(),
                said: String::from_utf8_lossy(&done.stderr).trim().to_owned(),
            });
        }
    }
    fs::write("/proc/sys/net/ipv4/ip_forward", "1").map_err(|source| BenchError::System {
        doing: "switch forwarding on",
        source,
    })
}

fn system(doing: &'static str, error: nix::Error) -> BenchError {
    BenchError::System {
        doing,
        source: error.into(),
    }
}

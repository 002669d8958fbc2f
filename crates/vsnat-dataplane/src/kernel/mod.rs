//! The data plane in the kernel: programs, maps, and where they are pinned.
//!
//! Pins outlive the process: a director that is killed leaves the packet path
//! running, and the next one adopts it.

mod accelerate;
mod attach;
mod error;
mod features;
mod footprint;
mod load;
mod mapping;
mod maps;
mod object;
mod pins;
mod side_by_side;
mod trial;

use aya::Ebpf;
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddrV4};
use std::path::PathBuf;
use vsnat_api::{
    Command, CommandError, ConnectionView, MarkRule, ReasonCount, ServiceKey, ServiceView, Setting,
    Side, SweeperView, TableView,
};

use crate::kernel::maps::KernelMaps;
use crate::kernel::pins::Pins;
use crate::{Backend, BackendError, ExpectError, Limits, Plane, Proxied, StandInError, Timeouts};

pub use accelerate::{Acceleration, Lane, RunBy};
pub use attach::AttachedBy;
pub use error::{AttachError, OpenError, RemoveError};
pub use footprint::MapFootprint;
pub use load::program_infos;
use trial::Frames;
pub use trial::{Frame, Program, Timed};

/// The interface that every network namespace has.
pub const LOOPBACK: &str = "lo";

/// What to open, and how large.
#[derive(Clone, Debug)]
pub struct OpenOptions {
    /// Name of the director: the data plane is pinned under it.
    pub name: String,
    pub limits: Limits,
    /// Another eBPF object than the one that was built in.
    pub object: Option<PathBuf>,
}

/// How an open data plane came to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Nothing was there.
    Loaded,
    /// It was running already. Its programs are replaced when interfaces are
    /// attached; the versions differ if they are of another build.
    Adopted { running: u64, loaded: u64 },
}

/// Size of one program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProgramInfo {
    pub name: String,
    /// Instructions that the verifier followed.
    pub verified_instructions: u32,
    /// Size as the kernel holds it, before compilation.
    pub bytes: u32,
}

/// A data plane in the kernel.
#[derive(Debug)]
pub struct DataPlane {
    plane: Plane<KernelMaps>,
    ebpf: Ebpf,
    pins: Pins,
    version: u64,
    lanes: Vec<Lane>,
    accelerations: Vec<Acceleration>,
}

impl DataPlane {
    /// Loads and pins a data plane, or adopts the one that is pinned.
    pub fn open(options: &OpenOptions) -> Result<(DataPlane, Origin), OpenError> {
        load::open(options)
    }

    /// Whether a data plane of this name is in the kernel.
    pub fn is_pinned(name: &str) -> bool {
        Pins::new(name).exist()
    }

    /// Detaches and unpins everything of this name; nothing there is fine. To
    /// be called in the network namespace of its interfaces.
    pub fn remove(name: &str) -> Result<(), RemoveError> {
        attach::detach_all(&Pins::new(name))?;
        Pins::new(name).remove()
    }

    /// Attaches the program of a side to an interface, in place of an older
    /// version where one is attached.
    pub fn attach(&mut self, interface: &str, side: Side) -> Result<AttachedBy, AttachError> {
        attach::attach(&mut self.ebpf, &self.pins, interface, side)
    }

    /// Attaches to the loopback interface, where the host's own packets to its
    /// own addresses pass.
    pub fn attach_loopback(&mut self) -> Result<AttachedBy, AttachError> {
        attach::attach_program(&mut self.ebpf, &self.pins, LOOPBACK, load::LOCAL)
    }

    /// Puts XDP in front of TC where that is asked for or pays, and takes it
    /// away elsewhere. To be called with every interface that is here, after
    /// [`DataPlane::attach`].
    pub fn accelerate(&mut self, lanes: &[Lane]) -> Result<Vec<Acceleration>, AttachError> {
        let links = self.plane.backend().memory().links;
        let results = accelerate::accelerate(&mut self.ebpf, &self.pins, lanes, &links)?;
        self.lanes = lanes.to_vec();
        self.accelerations.clone_from(&results);
        Ok(results)
    }

    /// Looks at the lanes' MACs and at what their drivers can do now. To be
    /// called every now and then.
    pub fn look_at_lanes(&mut self) {
        if self.accelerations.iter().all(|a| a.run_by.is_none()) {
            return;
        }
        let links = self.plane.backend().memory().links;
        accelerate::look(&self.lanes, &self.accelerations, &links);
    }

    pub fn detach(&mut self, interface: &str) -> Result<(), AttachError> {
        attach::detach(&self.pins, interface)
    }

    pub fn apply(&mut self, command: &Command) -> Result<(), CommandError> {
        self.plane.apply(command)
    }

    pub fn services(&self) -> Vec<ServiceView> {
        self.plane.services()
    }

    /// See [`Plane::services_after`].
    pub fn services_after(&self, last: Option<ServiceKey>, servers: usize) -> Vec<ServiceView> {
        self.plane.services_after(last, servers)
    }

    /// See [`Plane::service_keys`].
    pub fn service_keys(&self) -> impl Iterator<Item = ServiceKey> + '_ {
        self.plane.service_keys()
    }

    /// Connections that the table has room for.
    pub fn capacity(&self) -> u32 {
        self.plane.backend().memory().slots.len()
    }

    pub fn connections(&self) -> Vec<ConnectionView> {
        self.plane.connections()
    }

    /// See [`Plane::connections_from`].
    pub fn connections_from(
        &self,
        first: u32,
        count: u32,
        each: impl FnMut(ConnectionView),
    ) -> Option<u32> {
        self.plane.connections_from(first, count, each)
    }

    pub fn settings(&self) -> Vec<Setting> {
        self.plane.settings()
    }

    pub fn timeouts(&self) -> vsnat_api::Timeouts {
        self.plane.timeouts()
    }

    pub fn marks(&self) -> Vec<MarkRule> {
        self.plane.marks()
    }

    /// See [`Plane::spare_ports`].
    pub fn spare_ports(&mut self, ports: Option<(u16, u16)>) {
        self.plane.spare_ports(ports);
    }

    /// See [`Plane::helped`].
    pub fn helped(&self) -> Vec<SocketAddrV4> {
        self.plane.helped()
    }

    /// See [`Plane::proxied`].
    pub fn proxied(&self, client: SocketAddrV4, virtual_address: SocketAddrV4) -> Option<Proxied> {
        self.plane.proxied(client, virtual_address)
    }

    /// See [`Plane::expect_client`].
    pub fn expect_client(
        &mut self,
        control: &Proxied,
        server_port: u16,
    ) -> Result<u16, ExpectError> {
        self.plane.expect_client(control, server_port)
    }

    /// See [`Plane::expect_server`].
    pub fn expect_server(
        &mut self,
        control: &Proxied,
        client_port: u16,
    ) -> Result<(), ExpectError> {
        self.plane.expect_server(control, client_port)
    }

    pub fn deny(&self) -> Vec<IpNet> {
        self.plane.denied_of_both()
    }

    pub fn set_timeouts(&mut self, timeouts: &Timeouts) {
        self.plane.set_timeouts(timeouts);
    }

    /// See [`Plane::set_own_networks`].
    pub fn set_own_networks(&mut self, networks: &[Ipv4Net]) -> Result<(), BackendError> {
        self.plane.set_own_networks(networks)
    }

    /// See [`Plane::set_sources`].
    pub fn set_sources(&mut self, addresses: &[Ipv4Net]) {
        self.plane.set_sources(addresses);
    }

    /// See [`Plane::forget_next_hops`].
    pub fn forget_next_hops(&mut self) {
        self.plane.forget_next_hops();
    }

    /// See [`Plane::hold_stand_in`].
    pub fn hold_stand_in(&mut self, address: Ipv6Addr) -> Result<Ipv4Addr, StandInError> {
        self.plane.hold_stand_in(address)
    }

    /// See [`Plane::release_stand_in`].
    pub fn release_stand_in(&mut self, address: Ipv6Addr) {
        self.plane.release_stand_in(address);
    }

    /// See [`Plane::stand_in`].
    pub fn stand_in(&self, address: Ipv6Addr) -> Option<Ipv4Addr> {
        self.plane.stand_in(address)
    }

    /// See [`Plane::true_address`].
    pub fn true_address(&self, address: Ipv4Addr) -> IpAddr {
        self.plane.true_address(address)
    }

    /// See [`Plane::denied6`].
    pub fn denied6(&self) -> Result<Vec<Ipv6Net>, BackendError> {
        self.plane.denied6()
    }

    /// See [`Plane::deny6_add`].
    pub fn deny6_add(&mut self, prefix: Ipv6Net) -> Result<(), CommandError> {
        self.plane.deny6_add(prefix)
    }

    /// See [`Plane::deny6_delete`].
    pub fn deny6_delete(&mut self, prefix: Ipv6Net) -> Result<bool, CommandError> {
        self.plane.deny6_delete(prefix)
    }

    /// See [`Plane::set_own_networks6`].
    pub fn set_own_networks6(&mut self, networks: &[Ipv6Net]) -> Result<(), BackendError> {
        self.plane.set_own_networks6(networks)
    }

    /// See [`Plane::set_stand_in_pool`].
    pub fn set_stand_in_pool(&mut self, pool: Ipv4Net) -> Result<(), StandInError> {
        self.plane.set_stand_in_pool(pool)
    }

    /// See [`Plane::set_translation_prefix`].
    pub fn set_translation_prefix(&mut self, prefix: Ipv6Net) -> Result<(), StandInError> {
        self.plane.set_translation_prefix(prefix)
    }

    /// See [`Plane::tend`].
    pub fn tend(&mut self) {
        self.plane.tend();
    }

    pub fn table(&self) -> TableView {
        self.plane.table()
    }

    pub fn reasons(&self) -> Vec<ReasonCount> {
        self.plane.reasons()
    }

    /// Every table and its kernel memory.
    pub fn footprint(&self) -> Result<Vec<MapFootprint>, OpenError> {
        let maps = load::PINNED.iter();
        maps.map(|map| footprint::of_map(&self.pins, map)).collect()
    }

    /// Lets the longest tick be the longest from now on.
    pub fn forget_longest_tick(&self) {
        if let Some(sweep) = self.plane.backend().memory().sweep.at(0) {
            // SAFETY: a valid element, and one aligned word; the sweeper looks
            // at it once at the end of a tick, and only ever makes it larger.
            unsafe { (&raw mut (*sweep).longest_tick_ns).write_volatile(0) }
        }
    }

    pub fn sweeper(&self) -> SweeperView {
        let sweep = self.plane.backend().memory().sweep.read(0);
        let sweep = sweep.unwrap_or_default();
        SweeperView {
            version: sweep.version,
            expected_version: self.version,
            ticks: sweep.ticks,
            expired: sweep.expired,
            longest_tick_us: sweep.longest_tick_ns / 1_000,
        }
    }

    /// Runs the program of a side on a packet, as the kernel's test facility
    /// does: tables change, but nothing is sent. Answers the program's return
    /// value and the packet as it left it.
    pub fn test_run(
        &mut self,
        side: Side,
        frame: &Frame<'_>,
    ) -> Result<(i32, Vec<u8>), AttachError> {
        self.run(Program::Side(side), frame)
    }

    /// The same, with the mark that the packet leaves with.
    pub fn marking_run(
        &mut self,
        program: Program,
        frame: &Frame<'_>,
    ) -> Result<(i32, Vec<u8>, u32), AttachError> {
        trial::run_marking(&mut self.ebpf, program, frame)
    }

    /// The same for any program.
    pub fn run(
        &mut self,
        program: Program,
        frame: &Frame<'_>,
    ) -> Result<(i32, Vec<u8>), AttachError> {
        trial::run(&mut self.ebpf, program, frame)
    }

    /// Several times in a row, and how long a run took. The kernel feeds each
    /// run with the packet as the one before it left it.
    pub fn timed_run(
        &mut self,
        program: Program,
        frame: &Frame<'_>,
        repeat: u32,
    ) -> Result<Timed, AttachError> {
        trial::timed(&mut self.ebpf, program, frame, Frames::Held, repeat)
    }

    /// Lets an interface drop all that arrives, for as long as this is open:
    /// where the frames of [`DataPlane::live_run`] may end.
    pub fn swallow(&mut self, interface: &str) -> Result<(), AttachError> {
        trial::swallow(&mut self.ebpf, interface)
    }

    /// The same for a program of XDP, with frames that really leave.
    pub fn live_run(
        &mut self,
        program: Program,
        frame: &Frame<'_>,
        repeat: u32,
    ) -> Result<Timed, AttachError> {
        trial::timed(&mut self.ebpf, program, frame, Frames::Live, repeat)
    }
}

//! The case table's world in the kernel: a network namespace with two links
//! whose neighbours are known, and the loaded programs run by
//! `BPF_PROG_TEST_RUN`.

use std::fs::File;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddrV4, TcpListener};
use std::process::Command as Process;

use nix::sched::{CloneFlags, setns, unshare};
use vsnat_abi::hop::TO_HOST_MARK;
use vsnat_api::{
    Attach, Command, CommandError, ConnectionView, ReasonCount, ServiceView, SetTimeouts, Setting,
    SettingName, Side,
};
use vsnat_dataplane::{
    DataPlane, ExpectError, Frame, LOOPBACK, Lane, Limits, OpenOptions, Origin, Program, Proxied,
};

use super::{Arriving, Fate, INNER_MTU, LISTENED_PORT, World};

const TC_ACT_UNSPEC: i32 = -1;
const TC_ACT_SHOT: i32 = 2;
const TC_ACT_REDIRECT: i32 = 7;

/// XDP's answers.
pub const XDP_PASS: i32 = 2;
pub const XDP_REDIRECT: i32 = 4;

/// What stands in front of the programs at TC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Front {
    Nothing,
    Xdp,
}

pub struct KernelWorld {
    pub plane: Open,
    front: Front,
    /// The last frame that went up and left no trace: one like it need not be
    /// watched, and cases that send thousands are in a hurry.
    watched: Vec<u8>,
    name: String,
    limits: Limits,
    /// Keeps [`LISTENED_PORT`] busy.
    _listener: TcpListener,
    namespace: File,
    outer: u32,
    inner: u32,
    /// Connections outlive a case: the next one has other addresses.
    case: u8,
}

impl KernelWorld {
    /// Makes a namespace of its own and enters it with the calling thread.
    pub fn new(name: &str, limits: Limits) -> Self {
        assert!(
            nix::unistd::geteuid().is_root(),
            "this test needs root: run it with sudo"
        );
        unshare(CloneFlags::CLONE_NEWNET).unwrap();
        let namespace = File::open("/proc/thread-self/ns/net").unwrap();
        links();
        let name = format!("{name}-{}", std::process::id());
        let options = OpenOptions {
            name: name.clone(),
            limits,
            object: None,
        };
        let (mut plane, _) = DataPlane::open(&options).unwrap_or_else(|error| panic!("{error}"));
        plane.set_own_networks(&[]).unwrap();
        KernelWorld {
            plane: Open(Some(plane)),
            front: Front::Nothing,
            watched: Vec::new(),
            name,
            limits,
            _listener: TcpListener::bind((Ipv4Addr::UNSPECIFIED, LISTENED_PORT)).unwrap(),
            namespace,
            outer: index("outer0"),
            inner: index("inner0"),
            case: 0,
        }
    }

    /// The same with XDP in front of TC on both links.
    pub fn with_xdp(name: &str, limits: Limits) -> Self {
        let mut world = KernelWorld::new(name, limits);
        world.front = Front::Xdp;
        for peer in ["outer1", "inner1"] {
            // What is redirected into a veth is lost unless its peer polls.
            world.plane.swallow(peer).unwrap();
        }
        let results = world.plane.accelerate(&lanes(Attach::Xdp));
        results.unwrap_or_else(|error| panic!("{error}"));
        world
    }

    /// Empties the world for the next case, on whatever thread that runs.
    pub fn enter(&mut self) {
        setns(&self.namespace, CloneFlags::CLONE_NEWNET).unwrap();
        self.plane.apply(&Command::Clear).unwrap();
        for prefix in self.plane.deny() {
            self.plane.apply(&Command::DenyDelete(prefix)).unwrap();
        }
        self.plane.set_own_networks(&[]).unwrap();
        for rule in self.plane.marks() {
            self.plane.apply(&Command::MarkDelete(rule)).unwrap();
        }
        for name in SettingName::ALL {
            let setting = Setting::new(name, name.default_value()).unwrap();
            self.plane.apply(&Command::Set(setting)).unwrap();
        }
        let timeouts = SetTimeouts {
            tcp_s: 900,
            tcp_fin_s: 120,
            udp_s: 300,
        };
        self.plane.apply(&Command::SetTimeouts(timeouts)).unwrap();
        self.plane.spare_ports(None);
        self.case += 1;
    }
}

/// The open data plane, or the gap that its closing leaves.
pub struct Open(Option<DataPlane>);

impl std::ops::Deref for Open {
    type Target = DataPlane;

    fn deref(&self) -> &DataPlane {
        self.0.as_ref().expect("the data plane is closed")
    }
}

impl std::ops::DerefMut for Open {
    fn deref_mut(&mut self) -> &mut DataPlane {
        self.0.as_mut().expect("the data plane is closed")
    }
}

/// Everything that a packet may change.
#[derive(PartialEq, Eq)]
struct State {
    reasons: Vec<ReasonCount>,
    services: Vec<ServiceView>,
    /// Without their deadlines.
    connections: Vec<ConnectionView>,
}

impl KernelWorld {
    pub fn frame<'a>(&self, side: Side, frame: &'a Arriving) -> Frame<'a> {
        Frame {
            bytes: &frame.bytes,
            ifindex: match side {
                Side::Outer => self.outer,
                Side::Inner => self.inner,
            },
            segment_size: frame.segment_size,
        }
    }

    fn run_at_tc(&mut self, program: Program, frame: &Frame<'_>) -> (Fate, Vec<u8>) {
        let (action, bytes, mark) = self
            .plane
            .marking_run(program, frame)
            .unwrap_or_else(|e| panic!("{e}"));
        let fate = match action {
            TC_ACT_UNSPEC if mark == TO_HOST_MARK => Fate::ToHost,
            TC_ACT_UNSPEC => Fate::Pass,
            TC_ACT_SHOT => Fate::Drop,
            TC_ACT_REDIRECT => Fate::Sent,
            other => panic!("the program answered {other}"),
        };
        (fate, bytes)
    }

    fn state(&self) -> State {
        let connections = self.connections().into_iter();
        State {
            reasons: self.plane.reasons(),
            services: self.plane.services(),
            connections: connections
                .map(|c| ConnectionView { expires_ms: 0, ..c })
                .collect(),
        }
    }

    /// What XDP sends on. What it does not, it has not touched, nor anything
    /// else.
    fn in_front(&mut self, side: Side, frame: &Arriving) -> Option<Vec<u8>> {
        if frame.segment_size != 0 {
            // Frames are not merged yet when XDP sees them.
            return None;
        }
        let is_watched = self.watched != frame.bytes;
        let before = is_watched.then(|| self.state());
        let trial = self.frame(side, frame);
        let run = self.plane.run(Program::Xdp(side), &trial);
        let (action, bytes) = run.unwrap_or_else(|error| panic!("{error}"));
        match action {
            XDP_REDIRECT => return Some(bytes),
            XDP_PASS => {}
            other => panic!("the program in front answered {other}"),
        }
        assert_eq!(bytes, frame.bytes, "what goes up keeps every byte");
        if let Some(before) = before {
            assert!(self.state() == before, "what goes up leaves no trace");
            self.watched.clone_from(&frame.bytes);
        }
        None
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// Lets go of everything, as a director that dies does: no descriptor of a
    /// map, a program or a link is left.
    pub fn close(&mut self) {
        self.plane.0 = None;
    }

    pub fn reopen(&mut self, options: &OpenOptions) -> Origin {
        let opened = DataPlane::open(options);
        let (plane, origin) = opened.unwrap_or_else(|error| panic!("{error}"));
        self.plane.0 = Some(plane);
        origin
    }
}

impl Drop for KernelWorld {
    fn drop(&mut self) {
        DataPlane::remove(&self.name).unwrap();
    }
}

fn links() {
    // Router solicitations would be packets that nobody sent.
    for scope in ["all", "default"] {
        let key = format!("/proc/sys/net/ipv6/conf/{scope}/disable_ipv6");
        if std::fs::exists(&key).unwrap() {
            std::fs::write(key, "1").unwrap();
        }
    }
    let text = format!(
        "link set lo up
         link add outer0 address 02:00:00:00:01:01 type veth peer name outer1
         link add inner0 address 02:00:00:00:02:01 mtu {INNER_MTU} type veth peer name inner1
         link set outer0 up\nlink set outer1 up\nlink set inner0 up\nlink set inner1 up
         addr add 198.51.100.1/24 dev outer0
         addr add 10.9.0.1/24 dev inner0
         route add default via 198.51.100.254
         neigh replace 198.51.100.254 lladdr 02:00:00:00:01:fe dev outer0 nud permanent
         neigh replace 10.9.0.11 lladdr 02:00:00:00:02:11 dev inner0 nud permanent
         neigh replace 10.9.0.12 lladdr 02:00:00:00:02:11 dev inner0 nud permanent
         neigh replace 10.9.0.13 lladdr 02:00:00:00:02:11 dev inner0 nud permanent"
    );
    for line in text.lines() {
        let done = Process::new("ip").args(line.split_whitespace()).status();
        assert!(done.unwrap().success(), "ip {line}");
    }
    std::fs::write("/proc/sys/net/ipv4/ip_forward", "1").unwrap();
    links_of_ipv6();
}

/// The director's ends speak IPv6 too; their neighbours are known.
fn links_of_ipv6() {
    for interface in ["outer0", "inner0"] {
        let settings = [
            ("addr_gen_mode", "1"),
            ("accept_ra", "0"),
            ("disable_ipv6", "0"),
        ];
        for (key, value) in settings {
            let path = format!("/proc/sys/net/ipv6/conf/{interface}/{key}");
            std::fs::write(path, value).unwrap();
        }
    }
    let text = "addr add 2001:db8:1::1/64 dev outer0 nodad
         addr add 2001:db8:9::1/64 dev inner0 nodad
         neigh replace 2001:db8:1::fe lladdr 02:00:00:00:01:fe dev outer0 nud permanent
         neigh replace 2001:db8:9::11 lladdr 02:00:00:00:02:11 dev inner0 nud permanent
         -6 route add default via 2001:db8:1::fe dev outer0";
    for line in text.lines() {
        let done = Process::new("ip").args(line.split_whitespace()).status();
        assert!(done.unwrap().success(), "ip {line}");
    }
    std::fs::write("/proc/sys/net/ipv6/conf/all/forwarding", "1").unwrap();
}

/// Both links, with the same wish for each.
pub fn lanes(attach: Attach) -> [Lane; 2] {
    [("outer0", Side::Outer), ("inner0", Side::Inner)].map(|(interface, side)| Lane {
        interface: interface.to_owned(),
        side,
        attach,
        obstacle: None,
    })
}

fn index(interface: &str) -> u32 {
    nix::net::if_::if_nametoindex(interface).unwrap()
}

impl World for KernelWorld {
    fn run(&mut self, side: Side, frame: &Arriving) -> (Fate, Vec<u8>) {
        if self.front == Front::Xdp
            && let Some(bytes) = self.in_front(side, frame)
        {
            return (Fate::Sent, bytes);
        }
        let frame = self.frame(side, frame);
        self.run_at_tc(Program::Side(side), &frame)
    }

    fn run_local(&mut self, frame: &Arriving) -> (Fate, Vec<u8>) {
        let frame = Frame {
            bytes: &frame.bytes,
            ifindex: index(LOOPBACK),
            segment_size: frame.segment_size,
        };
        self.run_at_tc(Program::Local, &frame)
    }

    fn apply(&mut self, command: &Command) -> Result<(), CommandError> {
        self.plane.apply(command)
    }

    fn services(&self) -> Vec<ServiceView> {
        self.plane.services()
    }

    /// Those of this case's clients.
    fn connections(&self) -> Vec<ConnectionView> {
        let all = self.plane.connections().into_iter();
        all.filter(|c| {
            let IpAddr::V4(client) = c.client.ip() else {
                return false;
            };
            client.octets()[..3] == self.client()[..3]
        })
        .collect()
    }

    fn count(&self, reason: &str) -> u64 {
        let reasons = self.plane.reasons();
        reasons.iter().find(|r| r.reason == reason).unwrap().packets
    }

    fn set_own_networks(&mut self, networks: &[&str]) {
        let networks: Vec<_> = networks.iter().map(|n| n.parse().unwrap()).collect();
        self.plane.set_own_networks(&networks).unwrap();
    }

    fn set_sources(&mut self, addresses: &[&str]) {
        let addresses: Vec<_> = addresses.iter().map(|n| n.parse().unwrap()).collect();
        self.plane.set_sources(&addresses);
    }

    fn let_icmp_recover(&mut self) {
        std::thread::sleep(std::time::Duration::from_millis(200));
    }

    fn client(&self) -> [u8; 4] {
        [100, 64, self.case, 5]
    }

    fn client6(&self) -> [u8; 16] {
        [
            0x20, 1, 0xd, 0xb8, 0xc, self.case, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5,
        ]
    }

    fn vip6(&self) -> [u8; 16] {
        [
            0x20, 1, 0xd, 0xb8, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, self.case,
        ]
    }

    fn hold_stand_in(&mut self, address: Ipv6Addr) -> Ipv4Addr {
        self.plane.hold_stand_in(address).unwrap()
    }

    fn deny6_add(&mut self, network: &str) {
        self.plane.deny6_add(network.parse().unwrap()).unwrap();
    }

    fn deny6_delete(&mut self, network: &str) {
        assert!(self.plane.deny6_delete(network.parse().unwrap()).unwrap());
    }

    fn set_own_networks6(&mut self) {
        self.plane.set_own_networks6(&[]).unwrap();
    }

    fn true_address(&self, address: [u8; 4]) -> IpAddr {
        self.plane.true_address(address.into())
    }

    fn vip(&self) -> [u8; 4] {
        [198, 51, 100, 10 + self.case]
    }

    fn interface(&self, side: Side) -> &'static str {
        match side {
            Side::Outer => "outer0",
            Side::Inner => "inner0",
        }
    }

    fn spare_ports(&mut self, ports: Option<(u16, u16)>) {
        self.plane.spare_ports(ports);
    }

    fn proxied(&self, client: SocketAddrV4, virtual_address: SocketAddrV4) -> Option<Proxied> {
        self.plane.proxied(client, virtual_address)
    }

    fn expect_client(&mut self, control: &Proxied, server_port: u16) -> Result<u16, ExpectError> {
        self.plane.expect_client(control, server_port)
    }

    fn expect_server(&mut self, control: &Proxied, client_port: u16) -> Result<(), ExpectError> {
        self.plane.expect_server(control, client_port)
    }

    fn restart(&mut self) {
        let options = OpenOptions {
            name: self.name.clone(),
            limits: self.limits,
            object: None,
        };
        self.close();
        self.reopen(&options);
    }
}

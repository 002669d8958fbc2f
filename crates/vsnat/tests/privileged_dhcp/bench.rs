//! A director with an outer link and an inner one: a bridge with clients.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use vsnat_api::{DhcpLease, DhcpLeaseState, DhcpLeases};

/// Loading means verifying, which takes long on an emulated machine, and so
/// does the look for other servers.
const PATIENCE: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(50);

pub const DIRECTOR: &str = "10.0.100.1";

/// A pool for a few clients.
pub const USUAL: &str = "\
[dhcp]
dns = [\"10.0.100.2\"]
[[dhcp.network]]
network = \"10.0.100.0/24\"
pools = [\"10.0.100.100-10.0.100.199\"]
";

static COUNT: AtomicU32 = AtomicU32::new(0);
/// Clients wait for seconds; one scenario at a time, whatever starts them.
static TURN: Mutex<()> = Mutex::new(());

/// Namespaces for the director, its links and its clients.
pub struct Bench {
    pub name: String,
    pub folder: PathBuf,
    clients: usize,
    _turn: MutexGuard<'static, ()>,
}

impl Bench {
    pub fn new(clients: usize) -> Self {
        assert!(
            nix::unistd::geteuid().is_root(),
            "this test makes network namespaces and needs root: run it with sudo"
        );
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("dh-{}-{count}", std::process::id());
        let folder = std::env::temp_dir().join(&name);
        fs::create_dir_all(&folder).unwrap();
        let bench = Bench {
            name,
            folder,
            clients,
            _turn: turn,
        };
        bench.build();
        bench
    }

    fn build(&self) {
        for namespace in self.namespaces() {
            ip(&format!("netns add {namespace}"));
            ip(&format!("-n {namespace} link set lo up"));
        }
        let (director, outer, lan) = (self.director(), self.outer(), self.lan());
        ip(&format!("-n {lan} link add br0 type bridge"));
        ip(&format!("-n {lan} link set br0 up"));
        ip(&format!(
            "-n {director} link add eth0 type veth peer name eth0 netns {outer}"
        ));
        ip(&format!("-n {director} link set eth0 up"));
        ip(&format!("-n {outer} link set eth0 up"));
        self.plug(&director, "eth1", "director");
        ip(&format!("-n {director} address add {DIRECTOR}/24 dev eth1"));
        for number in 0..self.clients {
            self.plug(&self.client(number), "eth0", &format!("port{number}"));
        }
    }

    /// Connects a namespace with the inner link.
    pub fn plug(&self, namespace: &str, interface: &str, port: &str) {
        let lan = self.lan();
        ip(&format!(
            "-n {namespace} link add {interface} type veth peer name {port} netns {lan}"
        ));
        ip(&format!("-n {lan} link set {port} master br0 up"));
        ip(&format!("-n {namespace} link set {interface} up"));
    }

    fn namespaces(&self) -> Vec<String> {
        let clients = (0..self.clients).map(|number| self.client(number));
        let fixed = [self.director(), self.outer(), self.lan()];
        fixed.into_iter().chain(clients).collect()
    }

    pub fn director(&self) -> String {
        format!("{}-d", self.name)
    }

    pub fn outer(&self) -> String {
        format!("{}-o", self.name)
    }

    /// Where the bridge is.
    pub fn lan(&self) -> String {
        format!("{}-l", self.name)
    }

    pub fn client(&self, number: usize) -> String {
        format!("{}-c{number}", self.name)
    }

    pub fn write(&self, dhcp: &str) {
        let name = &self.name;
        let text = format!(
            "[director]\nname = \"{name}\"\nouter = \"eth0\"\ninner = [\"eth1\"]\n\
             vips = [\"192.168.28.167/24\"]\n{dhcp}\n"
        );
        fs::write(self.folder.join("director.toml"), text).unwrap();
    }

    fn run_command(&self) -> Command {
        let mut run = Command::new(env!("CARGO_BIN_EXE_vsnat"));
        run.args(["run", "--netns", &self.director(), "--config"]);
        run.arg(self.folder.join("director.toml"));
        run.env("VSNAT_LOG", "info,vsnat_director=debug");
        run
    }

    /// Starts a director and waits until it answers.
    pub fn start(&self) -> Running {
        let mut director = Running::start(&mut self.run_command(), self.folder.join("log"));
        let deadline = Instant::now() + PATIENCE;
        while !self.vsnat(&["status"]).status.success() {
            let ended = director.child.try_wait().unwrap();
            assert_eq!(ended, None, "{}", director.log());
            assert!(Instant::now() < deadline, "{}", director.log());
            thread::sleep(POLL);
        }
        director
    }

    /// Starts a director that is to fail, and gives what it says.
    #[track_caller]
    pub fn refused(&self) -> String {
        let output = self.run_command().output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success(), "{said}");
        said
    }

    /// Runs a client of the director's API.
    pub fn vsnat(&self, words: &[&str]) -> Output {
        let mut client = Command::new(env!("CARGO_BIN_EXE_vsnat"));
        client.args(words).args(["--name", &self.name]);
        client.output().unwrap()
    }

    #[track_caller]
    pub fn leases(&self) -> DhcpLeases {
        let output = self.vsnat(&["dhcp", "leases", "--json"]);
        assert!(output.status.success(), "{output:?}");
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// The lease of a client that has one, or had.
    pub fn lease_of(&self, client: usize) -> Option<DhcpLease> {
        let mac = self.mac_of(client);
        let mut leases = self.leases().leases.into_iter();
        leases.find(|lease| lease.mac == mac && lease.state != DhcpLeaseState::Withdrawn)
    }

    /// The address of a client's active lease.
    pub fn leased_to(&self, client: usize) -> Option<String> {
        let lease = self.lease_of(client)?;
        let is_active = lease.state == DhcpLeaseState::Active;
        is_active.then(|| lease.address.to_string())
    }

    pub fn mac_of(&self, client: usize) -> String {
        let mac = self.inside(&self.client(client), "cat /sys/class/net/eth0/address");
        mac.trim().to_owned()
    }

    /// What a command prints in a namespace.
    pub fn inside(&self, namespace: &str, command: &str) -> String {
        let words: Vec<&str> = command.split_whitespace().collect();
        let output = exec(namespace, &words).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    }

    /// Where the director keeps its leases.
    pub fn file_of_leases(&self) -> PathBuf {
        PathBuf::from(format!("/var/lib/vsnat/{}.leases", self.name))
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        self.vsnat(&["down"]);
        for namespace in self.namespaces() {
            end_all(&namespace);
            let _ = Command::new("ip")
                .args(["netns", "del", &namespace])
                .status();
        }
        let _ = fs::remove_file(self.file_of_leases());
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// A process and its log; it is killed when this is dropped.
pub struct Running {
    child: Child,
    log: PathBuf,
}

impl Running {
    pub fn start(command: &mut Command, log: PathBuf) -> Self {
        let file = fs::File::create(&log).unwrap();
        let copy = file.try_clone().unwrap();
        let child = command
            .stdin(Stdio::null())
            .stdout(file)
            .stderr(copy)
            .spawn()
            .unwrap();
        Running { child, log }
    }

    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    pub fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).unwrap());
        kill(pid, signal).unwrap();
    }

    /// Sends a signal and waits for the end.
    pub fn end(mut self, signal: Signal) {
        self.signal(signal);
        self.child.wait().unwrap();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits until something is so.
#[track_caller]
pub fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "never so: {what}");
        thread::sleep(POLL);
    }
}

/// Ends whatever runs in a namespace: dhcpcd leaves helpers behind when it is
/// killed.
fn end_all(namespace: &str) {
    let listed = Command::new("ip")
        .args(["netns", "pids", namespace])
        .output();
    let listed = listed.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    for pid in listed.unwrap_or_default().split_whitespace() {
        if let Ok(pid) = pid.parse() {
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
    }
}

/// A command in a namespace.
pub fn exec(namespace: &str, words: &[&str]) -> Command {
    let mut command = Command::new("ip");
    command.args(["netns", "exec", namespace]).args(words);
    command
}

pub fn ip(words: &str) {
    let output = Command::new("ip")
        .args(words.split_whitespace())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "ip {words}: {said}");
}

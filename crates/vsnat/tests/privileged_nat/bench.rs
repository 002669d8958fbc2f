//! A director with an outer link and two inner networks of one host each.

use std::fs;
use std::fs::File;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use nix::sched::{CloneFlags, setns};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use vsnat_api::Nat;

/// Loading means verifying, which takes long on an emulated machine.
const PATIENCE: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(20);

/// A connection that is not answered by then is not going to be.
const CONNECT: Duration = Duration::from_secs(2);

pub const CLIENT: &str = "192.168.28.1";
pub const HOSTS: [&str; 2] = ["10.0.100.11", "10.0.101.11"];

static COUNT: AtomicU32 = AtomicU32::new(0);

/// Namespaces for the director, the outer side and two hosts inside.
pub struct Bench {
    pub name: String,
    folder: PathBuf,
}

impl Bench {
    pub fn new() -> Self {
        assert!(
            nix::unistd::geteuid().is_root(),
            "this test makes network namespaces and needs root: run it with sudo"
        );
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("vn-{}-{count}", std::process::id());
        let folder = std::env::temp_dir().join(&name);
        fs::create_dir_all(&folder).unwrap();
        let bench = Bench { name, folder };
        bench.build();
        bench
    }

    fn build(&self) {
        for namespace in self.namespaces() {
            ip(&format!("netns add {namespace}"));
            ip(&format!("-n {namespace} link set lo up"));
        }
        let director = self.director();
        let others = [self.outside(), self.host(0), self.host(1)];
        for (number, other) in others.iter().enumerate() {
            ip(&format!(
                "-n {director} link add eth{number} type veth peer name eth0 netns {other}"
            ));
            ip(&format!("-n {director} link set eth{number} up"));
            ip(&format!("-n {other} link set eth0 up"));
        }
        ip(&format!("-n {director} address add 10.0.100.1/24 dev eth1"));
        ip(&format!("-n {director} address add 10.0.101.1/24 dev eth2"));
        ip(&format!(
            "-n {} address add {CLIENT}/24 dev eth0",
            self.outside()
        ));
        for (number, address) in HOSTS.iter().enumerate() {
            let host = self.host(number);
            ip(&format!("-n {host} address add {address}/24 dev eth0"));
            ip(&format!(
                "-n {host} route add default via 10.0.10{number}.1"
            ));
        }
    }

    fn namespaces(&self) -> [String; 4] {
        [self.director(), self.outside(), self.host(0), self.host(1)]
    }

    pub fn director(&self) -> String {
        format!("{}-d", self.name)
    }

    pub fn outside(&self) -> String {
        format!("{}-o", self.name)
    }

    pub fn host(&self, number: usize) -> String {
        format!("{}-s{number}", self.name)
    }

    pub fn write(&self, rest: &str) {
        let name = &self.name;
        let text = format!(
            "[director]\nname = \"{name}\"\nouter = \"eth0\"\ninner = [\"eth1\", \"eth2\"]\n\
             vips = [\"192.168.28.167/24\", \"192.168.28.168/24\"]\n{rest}\n"
        );
        fs::write(self.folder.join("director.toml"), text).unwrap();
    }

    fn run_command(&self) -> Command {
        let mut run = Command::new(env!("CARGO_BIN_EXE_vsnat"));
        run.args(["run", "--netns", &self.director(), "--config"]);
        run.arg(self.folder.join("director.toml"));
        run.env_remove("VSNAT_LOG");
        run
    }

    /// Starts a director and waits until it answers.
    pub fn start(&self) -> Director {
        let log = self.folder.join("log");
        let mut run = self.run_command();
        let run = run
            .stdout(Stdio::null())
            .stderr(File::create(&log).unwrap());
        let child = run.spawn().unwrap();
        let mut director = Director { child, log };
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

    /// Runs a client of this director.
    pub fn vsnat(&self, words: &[&str]) -> Output {
        let mut client = Command::new(env!("CARGO_BIN_EXE_vsnat"));
        client
            .args(words)
            .args(["--name", &self.name])
            .output()
            .unwrap()
    }

    #[track_caller]
    pub fn nat(&self) -> Nat {
        let output = self.vsnat(&["nat", "--json"]);
        assert!(output.status.success(), "{output:?}");
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// Runs ipvsadm and gives all it printed.
    pub fn ipvsadm(&self, words: &str) -> String {
        let mut client = Command::new(env!("CARGO_BIN_EXE_vsnat"));
        client.arg("ipvsadm").args(words.split_whitespace());
        client.env("VSNAT_SOCKET", format!("/run/vsnat/{}.sock", self.name));
        let Output { stdout, stderr, .. } = client.output().unwrap();
        String::from_utf8([stdout, stderr].concat()).unwrap()
    }

    /// The director's nftables.
    pub fn ruleset(&self) -> String {
        let mut nft = Command::new("ip");
        nft.args(["netns", "exec", &self.director(), "nft", "list", "ruleset"]);
        String::from_utf8(nft.output().unwrap().stdout).unwrap()
    }

    /// Listens in a namespace, and gives the clients that so many connections
    /// to `to` from another one are seen to have; they stay open in `held`.
    #[track_caller]
    pub fn seen(&self, listening: (&str, &str), from: &str, to: &str) -> Vec<SocketAddr> {
        const CONNECTIONS: usize = 4;
        let (namespace, address) = listening;
        let address = address.to_owned();
        let (ready, is_ready) = mpsc::channel();
        let listener = within(namespace, move || {
            let listener = TcpListener::bind(&address).unwrap();
            ready.send(()).unwrap();
            listener.set_nonblocking(true).unwrap();
            let deadline = Instant::now() + PATIENCE;
            let mut seen = Vec::new();
            while seen.len() < CONNECTIONS {
                match listener.accept() {
                    Ok((_stream, client)) => seen.push(client),
                    Err(_) => thread::sleep(POLL),
                }
                assert!(Instant::now() < deadline, "only {seen:?} came");
            }
            seen
        });
        is_ready.recv().unwrap();
        let to: SocketAddr = to.parse().unwrap();
        let clients = within(from, move || {
            let connect = |_| TcpStream::connect_timeout(&to, CONNECT).unwrap();
            (0..CONNECTIONS).map(connect).collect::<Vec<_>>()
        });
        let streams = clients.join().unwrap();
        let seen = listener.join().unwrap();
        drop(streams);
        seen
    }

    /// Whether somebody accepts a connection.
    pub fn connects(&self, from: &str, to: &str) -> bool {
        let to: SocketAddr = to.parse().unwrap();
        let connected = within(from, move || {
            TcpStream::connect_timeout(&to, CONNECT).is_ok()
        });
        connected.join().unwrap()
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        self.vsnat(&["down"]);
        for namespace in self.namespaces() {
            let _ = Command::new("ip")
                .args(["netns", "del", &namespace])
                .status();
        }
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// A director's process; it is killed when this is dropped.
pub struct Director {
    child: Child,
    log: PathBuf,
}

impl Director {
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }

    /// Sends a signal and waits for the end.
    pub fn end(mut self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).unwrap());
        kill(pid, signal).unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Director {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs something on a thread in a network namespace.
pub fn within<T: Send + 'static>(
    namespace: &str,
    call: impl FnOnce() -> T + Send + 'static,
) -> thread::JoinHandle<T> {
    let file = File::open(format!("/run/netns/{namespace}")).unwrap();
    thread::spawn(move || {
        setns(file, CloneFlags::CLONE_NEWNET).unwrap();
        call()
    })
}

pub fn ip(words: &str) {
    let words: Vec<&str> = words.split_whitespace().collect();
    let output = Command::new("ip").args(&words).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "ip {words:?}: {said}");
}

//! A host with an outer and an inner interface, and directors on it.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// Loading means verifying, which takes long on an emulated machine.
const PATIENCE: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(20);

static COUNT: AtomicU32 = AtomicU32::new(0);

pub const SERVICE: &str = "\
[[service]]
protocol = \"tcp\"
address = \"192.168.28.167:8080\"
scheduler = \"rr\"
  [[service.server]]
  address = \"10.0.100.11\"
";

/// A namespace as the director's host, and one with its neighbours.
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
        let name = format!("vsnat-dt-{}-b{count}", std::process::id());
        let folder = std::env::temp_dir().join(&name);
        fs::create_dir_all(&folder).unwrap();
        let bench = Bench { name, folder };
        bench.build();
        bench
    }

    pub fn build(&self) {
        for namespace in [self.name.clone(), self.neighbours()] {
            ip(&format!("netns add {namespace}"));
            ip(&format!("-n {namespace} link set lo up"));
        }
        self.add_interface("eth0");
        self.add_interface("eth1");
        self.ip("address add 10.0.100.1/24 dev eth1 broadcast +");
    }

    /// A veth pair whose other end is with the neighbours.
    pub fn add_interface(&self, name: &str) {
        let neighbours = self.neighbours();
        self.ip(&format!(
            "link add {name} type veth peer name {name} netns {neighbours}"
        ));
        for namespace in [&self.name, &neighbours] {
            ip(&format!(
                "-n {namespace} link set {name} up addrgenmode none"
            ));
        }
    }

    pub fn neighbours(&self) -> String {
        format!("{}-n", self.name)
    }

    pub fn ip(&self, words: &str) {
        ip(&format!("-n {} {words}", self.name));
    }

    /// Writes the director's file.
    pub fn write(&self, director: &str, rest: &str) -> PathBuf {
        let path = self.folder.join("director.toml");
        let name = &self.name;
        let text = format!(
            "[director]\nname = \"{name}\"\nouter = \"eth0\"\ninner = [\"eth1\"]\n\
             vips = [\"192.168.28.167/24\", \"192.168.28.168/24\"]\n{director}\n{rest}\n"
        );
        fs::write(&path, text).unwrap();
        path
    }

    /// Writes a file with other VIPs and no service.
    pub fn write_vips(&self, vips: &str, director: &str) {
        let name = &self.name;
        let text = format!(
            "[director]\nname = \"{name}\"\nouter = \"eth0\"\ninner = [\"eth1\"]\n\
             vips = [{vips}]\n{director}\n"
        );
        fs::write(self.folder.join("director.toml"), text).unwrap();
    }

    /// Starts a director and waits until it answers.
    pub fn start(&self) -> Director {
        let mut director = self.spawn();
        let deadline = Instant::now() + PATIENCE;
        while !self.vsnat(&["status"]).status.success() {
            let ended = director.child.try_wait().unwrap();
            assert_eq!(ended, None, "{}", director.log());
            assert!(Instant::now() < deadline, "{}", director.log());
            thread::sleep(POLL);
        }
        director
    }

    /// Starts a director and does not wait.
    pub fn spawn(&self) -> Director {
        let log = self.log_file();
        let child = self
            .run_command()
            .stdout(Stdio::null())
            .stderr(fs::File::create(&log).unwrap())
            .spawn()
            .unwrap();
        Director { child, log }
    }

    pub fn log_file(&self) -> PathBuf {
        self.folder.join("log")
    }

    /// Starts a director that is to fail, and gives what it says.
    #[track_caller]
    pub fn refused(&self) -> String {
        let output = self.run_command().output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success(), "{said}");
        said
    }

    pub fn run_command(&self) -> Command {
        let mut run = Command::new(env!("CARGO_BIN_EXE_vsnat"));
        run.args(["run", "--netns", &self.name, "--config"]);
        run.arg(self.folder.join("director.toml"));
        run.env_remove("VSNAT_LOG");
        run
    }

    /// Runs a client of this director.
    pub fn vsnat(&self, words: &[&str]) -> Output {
        let mut client = Command::new(env!("CARGO_BIN_EXE_vsnat"));
        let output = client.args(words).args(["--name", &self.name]).output();
        output.unwrap()
    }

    #[track_caller]
    pub fn down(&self) -> String {
        let output = self.vsnat(&["down"]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{said}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Runs ipvsadm and gives its exit code and all it printed.
    pub fn ipvsadm(&self, words: &str) -> (i32, String) {
        let mut client = Command::new(env!("CARGO_BIN_EXE_vsnat"));
        client.arg("ipvsadm").args(words.split_whitespace());
        client.env("VSNAT_SOCKET", format!("/run/vsnat/{}.sock", self.name));
        let Output {
            status,
            stdout,
            stderr,
        } = client.output().unwrap();
        let text = [stdout, stderr].concat();
        (status.code().unwrap(), String::from_utf8(text).unwrap())
    }

    /// How many interfaces have an XDP program.
    pub fn xdp_programs(&self) -> usize {
        let links = self.inside("ip -details -oneline link show");
        links.matches("prog/xdp").count()
    }

    /// Gives nftables rules to the director's host.
    pub fn nft(&self, rules: &str) {
        let mut nft = Command::new("ip");
        let nft = nft.args(["netns", "exec", &self.name, "nft", rules]);
        assert!(nft.status().unwrap().success(), "nft {rules}");
    }

    /// Runs `ip` among the neighbours.
    pub fn in_neighbours(&self, words: &str) {
        ip(&format!("-n {} {words}", self.neighbours()));
    }

    pub fn inside(&self, command: &str) -> String {
        let words: Vec<&str> = command.split_whitespace().collect();
        let output = Command::new("ip")
            .args(["netns", "exec", &self.name])
            .args(words)
            .output();
        String::from_utf8(output.unwrap().stdout).unwrap()
    }

    /// Everything a director may change on its host, its pins and files too.
    pub fn snapshot(&self) -> String {
        let inside = |command: &str| self.inside(command);
        let switches = inside("sysctl -a");
        let switches = switches.lines().filter(|line| {
            let ours = line.contains("ipv4") && line.contains("forward");
            ours || line.contains("promote_secondaries") || line.contains("ipv4.neigh.eth1")
        });
        let mut text = inside("ip -oneline address show");
        text += &inside("ip route show table all");
        text += &inside("tc filter show dev eth0 ingress");
        text += &inside("nft list ruleset");
        text += &switches.collect::<Vec<_>>().join("\n");
        text += &format!("\n{} programs of XDP", self.xdp_programs());
        for left in [
            format!("/sys/fs/bpf/vsnat/{}", self.name),
            format!("/run/vsnat/{}.state.json", self.name),
            format!("/run/vsnat/{}.state.next", self.name),
            format!("/run/vsnat/{}.sock", self.name),
            format!("/run/vsnat/{}.lock", self.name),
        ] {
            let there = fs::exists(&left).unwrap();
            text += &format!("\n{left}: {there}");
        }
        text
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        self.vsnat(&["down"]);
        for namespace in [self.name.clone(), self.neighbours()] {
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

    /// Sends a signal and waits for the end; gives the exit code, if there is one.
    pub fn end(&mut self, signal: Signal) -> Option<i32> {
        self.signal(signal);
        self.child.wait().unwrap().code()
    }

    pub fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).unwrap());
        kill(pid, signal).unwrap();
    }
}

impl Drop for Director {
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

fn ip(words: &str) {
    let output = Command::new("ip")
        .args(words.split_whitespace())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "ip {words}: {said}");
}

//! nginx in a network namespace of its own, and programs that load it.

use std::collections::BTreeMap;
use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use vsnat_lab::Namespace;

pub const DOCUMENT_BYTES: u64 = 4100;
pub const URL: &str = "http://198.51.100.1:8080/document?x=1";
const ADDRESS: ([u8; 4], u16) = ([198, 51, 100, 1], 8080);
/// All of these are the namespace's own.
pub const SOURCES: &str = "198.51.100.16/28";

const NGINX: &str = "usr/sbin/nginx";
/// Where `cargo xtask` unpacks packages rather than installs them: they would
/// start services.
const UNPACKED: [&str; 2] = ["others", "peers"];
const READY_PATIENCE: Duration = Duration::from_secs(10);
const LOG_PATIENCE: Duration = Duration::from_secs(5);

/// One load at a time: each is compared with another.
static TURN: Mutex<()> = Mutex::new(());

/// A running nginx. Dropping it stops it and removes the namespace.
pub struct Site {
    namespace: Namespace,
    folder: PathBuf,
    nginx: Child,
    _turn: MutexGuard<'static, ()>,
}

/// What nginx has written down.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Log {
    pub requests: u64,
    pub connections: u64,
    /// Requests by client address.
    pub clients: BTreeMap<String, u64>,
}

impl Site {
    pub fn start(name: &str) -> Site {
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let namespace = Namespace::named(format!("vsnat-bench-url-{name}"));
        if namespace.exists() {
            // Of a run that was killed.
            namespace.delete().unwrap();
        }
        let made = namespace.create();
        made.expect("this test needs root and iproute2: it makes a network namespace");
        let lines = format!(
            "link set lo up\naddress add 198.51.100.1/32 dev lo\n\
             route add local {SOURCES} dev lo\n"
        );
        namespace.ip_batch(&lines).unwrap();
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(namespace.name());
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("document"), vec![b'x'; DOCUMENT_BYTES as usize]).unwrap();
        fs::write(folder.join("nginx.conf"), config(&folder)).unwrap();
        let nginx = namespace.spawn(&mut nginx(&folder)).unwrap();
        let site = Site {
            namespace,
            folder,
            nginx,
            _turn: turn,
        };
        site.wait_listening();
        site
    }

    /// Runs a program in the namespace to its end.
    pub fn run(&self, command: &mut Command) -> Output {
        let name = command.get_program().to_string_lossy().into_owned();
        let output = self.namespace.run(|| command.output()).unwrap();
        output.unwrap_or_else(|error| {
            panic!("cannot run {name} ({error}); `cargo xtask setup` installs it")
        })
    }

    pub fn spawn(&self, command: &mut Command) -> Child {
        self.namespace.spawn(command).unwrap()
    }

    /// `vsnat bench` with these words.
    pub fn vsnat(words: &[&str]) -> Command {
        let mut vsnat = Command::new(env!("CARGO_BIN_EXE_vsnat"));
        vsnat.arg("bench").args(words);
        vsnat.stdin(Stdio::null());
        vsnat
    }

    /// What was logged since the last time this was asked, once it is so many
    /// requests or does not become more: an answer comes before its line.
    pub fn take_log(&self, requests: u64) -> Log {
        let path = self.folder.join("access.log");
        let began = Instant::now();
        let text = loop {
            let text = fs::read_to_string(&path).unwrap();
            let is_complete = text.lines().count() as u64 >= requests;
            if is_complete || began.elapsed() > LOG_PATIENCE {
                break text;
            }
            thread::sleep(Duration::from_millis(20));
        };
        // nginx appends, so it goes on at the new end.
        fs::write(&path, "").unwrap();
        let mut connections: Vec<&str> = Vec::new();
        let mut log = Log::default();
        for line in text.lines() {
            let (client, connection) = line.split_once(' ').unwrap();
            log.requests += 1;
            *log.clients.entry(client.to_owned()).or_default() += 1;
            connections.push(connection);
        }
        connections.sort_unstable();
        connections.dedup();
        log.connections = connections.len() as u64;
        log
    }

    fn wait_listening(&self) {
        let began = Instant::now();
        let connect = || TcpStream::connect(SocketAddr::from(ADDRESS)).is_ok();
        while !self.namespace.run(connect).unwrap() {
            let log = || fs::read_to_string(self.folder.join("error.log")).unwrap_or_default();
            assert!(began.elapsed() < READY_PATIENCE, "nginx: {}", log());
            thread::sleep(Duration::from_millis(20));
        }
        self.take_log(0);
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        // The master's end ends its workers; all of them have this namespace.
        let _ = self.nginx.kill();
        let _ = self.nginx.wait();
        for process in self.namespace.processes().unwrap_or_default() {
            let _ = nix::sys::signal::kill(process, nix::sys::signal::Signal::SIGKILL);
        }
        let _ = self.namespace.delete();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn nginx(folder: &Path) -> Command {
    let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target");
    let unpacked = UNPACKED.iter().map(|set| target.join(set).join("root"));
    let mut roots = unpacked.chain([PathBuf::from("/")]);
    let root = roots.find(|root| root.join(NGINX).exists());
    let root = root.unwrap_or_else(|| {
        panic!(
            "/{NGINX} is missing: `cargo xtask setup` unpacks it; \
             elsewhere than on Debian install nginx"
        )
    });
    let mut nginx = Command::new(root.join(NGINX));
    if root != Path::new("/") {
        let machine = format!("usr/lib/{}-linux-gnu", std::env::consts::ARCH);
        nginx.env("LD_LIBRARY_PATH", root.join(machine));
    }
    nginx.arg("-p").arg(folder);
    nginx.arg("-c").arg(folder.join("nginx.conf"));
    nginx.arg("-e").arg(folder.join("error.log"));
    nginx.stdin(Stdio::null()).stdout(Stdio::null());
    nginx
}

fn config(folder: &Path) -> String {
    let here = folder.display();
    format!(
        "daemon off;\n\
         user root;\n\
         worker_processes 1;\n\
         pid {here}/nginx.pid;\n\
         error_log {here}/error.log warn;\n\
         events {{ worker_connections 1024; }}\n\
         http {{\n\
         \x20 log_format short '$remote_addr $connection';\n\
         \x20 access_log {here}/access.log short;\n\
         \x20 client_body_temp_path {here}/body;\n\
         \x20 proxy_temp_path {here}/proxy;\n\
         \x20 fastcgi_temp_path {here}/fastcgi;\n\
         \x20 uwsgi_temp_path {here}/uwsgi;\n\
         \x20 scgi_temp_path {here}/scgi;\n\
         \x20 keepalive_requests 100000000;\n\
         \x20 server {{ listen 198.51.100.1:8080 backlog=1024; root {here}; }}\n\
         }}\n"
    )
}

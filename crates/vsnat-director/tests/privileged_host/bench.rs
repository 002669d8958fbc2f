//! A host with two interfaces and its neighbours, out of namespaces.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use vsnat_config::{Config, parse};

use vsnat_director::host::tool::Tool;
use vsnat_director::netns;

pub const OUTER: &str = "eth0";
pub const INNER: &str = "eth1";
pub const VIP: &str = "192.168.28.167";

/// Serves the names of namespaces.
static COUNT: AtomicU32 = AtomicU32::new(0);

/// Three namespaces: the director's host, a neighbour outside (`out0`,
/// 192.168.28.1) and a real server inside (`in0`, 10.0.100.11). Removed when dropped.
pub struct Bench {
    name: String,
}

impl Bench {
    pub fn new() -> Self {
        assert!(
            nix::unistd::geteuid().is_root(),
            "this test makes network namespaces and needs root: run it with sudo"
        );
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let bench = Bench {
            name: format!("vsnat-dt-{}-{count}", std::process::id()),
        };
        bench.build();
        bench
    }

    fn build(&self) {
        let (host, outside, inside) = (self.host(), self.outside(), self.inside());
        for namespace in [&host, &outside, &inside] {
            ip(&format!("netns add {namespace}"));
            ip(&format!("-n {namespace} link set lo up"));
        }
        ip(&format!(
            "-n {host} link add {OUTER} type veth peer name out0 netns {outside}"
        ));
        ip(&format!(
            "-n {host} link add {INNER} type veth peer name in0 netns {inside}"
        ));
        for (namespace, interface) in [
            (&host, OUTER),
            (&host, INNER),
            (&outside, "out0"),
            (&inside, "in0"),
        ] {
            ip(&format!(
                "-n {namespace} link set {interface} up addrgenmode none"
            ));
        }
        ip(&format!(
            "-n {host} address add 10.0.100.1/24 dev {INNER} broadcast +"
        ));
        ip(&format!(
            "-n {outside} address add 192.168.28.1/24 dev out0"
        ));
        ip(&format!("-n {inside} address add 10.0.100.11/24 dev in0"));
        ip(&format!("-n {inside} route add default via 10.0.100.1"));
    }

    pub fn host(&self) -> String {
        self.name.clone()
    }

    pub fn outside(&self) -> String {
        format!("{}-o", self.name)
    }

    pub fn inside(&self) -> String {
        format!("{}-i", self.name)
    }

    /// Runs `ip` for the director's host.
    pub fn ip(&self, words: &str) {
        ip(&format!("-n {} {words}", self.name));
    }

    /// Runs an nft script on the director's host.
    pub fn nft(&self, script: &str) {
        self.on_host(|| {
            Tool::Nft.run_with_input(&["--file", "-"], script).unwrap();
        });
    }

    pub fn set(&self, switch: &str, value: &str) {
        self.on_host(|| fs::write(Path::new("/proc/sys/net/ipv4").join(switch), value).unwrap());
    }

    /// Calls on a thread inside of the director's host.
    pub fn on_host<T: Send>(&self, call: impl FnOnce() -> T + Send) -> T {
        within(&self.host(), call)
    }

    /// Everything a director may change outside of its data plane.
    pub fn snapshot(&self) -> String {
        self.on_host(|| {
            let addresses = Tool::Ip.run(&["-oneline", "address", "show"]).unwrap();
            let routes = Tool::Ip.run(&["route", "show", "table", "all"]).unwrap();
            let rules = Tool::Nft.run(&["list", "ruleset"]).unwrap();
            format!("{addresses}{routes}{rules}{}", switches())
        })
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        for namespace in [self.host(), self.outside(), self.inside()] {
            let _ = Command::new("ip")
                .args(["netns", "del", &namespace])
                .status();
        }
    }
}

/// Calls on a thread inside of a namespace.
pub fn within<T: Send>(namespace: &str, call: impl FnOnce() -> T + Send) -> T {
    thread::scope(|scope| {
        let inside = scope.spawn(|| {
            netns::enter(Some(namespace)).unwrap();
            call()
        });
        inside.join().unwrap()
    })
}

/// The file of the bench's director, with more lines under `[director]`.
pub fn config(director: &str, services: &str) -> Config {
    let text = format!(
        "[director]\nname = \"dt\"\nouter = \"{OUTER}\"\ninner = [\"{INNER}\"]\n\
         vips = [\"{VIP}/24\"]\n{director}\n{services}\n"
    );
    parse("dt.toml", &text).unwrap()
}

fn ip(words: &str) {
    let words: Vec<&str> = words.split_whitespace().collect();
    Tool::Ip.run(&words).unwrap();
}

fn switches() -> String {
    let mut lines = Vec::new();
    for entry in fs::read_dir("/proc/sys/net/ipv4/conf").unwrap() {
        for switch in ["forwarding", "promote_secondaries"] {
            let path = entry.as_ref().unwrap().path().join(switch);
            let value = fs::read_to_string(&path).unwrap();
            lines.push(format!("{} = {value}", path.display()));
        }
    }
    for entry in fs::read_dir("/proc/sys/net/ipv4/neigh").unwrap() {
        for timer in [
            "base_reachable_time_ms",
            "delay_first_probe_time",
            "ucast_solicit",
        ] {
            let path = entry.as_ref().unwrap().path().join(timer);
            let value = fs::read_to_string(&path).unwrap();
            lines.push(format!("{} = {value}", path.display()));
        }
    }
    lines.sort();
    lines.concat()
}

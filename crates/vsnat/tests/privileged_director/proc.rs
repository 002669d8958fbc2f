//! `vsnat proc`: what IPVS shows as files, printed and kept.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::bench::{Bench, SERVICE, until};

const FILES: [&str; 3] = ["ip_vs", "ip_vs_conn", "ip_vs_stats"];

/// Keeps files; ended by [`end`], or at the latest when dropped.
struct Keeper(Child);

impl Keeper {
    fn start(bench: &Bench, dir: &Path) -> Self {
        let mut keeper = Command::new(env!("CARGO_BIN_EXE_vsnat"));
        keeper.args(["proc", "--interval", "100ms", "--name", &bench.name]);
        keeper.arg("--dir").arg(dir).stderr(Stdio::null());
        Keeper(keeper.spawn().unwrap())
    }

    fn end(mut self) -> Option<i32> {
        let pid = Pid::from_raw(i32::try_from(self.0.id()).unwrap());
        kill(pid, Signal::SIGTERM).unwrap();
        self.0.wait().unwrap().code()
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn files_are_kept_current() {
    let bench = Bench::new();
    bench.write("", SERVICE);
    let mut director = bench.start();
    let dir = std::env::temp_dir().join(format!("{}-proc", bench.name));
    let read = |file: &str| fs::read_to_string(dir.join("net").join(file)).unwrap_or_default();
    let printed = |file: &str| String::from_utf8(bench.vsnat(&["proc", file]).stdout).unwrap();

    let keeper = Keeper::start(&bench, &dir);
    for file in FILES {
        until(file, || {
            read(file) == printed(file) && !read(file).is_empty()
        });
    }
    assert!(read("ip_vs").contains("TCP  C0A81CA7:1F90 rr"));
    assert!(!read("ip_vs").contains("0035"), "{}", read("ip_vs"));
    assert_eq!(bench.ipvsadm("-A -u 192.168.28.167:53 -s lc").0, 0);
    until("the new service is there", || {
        read("ip_vs").contains("UDP  C0A81CA7:0035 lc")
    });

    director.end(Signal::SIGTERM);
    until("nothing is told while nobody answers", || {
        FILES.iter().all(|file| read(file).is_empty())
    });
    let _second = bench.start();
    until("and all of it again afterwards", || {
        FILES.iter().all(|file| !read(file).is_empty())
    });
    assert_eq!(keeper.end(), Some(0));
    let left = fs::read_dir(dir.join("net")).unwrap().count();
    assert_eq!(left, 0, "old numbers would be taken for new ones");
    fs::remove_dir_all(&dir).unwrap();
}

#[test]
fn connections_are_listed_alike_in_every_form() {
    let bench = Bench::new();
    bench.write("", SERVICE);
    let _director = bench.start();
    let neighbours = bench.neighbours();
    let inside = |program: &str, words: &str| {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &neighbours, program]);
        command.args(words.split_whitespace()).output().unwrap()
    };
    inside("ip", "address add 192.168.28.10/24 dev eth0");
    for port in [40_001, 40_002] {
        // No server answers: what counts is the connection that it opens.
        inside(
            "curl",
            &format!("--silent --max-time 1 --local-port {port} http://192.168.28.167:8080"),
        );
    }

    let (code, listed) = bench.ipvsadm("-Lnc");
    assert_eq!(code, 0, "{listed}");
    let mut rows: Vec<Vec<&str>> = listed
        .lines()
        .skip(2)
        .map(|line| line.split_whitespace().collect())
        .collect();
    rows.sort();
    let columns: Vec<[&str; 4]> = rows
        .iter()
        .map(|row| [row[0], row[3], row[4], row[5]])
        .collect();
    let expected = [
        [
            "TCP",
            "192.168.28.10:40001",
            "192.168.28.167:8080",
            "10.0.100.11:8080",
        ],
        [
            "TCP",
            "192.168.28.10:40002",
            "192.168.28.167:8080",
            "10.0.100.11:8080",
        ],
    ];
    let mut sorted = columns.clone();
    sorted.sort();
    assert_eq!(sorted, expected, "{listed}");

    let socket = format!("/run/vsnat/{}.sock", bench.name);
    let curl = Command::new("curl")
        .args([
            "--silent",
            "--unix-socket",
            &socket,
            "http://vsnat/v1/connections",
        ])
        .output()
        .unwrap();
    let json: vsnat_api::Connections = serde_json::from_slice(&curl.stdout).unwrap();
    let mut clients: Vec<String> = json
        .connections
        .iter()
        .map(|c| c.client.to_string())
        .collect();
    clients.sort();
    assert_eq!(clients, ["192.168.28.10:40001", "192.168.28.10:40002"]);

    let proc = String::from_utf8(bench.vsnat(&["proc", "ip_vs_conn"]).stdout).unwrap();
    assert_eq!(proc.lines().count(), 3, "{proc}");
    assert!(
        proc.contains("TCP C0A81C0A 9C41 C0A81CA7 1F90 0A00640B 1F90"),
        "{proc}"
    );
}

//! Every way in which a director ends, and what it leaves.

use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;

use crate::bench::{Bench, SERVICE, until};

#[test]
fn ctrl_c_restores_the_host() {
    let bench = Bench::new();
    let before = bench.snapshot();
    bench.write("", SERVICE);
    let mut director = bench.start();
    assert_ne!(bench.snapshot(), before);
    assert_eq!(director.end(Signal::SIGINT), Some(0), "{}", director.log());
    assert_eq!(bench.snapshot(), before);
}

#[test]
fn ctrl_c_during_the_start_restores_the_host_too() {
    let bench = Bench::new();
    let before = bench.snapshot();
    bench.write("", SERVICE);
    for after_ms in [300, 800, 850, 900] {
        let mut director = bench.spawn();
        thread::sleep(Duration::from_millis(after_ms));
        assert_eq!(director.end(Signal::SIGINT), Some(0), "{}", director.log());
        assert_eq!(bench.snapshot(), before, "interrupted after {after_ms} ms");
    }
}

#[test]
fn down_asks_the_daemon_and_can_be_repeated() {
    let bench = Bench::new();
    let before = bench.snapshot();
    bench.write("", SERVICE);
    let mut director = bench.start();
    assert!(bench.down().contains("the host is as it was found"));
    assert_eq!(bench.snapshot(), before);
    assert!(bench.down().contains("nothing to do"));
    assert_eq!(director.end(Signal::SIGCONT), Some(0), "{}", director.log());
}

#[test]
fn sigterm_leaves_everything_and_the_next_daemon_adopts_it() {
    let bench = Bench::new();
    let before = bench.snapshot();
    bench.write("", SERVICE);
    let mut first = bench.start();
    let added = "-A -t 192.168.28.168:9000 -s wrr";
    assert_eq!(bench.ipvsadm(added), (0, String::new()));
    let running = bench.snapshot();
    assert_eq!(first.end(Signal::SIGTERM), Some(0));
    let left = bench.snapshot();
    assert_eq!(
        left.replace(".sock: false", ".sock: true"),
        running,
        "only the socket is gone"
    );

    let mut second = bench.start();
    assert_eq!(bench.snapshot(), running);
    let (_, listed) = bench.ipvsadm("-Sn");
    assert!(listed.contains(added), "{listed}");
    assert!(listed.contains("-r 10.0.100.11:8080"), "{listed}");
    let log = second.log();
    assert!(log.contains("changed at run time and kept"), "{log}");
    assert!(
        log.contains("+ service TCP 192.168.28.168:9000 wrr"),
        "{log}"
    );
    assert_eq!(second.end(Signal::SIGINT), Some(0));
    assert_eq!(bench.snapshot(), before);
}

#[test]
fn a_changed_file_is_followed_except_where_ipvsadm_decided() {
    let bench = Bench::new();
    let two = format!("{SERVICE}{}", SERVICE.replace(".167:8080", ".168:8081"));
    bench.write("", &two);
    let mut first = bench.start();
    assert_eq!(bench.ipvsadm("-E -t 192.168.28.167:8080 -s lc").0, 0);
    first.end(Signal::SIGTERM);

    bench.write("", &two.replace("\"rr\"", "\"wrr\""));
    let second = bench.start();
    let (_, listed) = bench.ipvsadm("-Sn");
    assert!(listed.contains("192.168.28.167:8080 -s lc"), "{listed}");
    assert!(listed.contains("192.168.28.168:8081 -s wrr"), "{listed}");
    let log = second.log();
    assert!(
        log.contains("~ service TCP 192.168.28.167:8080 scheduler lc"),
        "{log}"
    );
}

#[test]
fn a_crash_is_adopted_or_restored() {
    let bench = Bench::new();
    let before = bench.snapshot();
    bench.write("", SERVICE);
    bench.start().end(Signal::SIGKILL);
    let mut second = bench.start();
    assert!(bench.ipvsadm("-Sn").1.contains("192.168.28.167:8080"));
    second.end(Signal::SIGKILL);
    assert!(bench.down().contains("by its record"));
    assert_eq!(bench.snapshot(), before);
}

#[test]
fn without_a_daemon_clients_say_that_it_forwards_on() {
    let bench = Bench::new();
    bench.write("", SERVICE);
    bench.start().end(Signal::SIGKILL);
    let name = &bench.name;
    let said = String::from_utf8(bench.vsnat(&["status"]).stderr).unwrap();
    assert!(said.contains("goes on forwarding"), "{said}");
    assert!(
        said.contains(&format!("`vsnat down --name {name}`")),
        "{said}"
    );
    assert!(bench.ipvsadm("-Ln").1.contains("goes on forwarding"));
}

#[test]
fn down_takes_the_director_whose_socket_is_named() {
    let bench = Bench::new();
    let before = bench.snapshot();
    bench.write("", SERVICE);
    bench.start().end(Signal::SIGKILL);
    let down = |socket: &str| {
        let mut down = Command::new(env!("CARGO_BIN_EXE_vsnat"));
        down.arg("down").env("VSNAT_SOCKET", socket).output()
    };
    let unknown = down("/run/vsnat-dt-no-such.sock").unwrap();
    let said = String::from_utf8(unknown.stderr).unwrap();
    assert!(said.contains("cannot tell which director"), "{said}");
    let done = down(&format!("/run/vsnat/{}.sock", bench.name)).unwrap();
    let said = String::from_utf8(done.stdout).unwrap();
    assert!(
        said.contains(&format!("director {} is down", bench.name)),
        "{said}"
    );
    assert_eq!(bench.snapshot(), before);
}

#[test]
fn a_lost_data_plane_is_made_anew_with_all_services() {
    let bench = Bench::new();
    bench.write("", SERVICE);
    bench.start().end(Signal::SIGTERM);
    let pins = format!("/sys/fs/bpf/vsnat/{}", bench.name);
    std::fs::remove_dir_all(pins).unwrap();
    let _second = bench.start();
    assert!(bench.ipvsadm("-Sn").1.contains("192.168.28.167:8080"));
}

#[test]
fn ctrl_c_restores_the_host_when_nobody_reads_the_log() {
    let bench = Bench::new();
    let before = bench.snapshot();
    bench.write("", SERVICE);
    let mut run = bench.run_command();
    let mut director = run.stderr(Stdio::piped()).spawn().unwrap();
    drop(director.stderr.take());
    until("it serves", || bench.vsnat(&["status"]).status.success());
    let pid = Pid::from_raw(i32::try_from(director.id()).unwrap());
    kill(pid, Signal::SIGINT).unwrap();
    assert_eq!(director.wait().unwrap().code(), Some(0));
    assert_eq!(bench.snapshot(), before);
}

#[test]
fn ctrl_c_twice_restores_the_host() {
    let bench = Bench::new();
    let before = bench.snapshot();
    bench.write("", SERVICE);
    let mut run = bench.run_command();
    let mut director = run.process_group(0).stderr(Stdio::null()).spawn().unwrap();
    until("it serves", || bench.vsnat(&["status"]).status.success());
    let group = Pid::from_raw(i32::try_from(director.id()).unwrap());
    // A terminal sends it to the whole group, tools of the director included.
    while director.try_wait().unwrap().is_none() {
        let _ = killpg(group, Signal::SIGINT);
        thread::sleep(Duration::from_millis(1));
    }
    assert_eq!(director.wait().unwrap().code(), Some(0));
    assert_eq!(bench.snapshot(), before);
}

#[test]
fn two_downs_at_once_both_succeed() {
    let bench = Bench::new();
    let before = bench.snapshot();
    bench.write("", SERVICE);
    let mut director = bench.start();
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| bench.down());
        }
    });
    assert_eq!(bench.snapshot(), before);
    assert_eq!(director.end(Signal::SIGCONT), Some(0), "{}", director.log());
}

#[test]
fn a_crash_at_any_moment_of_the_start_is_restored() {
    let bench = Bench::new();
    let before = bench.snapshot();
    bench.write("", SERVICE);
    // The probing for the VIP takes most of the start; then the changes come.
    let moments = (0..3).map(|n| n * 300).chain((750..1_500).step_by(35));
    for after_ms in moments {
        let mut director = bench.spawn();
        thread::sleep(Duration::from_millis(after_ms));
        director.end(Signal::SIGKILL);
        bench.down();
        assert_eq!(bench.snapshot(), before, "killed after {after_ms} ms");
    }
}

#[test]
fn a_director_whose_namespace_is_gone_starts_afresh() {
    let bench = Bench::new();
    bench.write("", SERVICE);
    bench.start().end(Signal::SIGTERM);
    let status = std::process::Command::new("ip")
        .args(["netns", "del", &bench.name])
        .status();
    assert!(status.unwrap().success());
    let neighbours = bench.neighbours();
    let _ = std::process::Command::new("ip")
        .args(["netns", "del", &neighbours])
        .status();
    bench.build();
    let mut director = bench.start();
    assert!(
        director.log().contains("starting afresh"),
        "{}",
        director.log()
    );
    assert_eq!(director.end(Signal::SIGINT), Some(0));
}

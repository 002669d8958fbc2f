//! Bad input: one clear error that says what to do, and nothing changes.

use std::os::unix::process::CommandExt;
use std::process::Command;

use nix::sys::signal::Signal;

use crate::bench::{Bench, SERVICE};

#[track_caller]
fn refused(bench: &Bench, parts: &[&str]) {
    let before = bench.snapshot();
    let said = bench.refused();
    for part in parts {
        assert!(said.contains(part), "no \"{part}\" in: {said}");
    }
    assert_eq!(bench.snapshot(), before);
}

#[test]
fn misfits_of_the_host() {
    let bench = Bench::new();
    bench.write("", SERVICE);
    bench.ip("link add br0 type bridge");
    bench.ip("link set eth1 master br0");
    refused(&bench, &["eth1 is a port of br0", "give br0 instead"]);
    bench.ip("link set eth1 nomaster");
    bench.ip("address add 192.168.28.168/32 dev eth1");
    refused(&bench, &["VIP 192.168.28.168 is already on eth1"]);
    bench.ip("address del 192.168.28.168/32 dev eth1");
    bench.ip("link set eth1 name lan0");
    refused(&bench, &["no interface eth1 here", "lan0"]);
}

#[test]
fn a_malformed_file() {
    let bench = Bench::new();
    bench.write("nmae = \"x\"", "[limits]\nservers = 0\n");
    refused(
        &bench,
        &[
            "director.toml:6:1: unknown key nmae",
            "director.toml:8:11: servers must be",
        ],
    );
}

#[test]
fn an_unknown_namespace() {
    let bench = Bench::new();
    let config = bench.write("", SERVICE);
    let output = Command::new(env!("CARGO_BIN_EXE_vsnat"))
        .args(["run", "--netns", "no-such-netns", "--config"])
        .arg(config)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        said.contains("no network namespace no-such-netns"),
        "{said}"
    );
    assert!(said.contains("ip netns list"), "{said}");
}

#[test]
fn no_root() {
    let bench = Bench::new();
    bench.write("", SERVICE);
    let before = bench.snapshot();
    // The test's folder may be closed to others, so only the user changes and
    // the capabilities go with it.
    let output = bench.run_command().uid(65_534).gid(0).output();
    match output {
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(!output.status.success());
            assert!(
                said.contains("needs root") && said.contains("sudo"),
                "{said}"
            );
        }
        Err(error) => panic!("the executable must be reachable for every user: {error}"),
    }
    assert_eq!(bench.snapshot(), before);
}

#[test]
fn a_second_daemon_of_the_same_name() {
    let bench = Bench::new();
    bench.write("", SERVICE);
    let _first = bench.start();
    let name = &bench.name;
    refused(
        &bench,
        &[
            &format!("a director named {name} runs already, as process"),
            &format!("vsnat down --name {name}"),
        ],
    );
}

#[test]
fn a_second_director_in_the_same_namespace() {
    let bench = Bench::new();
    bench.write("", SERVICE);
    let mut first = bench.start();
    let name = &bench.name;
    let before = bench.snapshot();
    let refused = || {
        let mut other = bench.run_command();
        let output = other.args(["--name", "vsnat-dt-other"]).output();
        let said = String::from_utf8(output.unwrap().stderr).unwrap();
        assert!(
            said.contains(&format!("director {name} works in this network namespace")),
            "{said}"
        );
        assert!(
            said.contains(&format!("vsnat down --name {name}")),
            "{said}"
        );
    };
    refused();
    assert_eq!(bench.snapshot(), before);
    first.end(Signal::SIGKILL);
    refused();
}

#[test]
fn another_namespace_under_the_same_name() {
    let bench = Bench::new();
    bench.write("", SERVICE);
    bench.start().end(Signal::SIGTERM);
    let before = bench.snapshot();
    let neighbours = bench.neighbours();
    let config = bench.write("", SERVICE);
    let output = Command::new(env!("CARGO_BIN_EXE_vsnat"))
        .args(["run", "--netns", &neighbours, "--config"])
        .arg(config)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        said.contains("lives in another network namespace"),
        "{said}"
    );
    assert_eq!(bench.snapshot(), before);
}

#[test]
fn pinned_state_of_another_capacity() {
    let bench = Bench::new();
    bench.write("", SERVICE);
    bench.start().end(Signal::SIGTERM);
    bench.write("", &format!("[limits]\nconnections = 1000\n{SERVICE}"));
    let name = &bench.name;
    refused(&bench, &["1000", &format!("vsnat down --name {name}")]);
    bench.write("", SERVICE);
    bench.start();
}

#[test]
fn a_socket_that_cannot_be() {
    let bench = Bench::new();
    bench.write("", SERVICE);
    let before = bench.snapshot();
    let mut run = bench.run_command();
    let output = run.args(["--socket", "/nowhere/x.sock"]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("cannot listen on /nowhere/x.sock"), "{said}");
    assert_eq!(bench.snapshot(), before);
}

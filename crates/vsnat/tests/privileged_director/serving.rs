//! What clients see, and what a director repairs by itself.

use std::process::Command;

use nix::sys::signal::Signal;

use crate::bench::{Bench, SERVICE, until};

#[test]
fn status_deny_and_ipvsadm() {
    let bench = Bench::new();
    bench.write("deny = [\"203.0.113.0/24\"]", SERVICE);
    let _director = bench.start();

    let status = bench.vsnat(&["status", "--json"]).stdout;
    let status: serde_json::Value = serde_json::from_slice(&status).unwrap();
    assert_eq!(status["name"], bench.name);
    assert_eq!(status["interfaces"].as_array().unwrap().len(), 2);
    assert_eq!(status["table"]["capacity"], 262_144);
    let text = String::from_utf8(bench.vsnat(&["status"]).stdout).unwrap();
    assert!(text.contains("eth0            outer, by "), "{text}");

    assert!(
        bench
            .vsnat(&["deny", "add", "198.51.100.7"])
            .status
            .success()
    );
    let again = bench.vsnat(&["deny", "add", "198.51.100.7"]);
    assert!(!again.status.success());
    let said = String::from_utf8(again.stderr).unwrap();
    assert!(said.contains("is denied already"), "{said}");
    let list = String::from_utf8(bench.vsnat(&["deny", "list"]).stdout).unwrap();
    assert_eq!(list, "198.51.100.7/32\n203.0.113.0/24\n");
    assert!(
        bench
            .vsnat(&["deny", "del", "203.0.113.0/24"])
            .status
            .success()
    );

    assert_eq!(bench.ipvsadm("-C"), (0, String::new()));
    let add = "-a -t 192.168.28.167:80 -r 10.0.100.11 -m";
    assert_eq!(
        bench.ipvsadm(add),
        (255, "Service not defined\n".to_owned())
    );
    assert_eq!(bench.ipvsadm("-A -t 192.168.28.167:80 -s rr").0, 0);
    assert_eq!(bench.ipvsadm(add).0, 0);
    let expected = "\
IP Virtual Server version 1.2.1 (size=262144)
Prot LocalAddress:Port Scheduler Flags
  -> RemoteAddress:Port           Forward Weight ActiveConn InActConn
TCP  192.168.28.167:80 rr
  -> 10.0.100.11:80               Masq    1      0          0         
";
    assert_eq!(bench.ipvsadm("-Ln"), (0, expected.to_owned()));
}

#[test]
fn masquerade_keeps_clear_of_new_services() {
    let bench = Bench::new();
    bench.write("", SERVICE);
    let _director = bench.start();
    assert!(bench.snapshot().contains("masquerade to :8081-65535"));
    assert_eq!(bench.ipvsadm("-A -t 192.168.28.167:60000").0, 0);
    assert!(bench.snapshot().contains("masquerade to :8081-59999"));
    // Programs of a namespace get ports from 32768 to 60999 unless it is told
    // otherwise; a service on all ports leaves no more than those.
    assert_eq!(bench.ipvsadm("-A -t 192.168.28.168:0 -p 60").0, 0);
    assert!(bench.snapshot().contains("masquerade to :32768-59999"));
    assert_eq!(bench.ipvsadm("-C").0, 0);
    assert!(bench.snapshot().contains("masquerade to :1024-65535"));
}

#[test]
fn an_interface_that_is_made_anew_serves_again() {
    let bench = Bench::new();
    let before = bench.snapshot();
    bench.write("", SERVICE);
    let mut director = bench.start();
    bench.ip("link del eth0");
    let status = || String::from_utf8(bench.vsnat(&["status"]).stdout).unwrap();
    until("eth0 is missed", || !status().contains("eth0"));
    bench.add_interface("eth0");
    until("eth0 is attached again", || status().contains("eth0"));
    let snapshot = bench.snapshot();
    for vip in ["192.168.28.167/24", "192.168.28.168/24"] {
        assert!(snapshot.contains(vip), "{snapshot}");
    }
    assert_eq!(director.end(Signal::SIGINT), Some(0), "{}", director.log());
    // The new interface has another index, which is all that differs.
    let indices = |text: &str| {
        let lines = text.lines();
        let lines = lines.map(|line| line.split_once(": ").map_or(line, |(_, rest)| rest));
        let mut lines: Vec<String> = lines.map(str::to_owned).collect();
        lines.sort();
        lines
    };
    assert_eq!(indices(&bench.snapshot()), indices(&before));
}

#[test]
fn sighup_reports_what_the_file_says_now() {
    let bench = Bench::new();
    bench.write("", SERVICE);
    let mut director = bench.start();
    bench.write("", &SERVICE.replace("8080", "8090"));
    director.signal(Signal::SIGHUP);
    until("the difference is told", || {
        director
            .log()
            .contains("  + service TCP 192.168.28.167:8090")
    });
    let log = director.log();
    assert!(log.contains("  - service TCP 192.168.28.167:8080"), "{log}");
    assert!(
        !log.contains("changed at run time"),
        "only the file was: {log}"
    );
    let list = bench.ipvsadm("-Sn").1;
    assert!(list.contains(":8080"), "nothing was changed: {list}");
    assert_eq!(bench.ipvsadm("-A -t 192.168.28.168:9000").0, 0);
    bench.write("masquerade = false", SERVICE);
    director.signal(Signal::SIGHUP);
    until("what ipvsadm changed is told", || {
        let log = director.log();
        let kept = "unlike the file:";
        let kept = log.split_once(kept).map_or("", |(_, after)| after);
        kept.contains("+ service TCP 192.168.28.168:9000")
    });
    let log = director.log();
    assert!(
        log.contains("what the file says now of masquerade"),
        "{log}"
    );
    assert!(
        log.contains("a restart changes no service, setting, rule"),
        "{log}"
    );
    assert_eq!(director.end(Signal::SIGTERM), Some(0));
}

#[test]
fn bad_requests_are_refused_as_json() {
    let bench = Bench::new();
    bench.write("", SERVICE);
    let _director = bench.start();
    let socket = format!("/run/vsnat/{}.sock", bench.name);
    let ask = |words: &[&str]| {
        let curl = Command::new("curl")
            .args([
                "--silent",
                "--unix-socket",
                &socket,
                "--write-out",
                "%{http_code}",
            ])
            .args(words)
            .output();
        String::from_utf8(curl.unwrap().stdout).unwrap()
    };
    let json = ["--header", "content-type: application/json"];
    let unknown = ask(&["http://vsnat/v2"]);
    assert!(
        unknown.starts_with("{\"error\":") && unknown.ends_with("404"),
        "{unknown}"
    );
    let method = ask(&["--request", "POST", "http://vsnat/v1/status"]);
    assert!(
        method.starts_with("{\"error\":") && method.ends_with("405"),
        "{method}"
    );
    let body = ask(&[
        json[0],
        json[1],
        "--data",
        "{\"commands\":[{\"x\":1}]}",
        "http://vsnat/v1/commands",
    ]);
    assert!(
        body.starts_with("{\"error\":") && body.ends_with("422"),
        "{body}"
    );
}

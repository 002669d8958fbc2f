//! Services of IPv6: listed as they were asked for, and a host that is made
//! ready for them and put back.

use nix::sys::signal::Signal;

use crate::bench::{Bench, SERVICE};

const SIX: &str = "\
[[service]]
protocol = \"tcp\"
address = \"[2001:db8::1]:80\"
scheduler = \"rr\"
  [[service.server]]
  address = \"10.0.100.11\"
  [[service.server]]
  address = \"fd00:2::12\"
";

/// What a director may change of IPv6, besides what [`Bench::snapshot`] shows.
fn switches(bench: &Bench) -> String {
    let all = bench.inside("sysctl -a");
    let lines = all.lines().filter(|line| {
        let six = line.starts_with("net.ipv6");
        six && (line.contains("forwarding") || line.contains("accept_ra =") || is_timer(line))
    });
    lines.map(|line| format!("{line}\n")).collect()
}

fn is_timer(line: &str) -> bool {
    line.contains("neigh.eth1")
}

/// A bench whose VIPs are those of the file's text.
fn bench_with(vips: &str, rest: &str) -> Bench {
    let bench = Bench::new();
    let path = bench.write("", rest);
    let text = std::fs::read_to_string(&path).unwrap();
    let text = text.replace("\"192.168.28.168/24\"", vips);
    std::fs::write(path, text).unwrap();
    bench.ip("address add fd00:2::1/64 dev eth1 nodad");
    bench
}

#[test]
fn a_service_of_ipv6_is_served_listed_and_taken_back() {
    let bench = bench_with("\"2001:db8::1/64\"", SIX);
    let before = (bench.snapshot(), switches(&bench));
    let director = bench.start();
    let snapshot = bench.snapshot();
    assert!(snapshot.contains("inet6 2001:db8::1/64"), "{snapshot}");
    assert!(!snapshot.contains("tentative"), "{snapshot}");
    assert!(snapshot.contains("ip6 saddr fd00:2::/64"), "{snapshot}");
    assert!(snapshot.contains("masquerade to :1024-65535"), "{snapshot}");
    let ready = switches(&bench);
    for switch in ["all", "eth0", "eth1"] {
        let on = format!("net.ipv6.conf.{switch}.forwarding = 1");
        assert!(ready.contains(&on), "{ready}");
    }
    let timer = "net.ipv6.neigh.eth1.base_reachable_time_ms = 1000";
    assert!(ready.contains(timer), "{ready}");
    let listing = "\
IP Virtual Server version 1.2.1 (size=262144)
Prot LocalAddress:Port Scheduler Flags
  -> RemoteAddress:Port           Forward Weight ActiveConn InActConn
TCP  [2001:db8::1]:80 rr
  -> 10.0.100.11:80               Masq    1      0          0         
  -> [fd00:2::12]:80              Masq    1      0          0         
";
    assert_eq!(bench.ipvsadm("-Ln"), (0, listing.to_owned()));
    let saved = "\
-A -t [2001:db8::1]:80 -s rr
-a -t [2001:db8::1]:80 -r 10.0.100.11:80 -m -w 1
-a -t [2001:db8::1]:80 -r [fd00:2::12]:80 -m -w 1
";
    assert_eq!(bench.ipvsadm("-Sn"), (0, saved.to_owned()));

    // A daemon that comes after it finds what the tables say.
    director.signal(Signal::SIGKILL);
    drop(director);
    let mut director = bench.start();
    assert_eq!(bench.ipvsadm("-Ln"), (0, listing.to_owned()));
    assert_eq!(
        bench.ipvsadm("-d -t [2001:db8::1]:80 -r [fd00:2::12]:80").0,
        0
    );
    assert_eq!(director.end(Signal::SIGINT), Some(0), "{}", director.log());
    assert_eq!((bench.snapshot(), switches(&bench)), before);
}

#[test]
fn a_host_is_made_ready_by_the_first_command_that_names_ipv6() {
    let bench = bench_with("\"192.168.28.168/24\"", SERVICE);
    let before = (bench.snapshot(), switches(&bench));
    let mut director = bench.start();
    assert_eq!(switches(&bench), before.1, "IPv4 alone changes nothing");
    let add = "-a -t 192.168.28.167:8080 -r [fd00:2::11]:80 -m";
    assert_eq!(bench.ipvsadm(add), (0, String::new()));
    assert!(switches(&bench).contains("net.ipv6.conf.eth1.forwarding = 1"));
    let without_method = "-a -t 192.168.28.167:8080 -r [fd00:2::13]:80 -g";
    let said = bench.ipvsadm(without_method).1;
    assert!(said.contains("Different address family"), "{said}");
    assert_eq!(director.end(Signal::SIGINT), Some(0), "{}", director.log());
    assert_eq!((bench.snapshot(), switches(&bench)), before);
}

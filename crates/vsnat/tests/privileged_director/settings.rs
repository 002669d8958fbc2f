//! Settings, marking rules and timeouts: set at run time, kept, and refused.

use nix::sys::signal::Signal;

use crate::bench::Bench;

/// Settings, rules and timeouts of a file, all other than by default.
const FILE: &str = "\
[settings]
sloppy_tcp = 1
am_droprate = 7
[timeouts]
udp = \"30s\"
tcp_fin_wait = \"40s\"
[[mark]]
mark = 1
protocol = \"tcp\"
ports = [80, \"8000-8099\"]
[[mark]]
mark = 2
source = \"198.51.100.0/24\"
interface = \"eth0\"
[[service]]
mark = 1
scheduler = \"rr\"
persistence = \"5m\"
  [[service.server]]
  address = \"10.0.100.11\"
  upper_threshold = 100
";

#[track_caller]
fn done(bench: &Bench, words: &str) -> String {
    let words: Vec<&str> = words.split_whitespace().collect();
    let output = bench.vsnat(&words);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "vsnat {words:?}: {said}");
    String::from_utf8(output.stdout).unwrap()
}

/// Gives the exit code and what is said.
fn refused(bench: &Bench, words: &str) -> (Option<i32>, String) {
    let words: Vec<&str> = words.split_whitespace().collect();
    let output = bench.vsnat(&words);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.code(), said)
}

/// All that can be set, as clients see it.
fn everything(bench: &Bench) -> String {
    let (code, timeouts) = bench.ipvsadm("-L --timeout");
    assert_eq!(code, 0, "{timeouts}");
    let rules = done(bench, "mark list");
    let services = bench.ipvsadm("-Sn").1;
    [done(bench, "set"), rules, timeouts, services].concat()
}

#[test]
fn a_file_sets_what_it_names() {
    let bench = Bench::new();
    bench.write("", FILE);
    let _director = bench.start();
    let settings = done(&bench, "set --json");
    let settings: serde_json::Value = serde_json::from_str(&settings).unwrap();
    let value = |name: &str| {
        let settings = settings["settings"].as_array().unwrap();
        let setting = settings.iter().find(|setting| setting["name"] == name);
        setting.unwrap()["value"].clone()
    };
    assert_eq!(value("sloppy_tcp"), 1);
    assert_eq!(value("am_droprate"), 7);
    assert_eq!(value("conn_reuse_mode"), 1, "default");
    let rules = "mark 1 protocol tcp ports 80,8000-8099\n\
                 mark 2 source 198.51.100.0/24 interface eth0\n";
    assert_eq!(done(&bench, "mark list"), rules);
    let timeouts = "Timeout (tcp tcpfin udp): 900 40 30\n";
    assert_eq!(bench.ipvsadm("-L --timeout"), (0, timeouts.to_owned()));
    let services = "-A -f 1 -s rr -p 300\n-a -f 1 -r 10.0.100.11:0 -m -w 1 -x 100\n";
    let saved = bench.ipvsadm("-Sn").1;
    assert_eq!(saved.trim_end(), services.trim_end());
    let status = done(&bench, "status");
    assert!(
        status.contains("settings     sloppy_tcp 1 (default 0)"),
        "{status}"
    );
    assert!(status.contains("am_droprate 7 (default 10)"), "{status}");
}

#[test]
fn what_was_set_survives_the_daemon() {
    let bench = Bench::new();
    bench.write("", FILE);
    let mut first = bench.start();
    done(&bench, "set drop_entry=2 sloppy_tcp=0");
    done(
        &bench,
        "mark delete --mark 2 --source 198.51.100.0/24 --interface eth0",
    );
    done(&bench, "mark add --mark 9 --protocol udp --ports 53");
    assert_eq!(bench.ipvsadm("--set 60 0 20"), (0, String::new()));
    assert_eq!(bench.ipvsadm("-E -f 1 -s lc").0, 0);
    let set = everything(&bench);
    assert!(set.contains("mark 9 protocol udp ports 53"), "{set}");
    assert!(set.contains("Timeout (tcp tcpfin udp): 60 40 20"), "{set}");

    first.end(Signal::SIGKILL);
    let mut second = bench.start();
    assert_eq!(everything(&bench), set, "after kill -9");
    assert_eq!(second.end(Signal::SIGTERM), Some(0));
    let mut third = bench.start();
    assert_eq!(everything(&bench), set, "after SIGTERM");
    let log = third.log();
    for kept in [
        "~ setting drop_entry 2",
        "~ setting sloppy_tcp 0",
        "+ rule mark 9",
        "- rule mark 2",
        "~ timeouts tcp 60 s udp 20 s",
    ] {
        assert!(log.contains(kept), "no \"{kept}\" in: {log}");
    }
    third.end(Signal::SIGTERM);

    // The file changes what nobody set.
    bench.write("", &FILE.replace("am_droprate = 7", "am_droprate = 8"));
    let _fourth = bench.start();
    let changed = everything(&bench);
    let number = |text: &str, name: &str| -> String {
        let line = text.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_whitespace().nth(1).unwrap().to_owned()
    };
    assert_eq!(number(&changed, "am_droprate"), "8");
    let others = |text: &str| -> Vec<String> {
        let lines = text.lines().filter(|line| !line.starts_with("am_droprate"));
        lines.map(str::to_owned).collect()
    };
    assert_eq!(others(&changed), others(&set));
}

#[test]
fn a_data_plane_that_was_removed_begins_with_the_file() {
    let bench = Bench::new();
    bench.write("", FILE);
    let first = bench.start();
    let of_file = everything(&bench);
    done(&bench, "set drop_entry=2");
    assert_eq!(bench.ipvsadm("--set 60 0 20").0, 0);
    assert_ne!(everything(&bench), of_file);
    bench.down();
    drop(first);
    let _second = bench.start();
    assert_eq!(everything(&bench), of_file);
}

#[test]
fn bad_values_change_nothing() {
    let bench = Bench::new();
    bench.write("", FILE);
    let _director = bench.start();
    let before = everything(&bench);
    let cases = [
        (
            "set drop_entry=1 am_droprate=0",
            2,
            "am_droprate cannot be 0",
        ),
        ("set drop_entry=1 drop_entri=1", 2, "unknown setting"),
        ("set drop_entry=1 drop_entry=2", 1, "given twice"),
        ("set drop_entry", 2, "NAME=VALUE"),
        ("set schedule_icmp=1", 2, "cannot be 1"),
        ("mark add --mark 0", 2, "means no mark"),
        (
            "mark add --mark 3 --ports 80-70",
            2,
            "the smaller one first",
        ),
        ("mark add --mark 3 --source 10.0.0.1/8", 2, "10.0.0.0/8"),
        ("mark add --mark 3 --interface eth7", 1, "eth7"),
        (
            "mark add --mark 1 --protocol tcp --ports 8000-8099,80",
            1,
            "there is a rule",
        ),
        ("mark delete --mark 7", 1, "no rule \"mark 7\""),
    ];
    for (words, code, part) in cases {
        let (found, said) = refused(&bench, words);
        assert_eq!(found, Some(code), "{words}: {said}");
        assert!(said.contains(part), "no \"{part}\" in: {said}");
        assert_eq!(everything(&bench), before, "{words}");
    }
    let (code, said) = bench.ipvsadm("--set 2678401 0 0");
    assert_ne!(code, 0, "{said}");
    assert_eq!(everything(&bench), before);
}

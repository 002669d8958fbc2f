//! netdata: its plugin for `/proc/net/ip_vs_stats` reads the file of that name
//! that `vsnat proc --dir` keeps.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use nix::sys::signal::Signal;

use crate::counters::Counted;
use crate::host::Host;
use crate::process::Running;
use crate::programs;

const LISTEN: &str = "127.0.0.1:19999";

/// Chart and dimension of each total, in the order of ipvsadm's columns.
const TOTALS: [(&str, &str); 5] = [
    ("sockets", "connections"),
    ("packets", "received"),
    ("packets", "sent"),
    ("net", "received"),
    ("net", "sent"),
];

/// Charts with dimensions, and the numbers that were read.
type Totals = BTreeMap<(String, String), u64>;

#[test]
fn its_charts_are_the_totals_of_ipvsadm() {
    let counted = Counted::start("othersnetdata");
    let host = Host::new(&counted.scene);
    let proc = host.file("proc");
    let keeper = counted.keep_files(&host, &proc);
    let folder = host.file("netdata");
    write_config(&folder, &proc);

    let mut netdata = host.command(&programs::find("usr/sbin/netdata", "netdata-core"));
    netdata.arg("-D").arg("-c").arg(folder.join("netdata.conf"));
    // It would count its users.
    netdata.env("DO_NOT_TRACK", "1");
    let log = host.file("netdata.log");
    let mut netdata = Running::start(host.namespace(), &mut netdata, &log);

    let expected: Totals = TOTALS
        .iter()
        .map(|(chart, dimension)| ((*chart).to_owned(), (*dimension).to_owned()))
        .zip(counted.totals())
        .collect();
    netdata.until(&expected, || read(&host));
    assert_eq!(netdata.end(Signal::SIGTERM), Some(0));
    assert_eq!(keeper.end(Signal::SIGTERM), Some(0));
}

/// Everything of its own in one folder, and nothing that looks at the machine.
fn write_config(folder: &Path, proc: &Path) {
    let mut text = "[global]\nrun as user = root\n[directories]\n".to_owned();
    for name in [
        "config",
        "stock config",
        "cache",
        "lib",
        "log",
        "web",
        "plugins",
        "lock",
    ] {
        let own = folder.join(name);
        fs::create_dir_all(&own).unwrap();
        text += &format!("{name} = {}\n", own.display());
    }
    text += &format!("[db]\nmode = ram\n[logs]\naccess = none\n[web]\nbind to = {LISTEN}\n");
    text += "[ml]\nenabled = no\n[health]\nenabled = no\n[plugins]\n";
    for plugin in [
        "cgroups",
        "checks",
        "diskspace",
        "enable running new plugins",
        "idlejitter",
        "statsd",
        "tc",
        "timex",
    ] {
        text += &format!("{plugin} = no\n");
    }
    let stats = proc.join("net/ip_vs_stats");
    text += "[plugin:proc:/proc/net/ip_vs_stats]\n";
    text += &format!("filename to monitor = {}\n", stats.display());
    fs::write(folder.join("netdata.conf"), text).unwrap();
}

/// The totals as it read them last; none if nothing answers yet.
fn read(host: &Host) -> Totals {
    let mut curl = Command::new("curl");
    let address = format!("http://{LISTEN}/api/v1/allmetrics?format=prometheus&source=raw");
    curl.args(["--silent", &address]);
    let text = host.namespace().output(&mut curl).unwrap_or_default();
    text.lines().filter_map(total).collect()
}

/// Of `netdata_ipvs_net_total{chart="ipvs.net",…,dimension="sent"} 6836 1795373942278`.
fn total(line: &str) -> Option<((String, String), u64)> {
    let labels = line.strip_prefix("netdata_ipvs_")?;
    let (labels, values) = labels.split_once("} ")?;
    let label = |name: &str| {
        let (_, value) = labels.split_once(&format!("{name}=\""))?;
        value.split('"').next()
    };
    let chart = label("chart")?.strip_prefix("ipvs.")?.to_owned();
    let value = values.split(' ').next()?.parse().ok()?;
    Some(((chart, label("dimension")?.to_owned()), value))
}

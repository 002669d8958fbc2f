//! Debian's prometheus-node-exporter: its collector of IPVS reads the files that
//! `vsnat proc --dir` keeps.

use std::collections::BTreeMap;
use std::process::Command;

use nix::sys::signal::Signal;

use crate::counters::Counted;
use crate::host::Host;
use crate::process::Running;
use crate::programs;

const LISTEN: &str = "127.0.0.1:9100";

/// The totals, in the order of ipvsadm's columns.
const TOTALS: [&str; 5] = [
    "node_ipvs_connections_total",
    "node_ipvs_incoming_packets_total",
    "node_ipvs_outgoing_packets_total",
    "node_ipvs_incoming_bytes_total",
    "node_ipvs_outgoing_bytes_total",
];
/// What it tells of every server, in the order of ipvsadm's columns.
const OF_SERVERS: [&str; 3] = [
    "node_ipvs_backend_weight",
    "node_ipvs_backend_connections_active",
    "node_ipvs_backend_connections_inactive",
];

/// Metrics with their labels, and their values.
type Metrics = BTreeMap<String, u64>;

#[test]
fn its_metrics_are_the_figures_of_ipvsadm() {
    let counted = Counted::start("othersprom");
    let host = Host::new(&counted.scene);
    let proc = host.file("proc");
    let keeper = counted.keep_files(&host, &proc);

    let exporter = "usr/bin/prometheus-node-exporter";
    let exporter = programs::find(exporter, "prometheus-node-exporter");
    let mut exporter = Command::new(exporter);
    exporter.args(["--collector.disable-defaults", "--collector.ipvs"]);
    exporter.arg(format!("--web.listen-address={LISTEN}"));
    exporter.arg(format!("--path.procfs={}", proc.display()));
    let log = host.file("exporter.log");
    let mut exporter = Running::start(host.namespace(), &mut exporter, &log);

    let expected = listed(&counted);
    assert_eq!(expected[TOTALS[0]], 12, "connections: {expected:?}");
    exporter.until(&expected, || scraped(&host));

    // What changes is told with the next scrape.
    counted
        .scene
        .ipvsadm("-e -t 192.168.28.167:80 -r 10.0.100.11:80 -m -w 77");
    counted.scene.ipvsadm("-D -f 7");
    let changed = listed(&counted);
    assert_ne!(changed, expected);
    exporter.until(&changed, || scraped(&host));

    assert_eq!(keeper.end(Signal::SIGTERM), Some(0));
    // Without files there is no metric, rather than an old one.
    let absent = Metrics::new();
    exporter.until(&absent, || scraped(&host));
}

/// The metrics as Prometheus would read them; none if nothing answers yet.
fn scraped(host: &Host) -> Metrics {
    let mut curl = Command::new("curl");
    curl.args(["--silent", &format!("http://{LISTEN}/metrics")]);
    let text = host.namespace().output(&mut curl).unwrap_or_default();
    let lines = text.lines().filter(|line| line.starts_with("node_ipvs_"));
    let values = lines.map(|line| {
        let (name, value) = line.rsplit_once(' ').unwrap();
        // Large ones are written with an exponent.
        let value: f64 = value.parse().unwrap();
        (name.to_owned(), value as u64)
    });
    values.collect()
}

/// The same out of ipvsadm's listings.
fn listed(counted: &Counted) -> Metrics {
    let totals = counted.totals();
    let names = TOTALS.map(str::to_owned);
    let mut metrics: Metrics = names.into_iter().zip(totals).collect();
    for row in counted.rows("-Ln") {
        let [protocol, service, server, _, weight, active, inactive] = &row[..] else {
            panic!("not a server: {row:?}");
        };
        let (local, port, mark) = match protocol.as_str() {
            "FWM" => {
                let mark: u32 = service.parse().unwrap();
                ("", "0", format!("{mark:08X}"))
            }
            _ => {
                let (local, port) = service.split_once(':').unwrap();
                (local, port, String::new())
            }
        };
        let (remote, remote_port) = server.split_once(':').unwrap();
        let labels = format!(
            "{{local_address=\"{local}\",local_mark=\"{mark}\",local_port=\"{port}\",\
             proto=\"{protocol}\",remote_address=\"{remote}\",remote_port=\"{remote_port}\"}}"
        );
        for (name, value) in OF_SERVERS.iter().zip([weight, active, inactive]) {
            metrics.insert(format!("{name}{labels}"), value.parse().unwrap());
        }
    }
    metrics
}

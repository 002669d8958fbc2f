//! The chains of the path benchmark: whatever directs, every packet arrives,
//! translated as it should be. A packet that does not ends the measurement.

use vsnat_bench::path::{Contender, Options, PathError, Row, path};

fn small() -> Options {
    assert!(
        nix::unistd::geteuid().is_root(),
        "this test makes network namespaces and loads eBPF programs: run it with sudo"
    );
    Options {
        contenders: vec![Contender::Vsnat, Contender::Nftables],
        flows: 300,
        many: 5_000,
        packets: 700,
        repetitions: 3,
        ..Options::default()
    }
}

#[test]
fn every_packet_of_every_director_arrives() {
    let mut told = Vec::new();
    let report = path(&small(), |line| told.push(line.to_owned())).unwrap();
    let rows: Vec<Row> = report.figures.iter().map(|figure| figure.row).collect();
    let wanted = [
        Row::Sender,
        Row::Routing,
        Row::RoutingReplies,
        Row::Vsnat,
        Row::VsnatReplies,
        Row::NotOurs,
        Row::Nftables,
        Row::NftablesReplies,
        Row::RoutingMany,
        Row::VsnatMany,
    ];
    assert_eq!(rows, wanted);
    for figure in &report.figures {
        assert_eq!(figure.slices_ns.len(), 3, "{}", figure.name);
        assert!(figure.ns.low > 0.0, "{}", figure.name);
    }
    assert_eq!(report.goals.len(), 6);
    assert!(told.iter().any(|line| line.contains("measuring 10 rows")));
    let left = std::fs::read_dir("/sys/fs/bpf/vsnat").into_iter().flatten();
    let own = format!("bench-{}-", std::process::id());
    let left = left.flatten().map(|entry| entry.file_name());
    assert!(
        left.into_iter()
            .all(|name| !name.to_string_lossy().starts_with(&own))
    );
}

#[test]
fn nothing_to_measure_is_refused() {
    let refused = |options| path(&options, |_| {}).unwrap_err();
    let options = Options {
        repetitions: 0,
        ..small()
    };
    assert!(matches!(refused(options), PathError::Nothing));
    let options = Options {
        flows: 0,
        ..small()
    };
    assert!(matches!(refused(options), PathError::Flows { .. }));
}

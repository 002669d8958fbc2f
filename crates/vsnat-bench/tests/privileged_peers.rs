//! The comparison with peers in small: every director carries every kind of load to
//! all real servers, and the figures are complete.

use std::path::Path;
use std::time::Duration;

use vsnat_bench::peers::{self, Options, Peer};
use vsnat_lab::{Cancel, LabName, Namespace};

/// Where `cargo xtask setup` unpacks the other programs.
const PROGRAMS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/peers/root");
const NAME: &str = "peerstest";
const REPETITIONS: u32 = 2;

#[test]
fn everybody_carries_everything_to_all_servers() {
    let options = Options {
        name: LabName::new(NAME).unwrap(),
        programs: Path::new(PROGRAMS).to_owned(),
        object: None,
        peers: Peer::ALL.to_vec(),
        // Keep-alive, a connection for each request, and UDP.
        filter: "64 B, 32".to_owned(),
        repetitions: REPETITIONS,
        run: Duration::from_millis(100),
        warm_up: Duration::from_millis(50),
    };
    let mut told = Vec::new();
    let report = peers::run(&options, &Cancel::default(), |row| {
        told.push(row.name.clone());
    })
    .unwrap();

    assert_eq!(told.len(), 3, "{told:?}");
    for row in &report.rows {
        for peer in Peer::ALL {
            let runs: Vec<_> = row.of(peer).collect();
            let expected = if peer.can(row.row.manner) {
                REPETITIONS
            } else {
                0
            };
            assert_eq!(runs.len() as u32, expected, "{}: {peer}", row.name);
            for run in runs {
                assert_eq!(run.failed, 0, "{}: {run:?}", row.name);
                assert!(run.requests > 0 && run.p999_us >= run.p50_us, "{run:?}");
                assert!(run.busy_us_per_request.is_finite(), "{run:?}");
                assert_eq!(run.server_packets.len(), 4);
                assert!(
                    run.server_packets.iter().all(|packets| *packets > 0),
                    "{run:?}"
                );
            }
        }
    }
    let text = peers::rest(&report, &peers::verdicts(&report));
    assert!(text.contains("geometric mean") && text.contains("every request is answered"));
    assert!(peers::chart(&report).contains("per request, 64 B, 32"));
    let left = Namespace::with_prefix(&options.name.prefix()).unwrap();
    assert!(left.is_empty(), "{left:?}");
}

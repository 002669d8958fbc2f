//! A director that makes room for one with other programs while requests run.

use std::env;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use vsnat_lab::{Director, Stop};

use crate::bed::{Bed, Shape};
use crate::held::Held;
use crate::pinned;
use crate::web::{Answered, Web, repeated_syns};

const PER_REQUEST: Duration = Duration::from_millis(4);
/// Ten seconds of load, of which a replacement takes about one.
const REQUESTS: u64 = 10_000;
/// The kernel lets go of a program some moments after its last user.
const PATIENCE: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(100);

const SHAPE: Shape = Shape {
    servers: 4,
    connections: 262_144,
    timeouts: "tcp_time_wait = \"2s\"\ntcp_close = \"1s\"\ntcp_fin_wait = \"5s\"\n\
               tcp_close_wait = \"5s\"\ntcp_last_ack = \"5s\"\n",
    more_vips: &[],
};

#[test]
fn nobody_notices_that_the_programs_are_replaced() {
    let mut bed = Bed::new("scbnew", &SHAPE);
    let web = Web::start(&bed, PER_REQUEST);
    let mut held = Held::open(&bed);
    let built_in = bed.status().sweeper.expected_version;

    let other = other_object().display().to_string();
    let other = ["--bpf-object".to_owned(), other];
    replace(&mut bed, &web, Stop::LeaveForwarding, &other);
    held.assert_alive();
    assert_ne!(bed.status().sweeper.version, built_in);

    replace(&mut bed, &web, Stop::Kill, &[]);
    held.assert_alive();
    assert_eq!(bed.status().sweeper.version, built_in);

    drop(held);
    bed.assert_all_freed(Duration::from_secs(30));
}

/// Ends the director under load and starts one with these arguments.
fn replace(bed: &mut Bed, web: &Web, how: Stop, arguments: &[String]) {
    let lab = bed.options.lab.clone();
    let (seen, repeated) = (web.connections(), repeated_syns(&bed.cluster));
    let old_version = bed.status().sweeper.version;
    let old_programs = pinned::programs(&lab);
    let listed = Held::listed(bed);

    let answered = Answered::default();
    let mut options = bed.options.clone();
    options.arguments = arguments.to_vec();
    let load = thread::scope(|scope| {
        let load = scope.spawn(|| web.ask(&bed.cluster, REQUESTS, &answered));
        answered.wait_for(REQUESTS / 3);
        let director = bed.director.take().expect("a running director");
        director.stop(how).unwrap();
        bed.director = Some(Director::start(options).unwrap());
        let during = answered.count();
        assert!(during < REQUESTS, "the load ended before the replacement");
        println!(
            "{how:?}: replaced between requests {} and {during}",
            REQUESTS / 3
        );
        load.join().unwrap()
    });
    assert_eq!(load.failures.total(), 0, "{:?}", load.failures);
    assert_eq!(web.connections() - seen, REQUESTS);
    assert_eq!(repeated_syns(&bed.cluster), repeated);
    assert_eq!(Held::listed(bed), listed);

    let sweeper = bed.status().sweeper;
    assert_ne!(sweeper.version, old_version);
    assert_eq!(sweeper.version, sweeper.expected_version);
    thread::sleep(POLL);
    let later = bed.status().sweeper;
    assert_eq!(later.version, sweeper.version);
    assert!(later.ticks > sweeper.ticks, "{sweeper:?} {later:?}");

    let deadline = Instant::now() + PATIENCE;
    while pinned::programs(&lab)
        .keys()
        .any(|id| old_programs.contains_key(id))
    {
        let now = pinned::programs(&lab);
        assert!(
            Instant::now() < deadline,
            "old {old_programs:?}, now {now:?}"
        );
        thread::sleep(POLL);
    }
    let mut names: Vec<String> = pinned::programs(&lab).into_values().collect();
    names.sort();
    // The kernel keeps fifteen bytes of a name.
    let wanted = [
        "vsnat_arm",
        "vsnat_begin",
        "vsnat_divide",
        "vsnat_hand_over",
        "vsnat_inner",
        "vsnat_inner_err",
        "vsnat_inner_exp",
        "vsnat_inner_par",
        "vsnat_inner_res",
        "vsnat_outer",
        "vsnat_outer_alo",
        "vsnat_outer_cho",
        "vsnat_outer_err",
        "vsnat_outer_exp",
        "vsnat_outer_ope",
        "vsnat_outer_par",
        "vsnat_outer_ref",
        "vsnat_outer_sen",
        "vsnat_outer_six",
        "vsnat_six_error",
        "vsnat_six_out",
    ];
    assert_eq!(names, wanted);
}

/// Programs of the same layout whose sweeper ticks half as often.
fn other_object() -> PathBuf {
    let default = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../target/vsnat-ebpf/vsnat-other.o"
    );
    let named = env::var_os("VSNAT_EBPF_OTHER_OBJECT").map(PathBuf::from);
    let object = named.unwrap_or_else(|| Path::new(default).to_owned());
    assert!(
        object.exists(),
        "{} is missing; `cargo xtask build-ebpf` makes it",
        object.display()
    );
    object
}

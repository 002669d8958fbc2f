//! A director that is killed and left dead for a minute.

use std::thread;
use std::time::{Duration, Instant};

use vsnat_lab::{Director, Stop};

use crate::bed::{Bed, Shape};
use crate::held::{self, Held};
use crate::pinned;
use crate::web::{Answered, Web, repeated_syns};

/// Far fewer than the requests: slots must be used again and again.
const SLOTS: u32 = 4_096;
/// Four servers together do 800 requests a second, which the short timeouts
/// let the table hold.
const PER_REQUEST: Duration = Duration::from_millis(5);
const REQUESTS: u64 = 30_000;
/// Keeps the dead director's data plane at work for the rest of the minute.
const MORE_REQUESTS: u64 = 20_000;
const DEAD: Duration = Duration::from_secs(60);
const PATIENCE: Duration = Duration::from_secs(30);

const SHAPE: Shape = Shape {
    servers: 4,
    connections: SLOTS,
    timeouts: "tcp_time_wait = \"1s\"\ntcp_close = \"1s\"\ntcp_fin_wait = \"5s\"\n\
               tcp_close_wait = \"5s\"\ntcp_last_ack = \"5s\"\n",
    more_vips: &[],
};

#[test]
fn nobody_notices_a_director_that_is_dead_for_a_minute() {
    let mut bed = Bed::new("scbkill", &SHAPE);
    let lab = bed.options.lab.clone();
    let web = Web::start(&bed, PER_REQUEST);
    let mut held = Held::open(&bed);
    let listed = Held::listed(&bed);

    let answered = Answered::default();
    let (first, died, before) = thread::scope(|scope| {
        let load = scope.spawn(|| web.ask(&bed.cluster, REQUESTS, &answered));
        answered.wait_for(REQUESTS / 3);
        let director = bed.director.take().expect("a running director");
        director.stop(Stop::Kill).unwrap();
        assert!(answered.count() < REQUESTS / 2, "killed too late");
        let (died, before) = (Instant::now(), pinned::sweep(&lab));
        (load.join().unwrap(), died, before)
    });
    let second = web.ask(&bed.cluster, MORE_REQUESTS, &answered);
    held.assert_alive();
    thread::sleep(DEAD.saturating_sub(died.elapsed()));
    let after = pinned::sweep(&lab);

    for load in [&first, &second] {
        assert_eq!(load.failures.total(), 0, "{:?}", load.failures);
    }
    assert_eq!(web.connections(), REQUESTS + MORE_REQUESTS);
    assert_eq!(repeated_syns(&bed.cluster), 0);
    let (expired, freed) = (after.expired - before.expired, after.freed - before.freed);
    println!(
        "dead for {:?}: {} ticks, {expired} connections expired, {freed} slots freed",
        died.elapsed(),
        after.ticks - before.ticks
    );
    assert_eq!(after.version, before.version);
    assert!(after.ticks > before.ticks);
    // More than every slot once: those that were free were used again.
    let reused = 3 * u64::from(SLOTS);
    assert!(expired > reused && freed > reused, "{expired}, {freed}");

    bed.director = Some(Director::start(bed.options.clone()).unwrap());
    assert_eq!(Held::listed(&bed), listed);
    held.assert_alive();
    assert_eq!(bed.reason("table_full"), 0);
    bed.wait_for_live(held::CONNECTIONS as u32, PATIENCE);
    let opened = REQUESTS + MORE_REQUESTS + held::CONNECTIONS as u64;
    assert_eq!(bed.reason("opened"), opened);
    assert_eq!(bed.status().sweeper.expired, REQUESTS + MORE_REQUESTS);

    drop(held);
    bed.assert_all_freed(PATIENCE);
}

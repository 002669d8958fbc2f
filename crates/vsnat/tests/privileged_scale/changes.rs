//! The same clients while the administrator changes everything: servers go and
//! come back, weights, schedulers, thresholds and settings change, and the
//! daemon is killed. What clients see may break; what is counted may not.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use vsnat_api::Scheduler;
use vsnat_lab::load::SourcePool;
use vsnat_lab::{CLIENTS, Director, Stop};

use crate::bed::Bed;
use crate::churn::{PATIENCE, SERVICES, SHAPE, add_services, run_clients, server_port, watch};
use crate::streams::{Close, close};

/// Between two changes.
const PAUSE: Duration = Duration::from_millis(30);
/// Repetitions of each kind of change.
const ROUNDS: usize = 3;

#[test]
fn counts_are_exact_after_changes_under_load() {
    let mut bed = Bed::new("scbchange", &SHAPE);
    let _servers = add_services(&bed);
    let sources = SourcePool::new(&CLIENTS);
    for round in 0..ROUNDS {
        let expire = format!("expire_nodest_conn={}", round % 2);
        bed.director().ctl(&["set", &expire]).unwrap();
        let done = AtomicBool::new(false);
        let held = thread::scope(|scope| {
            let clients = scope.spawn(|| run_clients(&bed, &sources));
            scope.spawn(|| watch(&bed, &done));
            while !clients.is_finished() {
                change_servers(&bed, round);
                change_services(&bed, round);
            }
            done.store(true, Ordering::Relaxed);
            let (seen, held) = clients.join().unwrap();
            println!("{expire}: {seen:?}");
            held
        });
        for socket in held {
            close(socket, Close::Reset);
        }
        restart(&mut bed);
        bed.assert_at_rest(PATIENCE);
        assert_eq!(bed.reason("kernel"), 0);
    }
}

/// One server of each service is taken away and put back, another rests.
fn change_servers(bed: &Bed, round: usize) {
    let servers = bed.cluster.servers();
    let (_, gone) = servers[round % servers.len()];
    let (_, resting) = servers[(round + 1) % servers.len()];
    for (service, _, server_options) in SERVICES {
        let port = server_port(service);
        let (gone, resting) = (gone.ip(), resting.ip());
        bed.ipvsadm(&format!("-d {service} -r {gone}:{port}"));
        let rests = format!("-e {service} -r {resting}:{port} -m {server_options}");
        bed.ipvsadm(&format!("{rests} -w 0"));
        thread::sleep(PAUSE);
        let again = format!("-a {service} -r {gone}:{port} -m {server_options}");
        bed.ipvsadm(&format!("{again} -w 100"));
        bed.ipvsadm(&format!("{rests} -w 100"));
    }
}

/// Every service gets another scheduler, some lose and get what keeps clients.
fn change_services(bed: &Bed, round: usize) {
    for (scheduler, (service, options, _)) in Scheduler::ALL.iter().skip(4 * round).zip(SERVICES) {
        bed.ipvsadm(&format!("-E {service} -s {scheduler}"));
        thread::sleep(PAUSE);
        bed.ipvsadm(&format!("-E {service} -s {scheduler} {options}"));
    }
}

/// A new daemon must take over what the old one left.
fn restart(bed: &mut Bed) {
    let director = bed.director.take().expect("a running director");
    director.stop(Stop::Kill).unwrap();
    bed.director = Some(Director::start(bed.options.clone()).unwrap());
}

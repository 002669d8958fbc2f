//! Two CPUs for two threads: packets are handled where they are sent.

use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;

/// The first two CPUs this process may use.
pub fn two() -> [usize; 2] {
    let allowed = sched_getaffinity(Pid::from_raw(0)).unwrap();
    let is_allowed = |cpu: &usize| allowed.is_set(*cpu).unwrap_or(false);
    let mut cpus = (0..CpuSet::count()).filter(is_allowed);
    match (cpus.next(), cpus.next()) {
        (Some(first), Some(second)) => [first, second],
        _ => panic!("this test lets two CPUs race and needs a machine with two of them"),
    }
}

/// Keeps the calling thread on one CPU.
pub fn stay_on(cpu: usize) {
    let mut set = CpuSet::new();
    set.set(cpu).unwrap();
    sched_setaffinity(Pid::from_raw(0), &set).unwrap();
}

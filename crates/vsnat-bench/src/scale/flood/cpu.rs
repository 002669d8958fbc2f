//! Which CPU does what.

use std::io;

use nix::sched::{CpuSet, sched_setaffinity};
use nix::unistd::Pid;

use crate::scale::ScaleError;

/// The attacker, and all that the flood causes at once.
pub const ATTACKING: usize = 0;
/// Both ends of the established traffic, the director's work for it, and the
/// sweeper.
pub const ATTACKED: usize = 1;

/// Keeps the calling thread, and those it starts, on one CPU.
pub fn stay_on(cpu: usize) -> Result<(), ScaleError> {
    let mut set = CpuSet::new();
    let done = set
        .set(cpu)
        .and_then(|()| sched_setaffinity(Pid::from_raw(0), &set));
    done.map_err(io::Error::from).map_err(ScaleError::io(
        "stay on one of two CPUs; the flood needs two",
    ))
}

//! The price of looking at the clock, and of one read of memory.

use std::hint::black_box;
use std::time::Instant;

use nix::sched::{CpuSet, sched_setaffinity};
use nix::unistd::Pid;

use crate::BenchError;

/// Larger than any cache.
const MEMORY: usize = 256 << 20;
const READS: u32 = 2_000_000;

/// Keeps the calling thread on one CPU, where its tables stay warm.
pub fn pin() -> Result<(), BenchError> {
    let failed = |error: nix::Error| BenchError::System {
        doing: "stay on one CPU",
        source: error.into(),
    };
    let mut set = CpuSet::new();
    set.set(0).map_err(failed)?;
    sched_setaffinity(Pid::from_raw(0), &set).map_err(failed)
}

/// Nanoseconds of one read at a place of memory that the read before it told:
/// nothing can fetch it ahead.
pub fn random_read_ns() -> f64 {
    let words = MEMORY / size_of::<u32>();
    let mut next: Vec<u32> = (0..words as u32).collect();
    // Sattolo's shuffle: one cycle through all places.
    let mut chance = 0x9e37_79b9_7f4a_7c15_u64;
    for place in (1..words).rev() {
        chance ^= chance << 13;
        chance ^= chance >> 7;
        chance ^= chance << 17;
        next.swap(place, (chance % place as u64) as usize);
    }
    let mut place = 0u32;
    let start = Instant::now();
    for _ in 0..READS {
        place = next[place as usize];
    }
    let lasted = start.elapsed();
    black_box(place);
    lasted.as_secs_f64() * 1e9 / f64::from(READS)
}

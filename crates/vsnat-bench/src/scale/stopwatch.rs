//! How long something takes, and how much of that is its own doing: other
//! programs on the same CPUs do not count against it, but waiting does.

use std::mem::zeroed;
use std::time::Instant;

/// What a piece of work took.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spent {
    /// From its beginning to its end.
    pub us: f64,
    /// On the CPU, in the kernel too.
    pub own_us: f64,
    /// How often it left the CPU by itself.
    pub waits: i64,
}

/// Runs for the calling thread.
pub(super) struct Stopwatch {
    start: Instant,
    own_us: f64,
    waits: i64,
}

impl Stopwatch {
    pub fn start() -> Self {
        Stopwatch {
            waits: waits(),
            own_us: own_us(),
            start: Instant::now(),
        }
    }

    pub fn stop(self) -> Spent {
        let us = self.start.elapsed().as_secs_f64() * 1e6;
        Spent {
            us,
            own_us: own_us() - self.own_us,
            waits: waits() - self.waits,
        }
    }
}

fn own_us() -> f64 {
    // SAFETY: a plain C structure, for which all zeros are valid.
    let mut time: libc::timespec = unsafe { zeroed() };
    // SAFETY: the kernel fills in the time; every thread has this clock.
    unsafe {
        libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time);
    }
    time.tv_sec as f64 * 1e6 + time.tv_nsec as f64 / 1e3
}

fn waits() -> i64 {
    // SAFETY: a plain C structure, for which all zeros are valid.
    let mut usage: libc::rusage = unsafe { zeroed() };
    // SAFETY: the kernel fills in what the thread used.
    unsafe {
        libc::getrusage(libc::RUSAGE_THREAD, &raw mut usage);
    }
    usage.ru_nvcsw
}

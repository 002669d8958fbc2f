//! Waiting for the signals that end a program.

use std::io::{self, Error};
use std::mem::MaybeUninit;
use std::ptr;
use std::time::Duration;

const ENDS: [libc::c_int; 3] = [libc::SIGTERM, libc::SIGINT, libc::SIGHUP];

/// The signals that end a program, held back until they are waited for.
pub struct EndSignals {
    set: libc::sigset_t,
}

/// Why a wait is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Woken {
    ByTime,
    ByEnd,
}

impl EndSignals {
    /// Holds them back from now on; to be called while there is one thread.
    pub fn hold() -> io::Result<Self> {
        let mut set = MaybeUninit::uninit();
        // SAFETY: it makes an empty set of the memory it is given.
        unsafe { libc::sigemptyset(set.as_mut_ptr()) };
        // SAFETY: it was made a set just now.
        let mut set = unsafe { set.assume_init() };
        for signal in ENDS {
            // SAFETY: a valid set and the number of a signal.
            unsafe { libc::sigaddset(&raw mut set, signal) };
        }
        // SAFETY: a valid set; the old mask is not asked for.
        match unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, &raw const set, ptr::null_mut()) } {
            0 => Ok(EndSignals { set }),
            error => Err(Error::from_raw_os_error(error)),
        }
    }

    /// Waits for one of them, or until some time is over.
    pub fn wait(&self, time: Duration) -> io::Result<Woken> {
        let time = libc::timespec {
            tv_sec: libc::time_t::try_from(time.as_secs()).unwrap_or(libc::time_t::MAX),
            tv_nsec: time.subsec_nanos().into(),
        };
        // SAFETY: a valid set and time; what the signal carries is not asked for.
        let signal =
            unsafe { libc::sigtimedwait(&raw const self.set, ptr::null_mut(), &raw const time) };
        if signal > 0 {
            return Ok(Woken::ByEnd);
        }
        match Error::last_os_error() {
            // Stopped and continued, for instance: a wait that was shorter.
            error if error.kind() == io::ErrorKind::Interrupted => Ok(Woken::ByTime),
            error if error.raw_os_error() == Some(libc::EAGAIN) => Ok(Woken::ByTime),
            error => Err(error),
        }
    }
}

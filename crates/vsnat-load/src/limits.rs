//! The limit on open files, which is one on connections.

use std::io;

use crate::LoadError;

/// Files that a process has open besides its connections: standard streams,
/// the event loops, and what the caller has.
const OTHER_FILES: u64 = 64;

/// Makes room for so many connections: the process's own limit is raised as far
/// as it may raise it.
pub(crate) fn allow(connections: usize) -> Result<(), LoadError> {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: the kernel writes one rlimit where it is told to.
    if unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) } != 0 {
        return Err(failed());
    }
    let needed = connections as u64 + OTHER_FILES;
    if needed <= limit.rlim_cur {
        return Ok(());
    }
    if needed > limit.rlim_max {
        return Err(LoadError::TooManyConnections {
            wanted: connections,
            limit: limit.rlim_max.saturating_sub(OTHER_FILES),
        });
    }
    limit.rlim_cur = needed;
    // SAFETY: a valid rlimit, no more than the hard limit.
    match unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) } {
        0 => Ok(()),
        _ => Err(failed()),
    }
}

fn failed() -> LoadError {
    LoadError::io("raise the limit on open files")(io::Error::last_os_error())
}

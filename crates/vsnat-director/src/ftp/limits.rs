//! The limits of FTP's helper, each with its reason.

use std::time::Duration;

/// Control connections at a time: as many as data connections can be expected.
/// Each takes two sockets and a few kilobytes.
pub const CONTROLS: usize = vsnat_abi::expected::EXPECTED as usize;

/// Files that the daemon needs besides: maps, programs, its API.
const OTHER_FILES: u64 = 512;

/// A service is helped at once where the daemon made it; this is for the rest.
pub const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// How long a server may take to answer a call. Clients wait for a greeting
/// longer than that.
pub const CALL: Duration = Duration::from_secs(10);

/// How long clients may take for the last words of a helper that ends.
pub const LAST_WORDS: Duration = Duration::from_secs(1);

/// How long a client may hold a connection that its server has closed.
pub const AFTER_SERVER: Duration = Duration::from_secs(60);

/// A peer of a silent control connection is asked for a sign of life so often:
/// its answers keep the connection in the packet path while a long file is
/// under way, so this must be well below `[timeouts]` of TCP.
pub const ALIVE: Duration = Duration::from_secs(30);
/// After so many questions without an answer a peer is gone.
pub const ALIVE_TRIES: u32 = 8;

/// Connections that wait to be accepted.
pub const BACKLOG: i32 = 1_024;

/// What is read at a time: a line is a tenth as long.
pub const READ: usize = 2_048;

/// Raises the limit of open files, as far as the host allows.
pub fn allow_files() {
    let wanted = 2 * CONTROLS as u64 + OTHER_FILES;
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: the kernel fills in the limit.
    let known = unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) } == 0;
    if !known || limit.rlim_cur >= wanted {
        return;
    }
    // With CAP_SYS_RESOURCE, which root has, the hard limit may grow too.
    let raised = libc::rlimit {
        rlim_cur: wanted,
        rlim_max: limit.rlim_max.max(wanted),
    };
    let allowed = libc::rlimit {
        rlim_cur: limit.rlim_max.min(wanted),
        rlim_max: limit.rlim_max,
    };
    // SAFETY: plain numbers, which the kernel copies.
    let done = unsafe {
        libc::setrlimit(libc::RLIMIT_NOFILE, &raw const raised) == 0
            || libc::setrlimit(libc::RLIMIT_NOFILE, &raw const allowed) == 0
    };
    if !done {
        tracing::warn!("the limit of open files stays at {}", limit.rlim_cur);
    }
}

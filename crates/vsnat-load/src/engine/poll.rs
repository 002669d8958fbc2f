//! Waiting for sockets, to the microsecond.
//!
//! An open loop sends at moments that are microseconds apart; the kernel's
//! older calls for waiting count in milliseconds, and the common libraries use
//! those. Hence epoll_pwait2, there since Linux 5.11.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::ptr;
use std::time::Duration;

/// Sockets that are told of in one system call.
const BATCH: usize = 256;
/// How much later than asked for the kernel may wake a thread, to save power:
/// its default is 50 µs, more than a request takes on a fast link.
const TIMER_SLACK_NS: libc::c_ulong = 1;

/// An event loop's set of sockets.
#[derive(Debug)]
pub(super) struct Poll {
    epoll: OwnedFd,
    events: Vec<libc::epoll_event>,
}

/// What became of a socket.
#[derive(Clone, Copy, Debug)]
pub(super) struct Event {
    /// What it was added under.
    pub token: u64,
    flags: u32,
}

impl Event {
    pub fn is_readable(self) -> bool {
        self.has(libc::EPOLLIN | libc::EPOLLRDHUP | libc::EPOLLERR | libc::EPOLLHUP)
    }

    pub fn is_writable(self) -> bool {
        self.has(libc::EPOLLOUT | libc::EPOLLERR | libc::EPOLLHUP)
    }

    /// Whether the other side has closed: nothing follows what is there now.
    pub fn is_last(self) -> bool {
        self.has(libc::EPOLLRDHUP)
    }

    fn has(self, flags: libc::c_int) -> bool {
        self.flags & flags as u32 != 0
    }
}

impl Poll {
    pub fn new() -> io::Result<Self> {
        // SAFETY: no pointer; the descriptor that comes back is nobody else's.
        let fd = unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: opened just now, and owned here alone.
        let epoll = unsafe { OwnedFd::from_raw_fd(fd) };
        let none = libc::epoll_event { events: 0, u64: 0 };
        Ok(Poll {
            epoll,
            events: vec![none; BATCH],
        })
    }

    /// Makes the calling thread wake in time.
    pub fn be_punctual() {
        // A kernel that refuses wakes it a little later.
        // SAFETY: sets a number of the calling thread.
        let _ = unsafe { libc::prctl(libc::PR_SET_TIMERSLACK, TIMER_SLACK_NS) };
    }

    /// Tells of every change of a socket from now on, until it is closed.
    pub fn add(&self, socket: &impl AsRawFd, token: u64) -> io::Result<()> {
        let flags = libc::EPOLLIN | libc::EPOLLOUT | libc::EPOLLRDHUP | libc::EPOLLET;
        let mut event = libc::epoll_event {
            events: flags as u32,
            u64: token,
        };
        // SAFETY: both descriptors are open while they are borrowed here, and
        // the kernel copies the event.
        let added = unsafe {
            libc::epoll_ctl(
                self.epoll.as_raw_fd(),
                libc::EPOLL_CTL_ADD,
                socket.as_raw_fd(),
                &raw mut event,
            )
        };
        match added {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    }

    /// Waits for events, at most so long, and tells how many there are.
    pub fn wait(&mut self, time: Duration) -> io::Result<usize> {
        let time = libc::timespec {
            tv_sec: libc::time_t::try_from(time.as_secs()).unwrap_or(libc::time_t::MAX),
            tv_nsec: time.subsec_nanos().into(),
        };
        // SAFETY: the kernel writes at most as many events as there is room
        // for, and reads a valid time; no signal mask is given.
        let count = unsafe {
            libc::syscall(
                libc::SYS_epoll_pwait2,
                self.epoll.as_raw_fd(),
                self.events.as_mut_ptr(),
                self.events.len() as libc::c_int,
                &raw const time,
                ptr::null::<libc::sigset_t>(),
                0usize,
            )
        };
        if let Ok(count) = usize::try_from(count) {
            return Ok(count);
        }
        match io::Error::last_os_error() {
            error if error.kind() == io::ErrorKind::Interrupted => Ok(0),
            error => Err(error),
        }
    }

    /// One of the events that the last wait told of.
    pub fn event(&self, number: usize) -> Option<Event> {
        // Copied field by field: the kernel's record is packed.
        self.events.get(number).map(|event| Event {
            token: event.u64,
            flags: event.events,
        })
    }
}

//! What a connection's peers say to each other, and how long they are waited for.

use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use anyhow::Result;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

/// Within one machine a packet arrives at once or never; below the second after
/// which TCP repeats a SYN.
pub const PATIENCE: Duration = Duration::from_millis(300);
/// One-packet services leave answers untranslated by default: many never arrive.
pub const ANSWER_PATIENCE: Duration = Duration::from_millis(100);

/// Which of the sockets are ready, once at least one is, or none in time.
pub fn wait(
    sockets: &[BorrowedFd<'_>],
    events: PollFlags,
    patience: Duration,
) -> Result<Vec<usize>> {
    let deadline = Instant::now() + patience;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        // Rounded up: a last wait of no time would spin.
        let milliseconds = u16::try_from(left.as_millis() + 1).unwrap_or(u16::MAX);
        let mut polled: Vec<PollFd> = sockets
            .iter()
            .map(|socket| PollFd::new(*socket, events))
            .collect();
        let ready = match poll(&mut polled, PollTimeout::from(milliseconds)) {
            Ok(ready) => ready,
            Err(nix::errno::Errno::EINTR) => continue,
            Err(error) => return Err(error.into()),
        };
        if ready == 0 && Instant::now() < deadline {
            continue;
        }
        let any = |poll: &PollFd| poll.any().unwrap_or(false);
        let indices = polled.iter().enumerate().filter(|(_, poll)| any(poll));
        return Ok(indices.map(|(index, _)| index).collect());
    }
}

/// Whether one socket has something to read, or its end.
pub fn readable(socket: &impl AsFd) -> Result<bool> {
    Ok(!wait(&[socket.as_fd()], PollFlags::POLLIN, PATIENCE)?.is_empty())
}

//! One thread of a run: sends what is due, takes what comes, gives up what
//! takes too long.
//!
//! A socket is told of once per change, so it is read until nothing is left.
//! Nothing is allocated for a request.

use std::collections::VecDeque;
use std::io::{self, Read};
use std::time::{Duration, Instant};

use super::outcome::Closer;
use super::pace::{Next, Pace};
use super::poll::{Event, Poll};
use super::slot::{Slot, Stage, place};
use super::{Protocol, Received, Share, Transport};
use crate::Observer;
use crate::failure::Failure;
use crate::plan::{AtEnd, Drive, LoadPlan};
use crate::result::LoadResult;
use crate::socket;

/// Several segments in one read; small enough for a CPU's own cache.
const BUFFER_BYTES: usize = 64 * 1024;
/// So often the observer is asked whether the run is over, at least.
const LOOK: Duration = Duration::from_millis(20);
/// Requests may outlive their time by this share of it.
const LATENESS: u32 = 20;
/// How a thread came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    Done,
    Interrupted,
}

pub(super) struct Worker<'a, P: Protocol> {
    pub(super) plan: &'a LoadPlan,
    pub(super) protocol: &'a P,
    observer: &'a dyn Observer,
    pace: Pace<'a>,
    begin: Instant,
    poll: Poll,
    pub(super) slots: Vec<Slot<P::Exchange>>,
    pub(super) free: VecDeque<usize>,
    pub(super) resting: VecDeque<(Instant, usize)>,
    /// Slots that are not free.
    pub(super) busy: usize,
    is_over: bool,
    buffer: Vec<u8>,
    pub(super) result: LoadResult,
    pub(super) last_good: Option<Instant>,
}

impl<'a, P: Protocol> Worker<'a, P> {
    pub fn new(
        plan: &'a LoadPlan,
        protocol: &'a P,
        observer: &'a dyn Observer,
        pace: Pace<'a>,
        begin: Instant,
        connections: usize,
    ) -> io::Result<Self> {
        let mut result = LoadResult::new(plan.timeout);
        if let Drive::Open { .. } = plan.drive {
            Poll::be_punctual();
            result.from_due = Some(result.total.clone());
        }
        let target = plan.targets[0];
        let slot = |_| Slot::new(target, begin, protocol.exchange());
        Ok(Worker {
            plan,
            protocol,
            observer,
            pace,
            begin,
            poll: Poll::new()?,
            slots: (0..connections).map(slot).collect(),
            free: (0..connections).collect(),
            resting: VecDeque::new(),
            busy: 0,
            is_over: false,
            buffer: vec![0; BUFFER_BYTES],
            result,
            last_good: None,
        })
    }

    pub fn run(mut self) -> io::Result<Share> {
        let look = LOOK.min(self.plan.timeout / LATENESS);
        let look = look.max(Duration::from_millis(1));
        let mut looked = Instant::now();
        let mut told = 0;
        let ending = loop {
            let due = self.send_due();
            let now = Instant::now();
            if self.observer.is_over() {
                break Ending::Interrupted;
            }
            if self.is_done(now) {
                break Ending::Done;
            }
            if now >= looked + look {
                looked = now;
                self.give_up_overdue(now);
            }
            let wake = self.wake(looked + look, due);
            let events = self.poll.wait(wake.saturating_duration_since(now))?;
            for number in 0..events {
                if let Some(event) = self.poll.event(number) {
                    self.take(event);
                    // At once: a server must not wait until all have been served.
                    self.send_due();
                }
            }
            self.end_rests();
            let ended = self.result.ended();
            if ended > told {
                self.observer.ended(ended - told);
                told = ended;
            }
        };
        Ok(self.finish(ending))
    }

    /// Sends what is due, while connections are free; gives the moment at which
    /// the next is due, if it is known.
    fn send_due(&mut self) -> Option<Instant> {
        while !self.is_over && !self.free.is_empty() {
            let now = Instant::now();
            match self.pace.next(now) {
                Next::Send { number, due } => self.send(number, now, due),
                Next::Wait(due) => return Some(due),
                Next::Over => self.is_over = true,
            }
        }
        None
    }

    fn send(&mut self, number: u64, now: Instant, due: Option<Instant>) {
        let deadline = due.unwrap_or(now) + self.plan.timeout;
        if deadline <= now {
            let told = || "no connection became free in time for a request".to_owned();
            self.result.failed(Failure::Timeout, told);
            return;
        }
        let Some(place) = self.free.pop_front() else {
            return;
        };
        self.busy += 1;
        let slot = &mut self.slots[place];
        slot.began = now;
        slot.connected = now;
        slot.due = due;
        slot.deadline = deadline;
        slot.first_byte = None;
        slot.sent_bytes = 0;
        self.protocol.begin(&mut slot.exchange, number);
        if slot.socket.is_some() {
            slot.stage = Stage::Sending;
            self.write(place);
            return;
        }
        let turn = number % self.plan.targets.len() as u64;
        slot.target = self.plan.targets[turn as usize];
        self.connect(place);
    }

    fn connect(&mut self, place: usize) {
        let slot = &mut self.slots[place];
        slot.stage = Stage::Connecting;
        let opened = socket::open(P::TRANSPORT, slot.target, &self.plan.sources);
        let token = slot.token(place);
        let added = opened.and_then(|socket| self.poll.add(&socket, token).map(|()| socket));
        match added {
            Ok(socket) => {
                slot.socket = Some(socket);
                self.result.connections += 1;
                // On a short way the connection stands already.
                self.write(place);
            }
            Err(error) => self.fail_by(place, &error),
        }
    }

    fn take(&mut self, event: Event) {
        let place = place(event.token);
        let Some(slot) = self.slots.get(place) else {
            return;
        };
        if !slot.is_of(event.token) {
            return;
        }
        match slot.stage {
            Stage::Connecting | Stage::Sending if event.is_writable() => self.write(place),
            Stage::Connecting | Stage::Sending | Stage::Awaiting => {}
            Stage::Free | Stage::Closing => {}
        }
        if !event.is_readable() {
            return;
        }
        match self.slots[place].stage {
            Stage::Awaiting => self.read(place, event),
            Stage::Closing => self.read_close(place),
            Stage::Free => self.read_idle(place),
            Stage::Connecting | Stage::Sending => {}
        }
    }

    fn write(&mut self, place: usize) {
        let slot = &mut self.slots[place];
        let Some(socket) = &slot.socket else {
            return;
        };
        let request = self.protocol.request(&slot.exchange);
        let left = &request[slot.sent_bytes..];
        match socket.send_with_flags(left, libc::MSG_NOSIGNAL) {
            Ok(bytes) => {
                if slot.stage == Stage::Connecting {
                    slot.connected = Instant::now();
                    self.result.connect.record(slot.connected - slot.began);
                }
                slot.sent_bytes += bytes;
                slot.stage = match bytes == left.len() {
                    true => Stage::Awaiting,
                    false => Stage::Sending,
                };
                self.result.sent_bytes += bytes as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => self.fail_by(place, &error),
        }
    }

    fn read(&mut self, place: usize, event: Event) {
        loop {
            let slot = &mut self.slots[place];
            let Some(mut socket) = slot.socket.as_ref() else {
                return;
            };
            let bytes = match socket.read(&mut self.buffer) {
                Ok(bytes) => bytes,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) => return self.fail_by(place, &error),
            };
            let now = Instant::now();
            let has_ended = bytes == 0 && P::TRANSPORT == Transport::Stream;
            let received = match has_ended {
                true => self.protocol.ended(&mut slot.exchange),
                false => {
                    slot.first_byte.get_or_insert(now);
                    self.result.received_bytes += bytes as u64;
                    let piece = &self.buffer[..bytes];
                    self.protocol.receive(&mut slot.exchange, piece)
                }
            };
            // A stream gives what it has: less than was asked for is all.
            let is_drained = bytes < self.buffer.len() && P::TRANSPORT == Transport::Stream;
            match received {
                Received::More if is_drained && !event.is_last() => return,
                Received::More => {}
                Received::Late => self.result.late += 1,
                Received::Failed(failure) => {
                    let told = self.protocol.told(&self.slots[place].exchange, failure);
                    return self.fail(place, failure, &told);
                }
                Received::Complete(answer) => {
                    let has_closed = has_ended || (is_drained && event.is_last());
                    return self.complete(place, &answer, now, has_closed);
                }
            }
        }
    }

    /// Waits for the server to close: it is its side then that keeps the closed
    /// connection for a while, and not this one.
    fn read_close(&mut self, place: usize) {
        loop {
            let Some(mut socket) = self.slots[place].socket.as_ref() else {
                return;
            };
            let closer = match socket.read(&mut self.buffer) {
                Ok(0) => Closer::Server,
                Ok(bytes) => {
                    self.result.received_bytes += bytes as u64;
                    continue;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(_) => Closer::Reset,
            };
            self.close(place, closer);
            return self.release(place);
        }
    }

    /// Something came while nothing was asked: a close, or an answer too late.
    fn read_idle(&mut self, place: usize) {
        loop {
            let Some(mut socket) = self.slots[place].socket.as_ref() else {
                return;
            };
            match (socket.read(&mut self.buffer), P::TRANSPORT) {
                (Ok(_), Transport::Datagram) => self.result.late += 1,
                (Ok(0), Transport::Stream) => return self.close(place, Closer::Server),
                (Ok(_), Transport::Stream) => return self.close(place, Closer::Client),
                (Err(error), _) if error.kind() == io::ErrorKind::WouldBlock => return,
                (Err(_), Transport::Datagram) => return,
                (Err(_), Transport::Stream) => return self.close(place, Closer::Reset),
            }
        }
    }

    fn end_rests(&mut self) {
        let now = Instant::now();
        while self.resting.front().is_some_and(|(end, _)| *end <= now) {
            self.free
                .extend(self.resting.pop_front().map(|(_, place)| place));
        }
    }

    fn is_done(&self, now: Instant) -> bool {
        if self.is_over && self.busy == 0 {
            return true;
        }
        match self.plan.at_end {
            AtEnd::Finish => false,
            AtEnd::Cut => self.pace.end().is_some_and(|end| now >= end),
        }
    }

    fn wake(&self, look: Instant, due: Option<Instant>) -> Instant {
        let rest = self.resting.front().map(|(end, _)| *end);
        let end = match self.plan.at_end {
            AtEnd::Finish => None,
            AtEnd::Cut => self.pace.end(),
        };
        let moments = [due, rest, end].into_iter().flatten();
        moments.fold(look, Instant::min)
    }

    fn finish(mut self, ending: Ending) -> Share {
        let now = Instant::now();
        for place in 0..self.slots.len() {
            self.close(place, Closer::Client);
        }
        let end = match (ending, self.pace.end()) {
            (Ending::Interrupted, _) => Some(now),
            (Ending::Done, end) => end.filter(|end| *end <= now),
        };
        let last = self.last_good.max(end).unwrap_or(now);
        self.result.elapsed = last.saturating_duration_since(self.begin);
        Share {
            result: self.result,
            ending,
        }
    }
}

//! How requests and connections end: answered, failed, overdue, closed.

use std::io;
use std::time::{Duration, Instant};

use super::slot::Stage;
use super::worker::Worker;
use super::{After, Answer, Protocol, Transport};
use crate::failure::Failure;
use crate::plan::Connections;

/// A server that said it would close and does not is left after this time.
const CLOSE_PATIENCE: Duration = Duration::from_secs(1);
/// After a failure to connect a connection rests: a closed loop would otherwise
/// do nothing but fail, as fast as it can.
const REST: Duration = Duration::from_millis(10);

/// Who ended a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Closer {
    Server,
    Client,
    Reset,
}

impl<P: Protocol> Worker<'_, P> {
    /// An answer is complete; if `has_closed` the server has closed behind it.
    pub(super) fn complete(
        &mut self,
        place: usize,
        answer: &Answer,
        now: Instant,
        has_closed: bool,
    ) {
        self.measure(place, answer, now);
        match answer.after {
            After::Keep if !has_closed => {
                self.result.kept += 1;
                self.release(place);
            }
            After::Keep | After::ServerCloses if has_closed => {
                self.close(place, Closer::Server);
                self.release(place);
            }
            After::Keep | After::ServerCloses => {
                let slot = &mut self.slots[place];
                slot.stage = Stage::Closing;
                slot.deadline = now + CLOSE_PATIENCE;
            }
            After::Close => {
                let closer = match has_closed {
                    true => Closer::Server,
                    false => Closer::Client,
                };
                self.close(place, closer);
                self.release(place);
            }
        }
    }

    pub(super) fn measure(&mut self, place: usize, answer: &Answer, now: Instant) {
        let slot = &self.slots[place];
        let result = &mut self.result;
        self.protocol.count(&slot.exchange, answer, result);
        if let Some(failure) = answer.wrong {
            let told = || {
                let told = self.protocol.told(&slot.exchange, failure);
                format!("{}: {told}", slot.target)
            };
            return result.failed(failure, told);
        }
        result.complete += 1;
        result.document_bytes = answer.document_bytes;
        result.documents_bytes += answer.document_bytes;
        result.total.record(now - slot.began);
        result.processing.record(now - slot.connected);
        let first_byte = slot.first_byte.unwrap_or(now);
        result.waiting.record(first_byte - slot.connected);
        if let (Some(from_due), Some(due)) = (&mut result.from_due, slot.due) {
            from_due.record(now.saturating_duration_since(due));
        }
        self.last_good = Some(now);
    }

    pub(super) fn fail_by(&mut self, place: usize, error: &io::Error) {
        self.fail(place, Failure::of(error), &error.to_string());
    }

    pub(super) fn fail(&mut self, place: usize, failure: Failure, told: &str) {
        let target = self.slots[place].target;
        self.result.failed(failure, || format!("{target}: {told}"));
        let (closer, rests) = match failure {
            Failure::Refused | Failure::Unreachable | Failure::Local => (Closer::Reset, true),
            Failure::Reset => (Closer::Reset, false),
            Failure::CutShort => (Closer::Server, false),
            Failure::Timeout | Failure::Malformed | Failure::Status | Failure::Length => {
                (Closer::Client, false)
            }
        };
        match (P::TRANSPORT, self.plan.connections) {
            // Kept to hear of what is late only.
            (Transport::Datagram, Connections::KeptAlive) => {}
            (Transport::Datagram, Connections::OnePerRequest) | (Transport::Stream, _) => {
                self.close(place, closer);
            }
        }
        if rests {
            self.slots[place].stage = Stage::Free;
            self.busy -= 1;
            self.resting.push_back((Instant::now() + REST, place));
        } else {
            self.release(place);
        }
    }

    pub(super) fn close(&mut self, place: usize, closer: Closer) {
        let slot = &mut self.slots[place];
        let had_socket = slot.socket.is_some();
        slot.drop_socket();
        let has_stood = slot.stage != Stage::Connecting && P::TRANSPORT == Transport::Stream;
        if !had_socket || !has_stood {
            return;
        }
        let closes = &mut self.result.closes;
        match closer {
            Closer::Server => closes.by_server += 1,
            Closer::Client => closes.by_client += 1,
            Closer::Reset => closes.by_reset += 1,
        }
    }

    pub(super) fn release(&mut self, place: usize) {
        self.slots[place].stage = Stage::Free;
        self.busy -= 1;
        self.free.push_back(place);
    }

    pub(super) fn give_up_overdue(&mut self, now: Instant) {
        for place in 0..self.slots.len() {
            let slot = &self.slots[place];
            if slot.deadline > now {
                continue;
            }
            match slot.stage {
                Stage::Free => {}
                Stage::Closing => {
                    self.close(place, Closer::Client);
                    self.release(place);
                }
                Stage::Connecting => {
                    self.fail(place, Failure::Timeout, "no connection in time");
                }
                Stage::Sending | Stage::Awaiting => {
                    self.fail(place, Failure::Timeout, "no complete answer in time");
                }
            }
        }
    }
}

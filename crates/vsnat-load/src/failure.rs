//! How a request can fail, and the counts of it.

use std::io;

use serde::Serialize;

/// Why a request failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// Nobody listens there.
    Refused,
    /// No connection came about for another reason.
    Unreachable,
    /// The connection was torn down.
    Reset,
    /// The connection was closed before the answer was complete.
    CutShort,
    /// No complete answer within the time allowed.
    Timeout,
    /// What came was not HTTP.
    Malformed,
    /// Another status than expected.
    Status,
    /// A document of another length than expected.
    Length,
    /// This machine could not do it, such as for want of a source port.
    Local,
}

impl Failure {
    pub fn of(error: &io::Error) -> Self {
        match error.raw_os_error() {
            Some(libc::ECONNREFUSED) => Failure::Refused,
            Some(libc::ECONNRESET | libc::EPIPE | libc::ECONNABORTED) => Failure::Reset,
            Some(
                libc::ENETUNREACH
                | libc::EHOSTUNREACH
                | libc::ENETDOWN
                | libc::EHOSTDOWN
                | libc::ETIMEDOUT,
            ) => Failure::Unreachable,
            _ => Failure::Local,
        }
    }
}

/// Failed requests by cause.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Failures {
    /// Nobody listened.
    pub refused: u64,
    /// No way there, or no answer to the attempt to connect.
    pub unreachable: u64,
    /// The connection was torn down.
    pub reset: u64,
    /// The connection was closed before the answer was complete.
    pub cut_short: u64,
    /// No complete answer within the time allowed. Of datagrams: lost.
    pub timeout: u64,
    /// What came was not HTTP.
    pub malformed: u64,
    /// Another status than expected.
    pub status: u64,
    /// A document of another length than expected.
    pub length: u64,
    /// This machine could not do it, such as for want of a source port.
    pub local: u64,
    /// Planned and not done, because the run was interrupted or its time over.
    pub not_sent: u64,
}

impl Failures {
    pub fn total(&self) -> u64 {
        self.named().iter().map(|(_, count)| count).sum()
    }

    /// Every cause with its count, in the words that reports use.
    pub fn named(&self) -> [(&'static str, u64); 10] {
        [
            ("refused", self.refused),
            ("unreachable", self.unreachable),
            ("reset", self.reset),
            ("cut short", self.cut_short),
            ("timeout", self.timeout),
            ("malformed", self.malformed),
            ("status", self.status),
            ("length", self.length),
            ("local", self.local),
            ("not sent", self.not_sent),
        ]
    }

    pub(crate) fn count(&mut self, failure: Failure) {
        let count = match failure {
            Failure::Refused => &mut self.refused,
            Failure::Unreachable => &mut self.unreachable,
            Failure::Reset => &mut self.reset,
            Failure::CutShort => &mut self.cut_short,
            Failure::Timeout => &mut self.timeout,
            Failure::Malformed => &mut self.malformed,
            Failure::Status => &mut self.status,
            Failure::Length => &mut self.length,
            Failure::Local => &mut self.local,
        };
        *count += 1;
    }

    pub(crate) fn add(&mut self, other: &Failures) {
        self.refused += other.refused;
        self.unreachable += other.unreachable;
        self.reset += other.reset;
        self.cut_short += other.cut_short;
        self.timeout += other.timeout;
        self.malformed += other.malformed;
        self.status += other.status;
        self.length += other.length;
        self.local += other.local;
        self.not_sent += other.not_sent;
    }
}

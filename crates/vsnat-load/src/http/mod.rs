//! HTTP/1.1 over TCP: a request made once, answers read as they come.

mod parse;
#[cfg(test)]
mod tests;

use std::sync::OnceLock;

use crate::engine::{self, After, Answer, Protocol, Received, Transport};
use crate::failure::Failure;
use crate::plan::{Connections, ExpectedLength, ExpectedStatus, HttpPlan};
use crate::result::LoadResult;
use crate::{LoadError, Observer};
use parse::{Malformed, Progress, Reply};

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpRequest {
    /// The `Host` header, with a port unless it is 80.
    pub host: String,
    /// Path and query.
    pub path: String,
}

/// Sends all requests from the calling thread's network namespace and waits for
/// the last.
pub fn run_http(plan: &HttpPlan, observer: &dyn Observer) -> Result<LoadResult, LoadError> {
    let http = Http::new(plan);
    engine::run(&plan.load, &http, observer)
}

struct Http<'a> {
    plan: &'a HttpPlan,
    request: Vec<u8>,
    first_length: OnceLock<u64>,
}

impl<'a> Http<'a> {
    fn new(plan: &'a HttpPlan) -> Self {
        let HttpRequest { host, path } = &plan.request;
        let connection = match plan.load.connections {
            Connections::OnePerRequest => "Connection: close\r\n",
            Connections::KeptAlive => "",
        };
        let version = env!("CARGO_PKG_VERSION");
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: vsnat-bench/{version}\r\n\
             Accept: */*\r\n{connection}\r\n"
        );
        Http {
            plan,
            request: request.into_bytes(),
            first_length: OnceLock::new(),
        }
    }

    fn answer(&self, reply: &Reply, after: After) -> Answer {
        let document_bytes = reply.document_bytes();
        let wrong = match () {
            () if !self.expects_status(reply.status()) => Some(Failure::Status),
            () if !self.expects_length(document_bytes) => Some(Failure::Length),
            () => None,
        };
        Answer {
            document_bytes,
            after,
            wrong,
        }
    }

    fn expects_status(&self, status: u16) -> bool {
        match self.plan.status {
            ExpectedStatus::Success => is_success(status),
            ExpectedStatus::Exactly(expected) => status == expected,
            ExpectedStatus::Any => true,
        }
    }

    fn expects_length(&self, length: u64) -> bool {
        match self.plan.length {
            ExpectedLength::LikeFirst => *self.first_length.get_or_init(|| length) == length,
            ExpectedLength::Exactly(expected) => length == expected,
            ExpectedLength::Any => true,
        }
    }
}

impl Protocol for Http<'_> {
    const TRANSPORT: Transport = Transport::Stream;

    type Exchange = Reply;

    fn exchange(&self) -> Reply {
        Reply::new()
    }

    fn begin(&self, reply: &mut Reply, _number: u64) {
        reply.clear();
    }

    fn request<'a>(&'a self, _reply: &'a Reply) -> &'a [u8] {
        &self.request
    }

    fn receive(&self, reply: &mut Reply, bytes: &[u8]) -> Received {
        match reply.take(bytes, self.plan.server_header) {
            Ok(Progress::More) => Received::More,
            Ok(Progress::Done) => {
                let after = match self.plan.load.connections {
                    Connections::KeptAlive if reply.keeps() => After::Keep,
                    Connections::KeptAlive | Connections::OnePerRequest => After::ServerCloses,
                };
                Received::Complete(self.answer(reply, after))
            }
            Err(Malformed) => Received::Failed(Failure::Malformed),
        }
    }

    fn ended(&self, reply: &mut Reply) -> Received {
        match reply.end() {
            Progress::Done => Received::Complete(self.answer(reply, After::Close)),
            Progress::More => Received::Failed(Failure::CutShort),
        }
    }

    fn count(&self, reply: &Reply, answer: &Answer, result: &mut LoadResult) {
        if !is_success(reply.status()) {
            result.non_2xx += 1;
        }
        if result.software.is_none() {
            result.software = Some(reply.software().to_owned());
        }
        if self.plan.server_header.is_some() && answer.wrong.is_none() {
            result.answered_by(reply.server());
        }
    }

    fn told(&self, reply: &Reply, failure: Failure) -> String {
        match failure {
            Failure::Status => format!("an answer with status {}", reply.status()),
            Failure::Length => {
                let got = reply.document_bytes();
                let expected = match self.plan.length {
                    ExpectedLength::Exactly(expected) => Some(expected),
                    ExpectedLength::LikeFirst => self.first_length.get().copied(),
                    ExpectedLength::Any => None,
                };
                let expected = expected.unwrap_or(got);
                format!("a document of {got} bytes where {expected} were expected")
            }
            Failure::Malformed => "an answer that is not HTTP/1".to_owned(),
            Failure::CutShort => format!(
                "the server closed before the answer was complete, after {} bytes of the document",
                reply.document_bytes()
            ),
            Failure::Timeout => "no complete answer in time".to_owned(),
            Failure::Refused | Failure::Unreachable | Failure::Reset | Failure::Local => {
                "the connection failed".to_owned()
            }
        }
    }
}

fn is_success(status: u16) -> bool {
    (200..300).contains(&status)
}

//! What the engine must know of a protocol: what to send, and whether what
//! came is an answer.

use crate::failure::Failure;
use crate::result::LoadResult;

/// How bytes travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transport {
    Stream,
    Datagram,
}

/// What is to become of the connection after an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum After {
    /// It can carry the next request.
    Keep,
    /// The server is about to close it.
    ServerCloses,
    /// It has been closed, or is of no more use.
    Close,
}

/// A complete answer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Answer {
    pub document_bytes: u64,
    pub after: After,
    /// Complete, and yet not what was expected.
    pub wrong: Option<Failure>,
}

/// What received bytes mean.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Received {
    /// The answer is not complete yet.
    More,
    Complete(Answer),
    /// An answer to a request that was given up.
    Late,
    /// The connection is of no more use.
    Failed(Failure),
}

/// A protocol of requests and answers, one at a time on a connection.
pub(crate) trait Protocol: Sync {
    const TRANSPORT: Transport;

    /// What a connection remembers of its request and answer.
    type Exchange;

    fn exchange(&self) -> Self::Exchange;

    /// Begins a request.
    fn begin(&self, exchange: &mut Self::Exchange, number: u64);

    /// The bytes of the request.
    fn request<'a>(&'a self, exchange: &'a Self::Exchange) -> &'a [u8];

    /// Takes what was received: a piece of a stream, or a datagram.
    fn receive(&self, exchange: &mut Self::Exchange, bytes: &[u8]) -> Received;

    /// The stream ended while an answer was awaited.
    fn ended(&self, exchange: &mut Self::Exchange) -> Received;

    /// Counts what only this protocol knows of a complete answer.
    fn count(&self, exchange: &Self::Exchange, answer: &Answer, result: &mut LoadResult);

    /// Says what was wrong with an answer.
    fn told(&self, exchange: &Self::Exchange, failure: Failure) -> String;
}

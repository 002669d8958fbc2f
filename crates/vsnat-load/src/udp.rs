//! Datagrams to servers that send them back.
//!
//! The first bytes of a datagram are the number of its request, so that an
//! answer that comes after it was given up is not taken for the next one.

use crate::engine::{self, After, Answer, Protocol, Received, Transport};
use crate::failure::Failure;
use crate::plan::{Connections, DATAGRAM_MIN_BYTES, UdpPlan};
use crate::result::LoadResult;
use crate::{LoadError, Observer};

/// Sends all datagrams from the calling thread's network namespace and waits
/// for the last answer. Those without an answer count as timeouts.
pub fn run_udp(plan: &UdpPlan, observer: &dyn Observer) -> Result<LoadResult, LoadError> {
    plan.check()?;
    engine::run(&plan.load, &Echo { plan }, observer)
}

struct Echo<'a> {
    plan: &'a UdpPlan,
}

/// The datagram that is under way on a socket.
struct Datagram {
    bytes: Vec<u8>,
}

impl Protocol for Echo<'_> {
    const TRANSPORT: Transport = Transport::Datagram;

    type Exchange = Datagram;

    fn exchange(&self) -> Datagram {
        Datagram {
            bytes: vec![0; self.plan.payload_bytes],
        }
    }

    fn begin(&self, datagram: &mut Datagram, number: u64) {
        datagram.bytes[..DATAGRAM_MIN_BYTES].copy_from_slice(&number.to_be_bytes());
    }

    fn request<'a>(&'a self, datagram: &'a Datagram) -> &'a [u8] {
        &datagram.bytes
    }

    fn receive(&self, datagram: &mut Datagram, bytes: &[u8]) -> Received {
        if !bytes.starts_with(&datagram.bytes[..DATAGRAM_MIN_BYTES]) {
            return Received::Late;
        }
        Received::Complete(Answer {
            document_bytes: bytes.len() as u64,
            after: match self.plan.load.connections {
                Connections::KeptAlive => After::Keep,
                Connections::OnePerRequest => After::Close,
            },
            wrong: (bytes != datagram.bytes).then_some(Failure::Length),
        })
    }

    fn ended(&self, _datagram: &mut Datagram) -> Received {
        Received::Failed(Failure::CutShort)
    }

    fn count(&self, _datagram: &Datagram, _answer: &Answer, _result: &mut LoadResult) {}

    fn told(&self, datagram: &Datagram, failure: Failure) -> String {
        match failure {
            Failure::Length => format!(
                "an answer that is not the {} bytes that were sent",
                datagram.bytes.len()
            ),
            Failure::Timeout
            | Failure::Refused
            | Failure::Unreachable
            | Failure::Reset
            | Failure::CutShort
            | Failure::Malformed
            | Failure::Status
            | Failure::Local => "no answer".to_owned(),
        }
    }
}

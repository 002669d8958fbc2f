//! What is asked, of whom, how often and how fast.

use std::net::SocketAddr;
use std::thread;
use std::time::Duration;

use crate::sources::Sources;
use crate::{HttpRequest, LoadError};

/// Slower than one request in a quarter of an hour is no load.
const RATE_MIN: f64 = 0.001;
/// Above this the moments at which requests are due are less than the clock's
/// nanosecond apart.
const RATE_MAX: f64 = 1e9;
/// What a server has time for before a request counts as failed, unless told
/// otherwise; as in `ab`.
const TIMEOUT: Duration = Duration::from_secs(30);
/// Nobody waits longer for an answer, and clocks can still count so far.
const TIMEOUT_MAX: Duration = Duration::from_secs(24 * 3600);
/// A datagram carries the number of its request.
pub(crate) const DATAGRAM_MIN_BYTES: usize = 8;
/// The most that UDP over IPv4 carries.
pub(crate) const DATAGRAM_MAX_BYTES: usize = 65_507;

/// How load is driven.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Drive {
    /// So many requests under way; when one ends the next begins.
    Closed { connections: usize },
    /// Requests are due at this rate, whatever becomes of earlier ones. One that
    /// finds no connection free waits, and its waiting counts.
    Open {
        requests_per_s: f64,
        connections: usize,
    },
}

impl Drive {
    pub const fn connections(self) -> usize {
        match self {
            Drive::Closed { connections } | Drive::Open { connections, .. } => connections,
        }
    }
}

/// When a run is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Amount {
    Requests(u64),
    Time(Duration),
    /// Whichever comes first; requests left then count as not sent.
    Both {
        requests: u64,
        time: Duration,
    },
}

impl Amount {
    pub const fn requests(self) -> Option<u64> {
        match self {
            Amount::Requests(requests) | Amount::Both { requests, .. } => Some(requests),
            Amount::Time(_) => None,
        }
    }

    pub const fn time(self) -> Option<Duration> {
        match self {
            Amount::Time(time) | Amount::Both { time, .. } => Some(time),
            Amount::Requests(_) => None,
        }
    }
}

/// Whether a connection carries one request or many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Connections {
    #[default]
    OnePerRequest,
    KeptAlive,
}

/// What becomes of requests under way when the time is over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AtEnd {
    /// They are waited for, each as long as its timeout allows.
    #[default]
    Finish,
    /// They are given up, and count neither as done nor as failed; the bytes
    /// that came count.
    Cut,
}

/// Which statuses are successes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ExpectedStatus {
    /// 200 to 299.
    #[default]
    Success,
    Exactly(u16),
    Any,
}

/// Which lengths of a document are successes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ExpectedLength {
    /// As the first document of the run.
    #[default]
    LikeFirst,
    Exactly(u64),
    Any,
}

/// What runs of all protocols have in common.
#[derive(Clone, Debug)]
pub struct LoadPlan {
    /// Taken in turn, connection by connection.
    pub targets: Vec<SocketAddr>,
    pub drive: Drive,
    pub amount: Amount,
    pub connections: Connections,
    /// A request that takes longer has failed; in an open loop the time counts
    /// from when it was due.
    pub timeout: Duration,
    pub at_end: AtEnd,
    pub sources: Sources,
    /// No more than there are connections are used.
    pub threads: usize,
}

/// Requests over HTTP/1.1.
#[derive(Clone, Debug)]
pub struct HttpPlan {
    pub load: LoadPlan,
    pub request: HttpRequest,
    pub status: ExpectedStatus,
    pub length: ExpectedLength,
    /// A header by whose value answers are counted apart, in lower case.
    pub server_header: Option<&'static str>,
}

/// Datagrams to servers that send them back. A connection is a socket here.
#[derive(Clone, Debug)]
pub struct UdpPlan {
    pub load: LoadPlan,
    pub payload_bytes: usize,
}

impl LoadPlan {
    /// One connection per request in a closed loop, the kernel's choice of
    /// sources, and a thread for each CPU.
    pub fn new(targets: Vec<SocketAddr>, drive: Drive, amount: Amount) -> Self {
        LoadPlan {
            targets,
            drive,
            amount,
            connections: Connections::default(),
            timeout: TIMEOUT,
            at_end: AtEnd::default(),
            sources: Sources::by_kernel(),
            threads: thread::available_parallelism().map_or(1, usize::from),
        }
    }

    pub(crate) fn check(&self) -> Result<(), LoadError> {
        if self.targets.is_empty() {
            return Err(LoadError::NoTarget);
        }
        positive("the number of connections", self.drive.connections() > 0)?;
        positive("the number of threads", self.threads > 0)?;
        positive("the timeout", self.timeout > Duration::ZERO)?;
        positive("the number of requests", self.amount.requests() != Some(0))?;
        positive("the duration", self.amount.time() != Some(Duration::ZERO))?;
        if self.timeout > TIMEOUT_MAX {
            return Err(LoadError::Timeout { max: TIMEOUT_MAX });
        }
        if let Drive::Open { requests_per_s, .. } = self.drive
            && !(RATE_MIN..=RATE_MAX).contains(&requests_per_s)
        {
            return Err(LoadError::Rate {
                rate: requests_per_s,
                min: RATE_MIN,
                max: RATE_MAX,
            });
        }
        for target in &self.targets {
            self.sources.check(*target)?;
        }
        Ok(())
    }

    /// How many connections there can be at a time.
    pub(crate) fn connections_max(&self) -> usize {
        let requests = self.amount.requests().unwrap_or(u64::MAX);
        let requests = usize::try_from(requests).unwrap_or(usize::MAX);
        self.drive.connections().min(requests)
    }

    /// How many threads there are: none without a connection.
    pub(crate) fn threads_max(&self) -> usize {
        self.threads.min(self.connections_max())
    }
}

impl HttpPlan {
    /// Any success of one length, whichever server it came from.
    pub fn new(load: LoadPlan, request: HttpRequest) -> Self {
        HttpPlan {
            load,
            request,
            status: ExpectedStatus::default(),
            length: ExpectedLength::default(),
            server_header: None,
        }
    }

    /// A few connections that load one large document over and over for some
    /// time: [`crate::LoadResult::bytes_per_s`] is what counts then.
    pub fn bulk(
        targets: Vec<SocketAddr>,
        request: HttpRequest,
        connections: usize,
        time: Duration,
    ) -> Self {
        let drive = Drive::Closed { connections };
        let mut load = LoadPlan::new(targets, drive, Amount::Time(time));
        load.connections = Connections::KeptAlive;
        load.at_end = AtEnd::Cut;
        HttpPlan::new(load, request)
    }
}

impl UdpPlan {
    /// `payload_bytes` of each datagram, at least 8: its first bytes are the
    /// number of the request, by which a late answer is known.
    pub fn new(load: LoadPlan, payload_bytes: usize) -> Self {
        UdpPlan {
            load,
            payload_bytes,
        }
    }

    pub(crate) fn check(&self) -> Result<(), LoadError> {
        let (min, max) = (DATAGRAM_MIN_BYTES, DATAGRAM_MAX_BYTES);
        match (min..=max).contains(&self.payload_bytes) {
            true => Ok(()),
            false => Err(LoadError::Datagram {
                bytes: self.payload_bytes,
                min,
                max,
            }),
        }
    }
}

fn positive(what: &'static str, is_positive: bool) -> Result<(), LoadError> {
    match is_positive {
        true => Ok(()),
        false => Err(LoadError::Zero { what }),
    }
}

//! Plans and answers, as they are written into files between the two worlds.

use std::fmt;
use std::net::SocketAddrV4;

use serde::{Deserialize, Serialize};

/// All sequences of a run.
#[derive(Debug, Serialize, Deserialize)]
pub struct Plan {
    pub sequences: Vec<Sequence>,
}

/// Steps that start with an empty table and end with one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sequence {
    /// Counted from 0; fixes the addresses of its clients and servers.
    pub number: u32,
    pub steps: Vec<Step>,
}

/// One thing to do, and to answer for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Step {
    /// Run ipvsadm with these words.
    Ipvsadm(Vec<String>),
    /// Open a TCP connection, exchange a byte each way, and hold it.
    Open {
        connection: usize,
        from: SocketAddrV4,
        to: SocketAddrV4,
    },
    /// Exchange a byte each way on a held connection.
    Talk(usize),
    /// End a held connection in order, by one side first.
    Close { connection: usize, first: Side },
    /// The client resets a held connection.
    Reset(usize),
    /// Send a datagram and wait for its answer.
    Datagram {
        from: SocketAddrV4,
        to: SocketAddrV4,
    },
    /// Give a setting of the packet path a value.
    Set { name: String, value: u32 },
    /// Let time pass, where the kernel renews figures only now and then.
    Wait { milliseconds: u64 },
}

/// Who ends a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Side {
    Client,
    Server,
}

/// What a sequence came to in one world.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answers {
    pub number: u32,
    /// One text for each step.
    pub texts: Vec<String>,
    /// States such as CLOSE end after seconds: a sequence that took too long in one
    /// world cannot be compared.
    pub took_ms: u64,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Step::Ipvsadm(words) => write!(f, "ipvsadm {}", words.join(" ")),
            Step::Open {
                connection,
                from,
                to,
            } => write!(f, "open #{connection} tcp {from} -> {to}"),
            Step::Talk(connection) => write!(f, "talk #{connection}"),
            Step::Close { connection, first } => write!(f, "close #{connection}, {first} first"),
            Step::Reset(connection) => write!(f, "reset #{connection}"),
            Step::Datagram { from, to } => write!(f, "datagram {from} -> {to}"),
            Step::Set { name, value } => write!(f, "set {name}={value}"),
            Step::Wait { milliseconds } => write!(f, "wait {milliseconds} ms"),
        }
    }
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Side::Client => "client",
            Side::Server => "server",
        })
    }
}

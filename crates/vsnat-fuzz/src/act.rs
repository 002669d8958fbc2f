//! One thing that happens, and how it is written down.
//!
//! Addresses and names stay text until they are used: a corpus outlives the
//! types that the rest of the program has for them.

use std::fmt;

use crate::arrival::{self, Arrival};
use crate::script::ScriptError;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act {
    /// A command line of ipvsadm.
    Ipvsadm(String),
    /// A service, in ipvsadm's words, whose servers see the director's address.
    Lend(String),
    /// A setting and its value.
    Set {
        name: String,
        value: u32,
    },
    Deny {
        prefix: String,
    },
    Allow {
        prefix: String,
    },
    Mark(MarkText),
    Unmark(MarkText),
    /// The networks behind the inner interfaces.
    Own {
        networks: String,
    },
    /// The masquerade's source ports; none from 0 to 0.
    Spare {
        first: u16,
        last: u16,
    },
    /// The daemon expects data connections, on so many ports from one on.
    Expect(Expected),
    Advance {
        ms: u64,
    },
    Sweep(Haste),
    /// What the daemon does every few seconds.
    Tend,
    /// Links, routes or neighbours have changed.
    Forget,
    /// Another daemon takes over.
    Restart,
    Packet(Arrival),
    /// Chance begins anew.
    Draw {
        seed: u64,
    },
    /// Another CPU's packet, after so many further steps of the next one.
    MeanwhilePacket {
        after: u32,
        arrival: Arrival,
    },
    /// Time passes and the sweeper works, after so many further steps of the
    /// next packet.
    MeanwhileSweep {
        after: u32,
        ms: u64,
    },
}

/// How a sweeper works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Haste {
    Relaxed,
    Short,
}

/// A rule that gives a mark: `-` where anything will do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MarkText {
    pub mark: u32,
    pub protocol: String,
    pub source: String,
    pub destination: String,
    pub ports: String,
    pub interface: String,
}

/// Who is expected to open a data connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Caller {
    Client,
    Server,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expected {
    pub caller: Caller,
    /// Ends of the control connection.
    pub client: String,
    pub vip: String,
    pub port: u16,
    pub count: u16,
}

impl Act {
    pub fn parse(line: &str) -> Result<Act, ScriptError> {
        let line = line.trim();
        let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
        let words: Vec<&str> = rest.split_whitespace().collect();
        let act = match (verb, &words[..]) {
            ("ipvsadm", _) => Some(Act::Ipvsadm(rest.to_owned())),
            ("lend", _) => Some(Act::Lend(rest.to_owned())),
            ("outer" | "inner", _) => Some(Act::Packet(arrival::parse(line)?)),
            ("meanwhile", [after, "sweep", ms]) => meanwhile_sweep(after, ms),
            ("meanwhile", [after, ..]) => {
                let (_, rest) = rest.split_once(' ').unwrap_or_default();
                let arrival = arrival::parse(rest)?;
                number(after).map(|after| Act::MeanwhilePacket { after, arrival })
            }
            (verb, words) => plain(verb, words),
        };
        act.ok_or_else(|| ScriptError::new(line))
    }
}

fn plain(verb: &str, words: &[&str]) -> Option<Act> {
    match (verb, words) {
        ("set", [name, value]) => Some(Act::Set {
            name: (*name).to_owned(),
            value: number(value)?,
        }),
        ("deny", [prefix]) => Some(Act::Deny {
            prefix: (*prefix).to_owned(),
        }),
        ("allow", [prefix]) => Some(Act::Allow {
            prefix: (*prefix).to_owned(),
        }),
        ("mark", words) => mark(words).map(Act::Mark),
        ("unmark", words) => mark(words).map(Act::Unmark),
        ("own", words) => Some(Act::Own {
            networks: words.join(" "),
        }),
        ("spare", [first, last]) => Some(Act::Spare {
            first: number(first)?,
            last: number(last)?,
        }),
        ("expect", words) => expected(words).map(Act::Expect),
        ("draw", [seed]) => number(seed).map(|seed| Act::Draw { seed }),
        ("advance", [ms]) => number(ms).map(|ms| Act::Advance { ms }),
        ("sweep", ["relaxed"]) => Some(Act::Sweep(Haste::Relaxed)),
        ("sweep", ["short"]) => Some(Act::Sweep(Haste::Short)),
        ("tend", []) => Some(Act::Tend),
        ("forget", []) => Some(Act::Forget),
        ("restart", []) => Some(Act::Restart),
        (_, _) => None,
    }
}

fn number<T: std::str::FromStr>(text: &str) -> Option<T> {
    text.parse().ok()
}

fn meanwhile_sweep(after: &str, ms: &str) -> Option<Act> {
    Some(Act::MeanwhileSweep {
        after: number(after)?,
        ms: number(ms)?,
    })
}

fn mark(words: &[&str]) -> Option<MarkText> {
    let [mark, protocol, source, destination, ports, interface] = *words else {
        return None;
    };
    Some(MarkText {
        mark: number(mark)?,
        protocol: protocol.to_owned(),
        source: source.to_owned(),
        destination: destination.to_owned(),
        ports: ports.to_owned(),
        interface: interface.to_owned(),
    })
}

fn expected(words: &[&str]) -> Option<Expected> {
    let [caller, client, vip, port, count] = *words else {
        return None;
    };
    let caller = match caller {
        "client" => Caller::Client,
        "server" => Caller::Server,
        _ => return None,
    };
    Some(Expected {
        caller,
        client: client.to_owned(),
        vip: vip.to_owned(),
        port: number(port)?,
        count: number(count)?,
    })
}

impl fmt::Display for Act {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Act::Ipvsadm(words) => write!(f, "ipvsadm {words}"),
            Act::Lend(words) => write!(f, "lend {words}"),
            Act::Set { name, value } => write!(f, "set {name} {value}"),
            Act::Deny { prefix } => write!(f, "deny {prefix}"),
            Act::Allow { prefix } => write!(f, "allow {prefix}"),
            Act::Mark(rule) => write!(f, "mark {rule}"),
            Act::Unmark(rule) => write!(f, "unmark {rule}"),
            Act::Own { networks } => write!(f, "own {networks}"),
            Act::Spare { first, last } => write!(f, "spare {first} {last}"),
            Act::Expect(expected) => write!(f, "expect {expected}"),
            Act::Advance { ms } => write!(f, "advance {ms}"),
            Act::Sweep(Haste::Relaxed) => f.write_str("sweep relaxed"),
            Act::Sweep(Haste::Short) => f.write_str("sweep short"),
            Act::Tend => f.write_str("tend"),
            Act::Forget => f.write_str("forget"),
            Act::Restart => f.write_str("restart"),
            Act::Packet(arrival) => write!(f, "{arrival}"),
            Act::Draw { seed } => write!(f, "draw {seed}"),
            Act::MeanwhilePacket { after, arrival } => write!(f, "meanwhile {after} {arrival}"),
            Act::MeanwhileSweep { after, ms } => write!(f, "meanwhile {after} sweep {ms}"),
        }
    }
}

impl fmt::Display for MarkText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let MarkText {
            mark,
            protocol,
            source,
            destination,
            ports,
            interface,
        } = self;
        write!(
            f,
            "{mark} {protocol} {source} {destination} {ports} {interface}"
        )
    }
}

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let caller = match self.caller {
            Caller::Client => "client",
            Caller::Server => "server",
        };
        let (client, vip) = (&self.client, &self.vip);
        write!(f, "{caller} {client} {vip} {} {}", self.port, self.count)
    }
}

//! How services pick their servers, and by which names.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// How a service picks the server of a new connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scheduler {
    /// Round robin.
    Rr,
    /// Weighted round robin, in IPVS's interleaved order.
    Wrr,
    /// Fewest connections.
    Lc,
    /// Fewest connections for its weight; ipvsadm's default.
    Wlc,
    /// Shortest expected delay.
    Sed,
    /// Never queue: an idle server first, else as `sed`.
    Nq,
    /// Fail over: the largest weight.
    Fo,
    /// Overflow: the largest weight until it is full.
    Ovf,
    /// The better of two that are drawn.
    Twos,
    /// By the client's address.
    Sh,
    /// By the virtual address.
    Dh,
    /// By the client's address, disturbed as little as can be when servers
    /// come and go.
    Mh,
    /// By the destination's address: the server it went to last, unless that
    /// one is overloaded.
    Lblc,
    /// By the destination's address: the least loaded of the servers it went to.
    Lblcr,
}

impl Scheduler {
    pub const ALL: [Scheduler; 14] = [
        Scheduler::Rr,
        Scheduler::Wrr,
        Scheduler::Lc,
        Scheduler::Wlc,
        Scheduler::Sed,
        Scheduler::Nq,
        Scheduler::Fo,
        Scheduler::Ovf,
        Scheduler::Twos,
        Scheduler::Sh,
        Scheduler::Dh,
        Scheduler::Mh,
        Scheduler::Lblc,
        Scheduler::Lblcr,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Scheduler::Rr => "rr",
            Scheduler::Wrr => "wrr",
            Scheduler::Lc => "lc",
            Scheduler::Wlc => "wlc",
            Scheduler::Sed => "sed",
            Scheduler::Nq => "nq",
            Scheduler::Fo => "fo",
            Scheduler::Ovf => "ovf",
            Scheduler::Twos => "twos",
            Scheduler::Sh => "sh",
            Scheduler::Dh => "dh",
            Scheduler::Mh => "mh",
            Scheduler::Lblc => "lblc",
            Scheduler::Lblcr => "lblcr",
        }
    }
}

impl fmt::Display for Scheduler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A name that stands for nothing we know.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("unknown {what} \"{name}\"; known are {known}")]
pub struct ParseNameError {
    pub what: &'static str,
    pub name: String,
    pub known: &'static str,
}

impl FromStr for Scheduler {
    type Err = ParseNameError;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let found = Scheduler::ALL.into_iter().find(|s| s.name() == name);
        found.ok_or_else(|| ParseNameError {
            what: "scheduler",
            name: name.to_owned(),
            known: "rr, wrr, lc, wlc, sed, nq, fo, ovf, twos, sh, dh, mh, lblc, lblcr",
        })
    }
}

/// What modifies a scheduler: IPVS's three bits.
///
/// `sh` and `mh` give the first two a meaning; the other schedulers keep what
/// they are given and do not look at it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SchedulerFlags(u8);

impl SchedulerFlags {
    /// A server that cannot serve is replaced by the next in the table.
    pub const FALLBACK: SchedulerFlags = SchedulerFlags(1);
    /// The client's port counts too.
    pub const PORT: SchedulerFlags = SchedulerFlags(2);
    pub const THIRD: SchedulerFlags = SchedulerFlags(4);

    pub const ALL: [SchedulerFlags; 3] = [Self::FALLBACK, Self::PORT, Self::THIRD];

    pub const fn bits(self) -> u8 {
        self.0
    }

    /// Bits beyond the three are left out.
    pub const fn from_bits(bits: u8) -> Self {
        SchedulerFlags(bits & 7)
    }

    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        SchedulerFlags(self.0 | other.0)
    }

    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    pub const fn is_empty(&self) -> bool {
        self.0 == 0
    }

    /// ipvsadm's name of one flag under a scheduler.
    pub const fn name(self, scheduler: Scheduler) -> &'static str {
        match (self.0, scheduler) {
            (1, Scheduler::Sh) => "sh-fallback",
            (2, Scheduler::Sh) => "sh-port",
            (1, Scheduler::Mh) => "mh-fallback",
            (2, Scheduler::Mh) => "mh-port",
            (1, _) => "flag-1",
            (2, _) => "flag-2",
            _ => "flag-3",
        }
    }

    /// The names of all flags that are set, as ipvsadm writes them.
    pub fn names(self, scheduler: Scheduler) -> String {
        let set = Self::ALL.into_iter().filter(|flag| self.has(*flag));
        let names: Vec<&str> = set.map(|flag| flag.name(scheduler)).collect();
        names.join(",")
    }
}

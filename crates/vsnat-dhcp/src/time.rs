//! Whole seconds: leases need no finer clock, and it is the one that is stored.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Seconds since 1970.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct UnixTime(u64);

impl UnixTime {
    pub const fn from_s(seconds: u64) -> Self {
        UnixTime(seconds)
    }

    pub const fn as_s(self) -> u64 {
        self.0
    }

    /// So many seconds later; the end of time is never passed.
    pub const fn plus_s(self, seconds: u32) -> Self {
        UnixTime(self.0.saturating_add(seconds as u64))
    }

    /// Seconds since an earlier moment, none since a later one.
    pub const fn since_s(self, earlier: UnixTime) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl fmt::Display for UnixTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

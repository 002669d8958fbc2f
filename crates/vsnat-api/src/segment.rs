//! The segment size that the SYNs of a service may announce.

use std::fmt;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The largest segment that clients and servers of a service may ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "u16", into = "u16")]
pub enum MssClamp {
    /// What the links towards both sides take.
    Path,
    To(Segment),
}

/// Bytes of payload of one TCP segment, at least [`Segment::MIN`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Segment(u16);

impl Segment {
    /// The smallest MTU of IPv4 that is met, 68 (RFC 791), less 40 of headers,
    /// would carry next to nothing: Linux takes no smaller one than this.
    pub const MIN: u16 = 88;

    pub const fn new(bytes: u16) -> Option<Self> {
        match bytes {
            Segment::MIN..=u16::MAX => Some(Segment(bytes)),
            _ => None,
        }
    }

    pub const fn get(self) -> u16 {
        self.0
    }
}

/// In numbers 1 stands for the path: no segment is so small.
const BY_PATH: u16 = 1;

impl From<MssClamp> for u16 {
    fn from(clamp: MssClamp) -> u16 {
        match clamp {
            MssClamp::Path => BY_PATH,
            MssClamp::To(segment) => segment.get(),
        }
    }
}

impl TryFrom<u16> for MssClamp {
    type Error = MssClampError;

    fn try_from(number: u16) -> Result<Self, Self::Error> {
        match Segment::new(number) {
            Some(segment) => Ok(MssClamp::To(segment)),
            None if number == BY_PATH => Ok(MssClamp::Path),
            None => Err(MssClampError { bytes: number }),
        }
    }
}

/// A segment below [`Segment::MIN`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error(
    "segments of {bytes} bytes are too small; the smallest are {}",
    Segment::MIN
)]
pub struct MssClampError {
    pub bytes: u16,
}

impl fmt::Display for MssClamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            MssClamp::Path => f.write_str("path"),
            MssClamp::To(segment) => write!(f, "{}", segment.get()),
        }
    }
}

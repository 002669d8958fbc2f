//! The addresses of a pool, from the first to the last.

use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;

use thiserror::Error;

/// Both ends are included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Range {
    first: Ipv4Addr,
    last: Ipv4Addr,
}

/// Not two addresses with a dash between them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("write a range as 10.0.100.100-10.0.100.199, the smaller address first")]
pub struct RangeError;

impl Range {
    pub fn new(first: Ipv4Addr, last: Ipv4Addr) -> Result<Self, RangeError> {
        match first <= last {
            true => Ok(Range { first, last }),
            false => Err(RangeError),
        }
    }

    pub const fn first(self) -> Ipv4Addr {
        self.first
    }

    pub const fn last(self) -> Ipv4Addr {
        self.last
    }

    pub fn contains(self, address: Ipv4Addr) -> bool {
        (self.first..=self.last).contains(&address)
    }

    pub fn overlaps(self, other: Range) -> bool {
        self.first <= other.last && other.first <= self.last
    }

    /// How many addresses it has.
    pub fn size(self) -> u64 {
        u64::from(u32::from(self.last) - u32::from(self.first)) + 1
    }

    pub fn addresses(self) -> impl Iterator<Item = Ipv4Addr> {
        (u32::from(self.first)..=u32::from(self.last)).map(Ipv4Addr::from)
    }
}

impl FromStr for Range {
    type Err = RangeError;

    fn from_str(text: &str) -> Result<Self, RangeError> {
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        let address = |text: &str| text.trim().parse().map_err(|_| RangeError);
        Range::new(address(first)?, address(last)?)
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.first, self.last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_has_both_its_ends() {
        let range: Range = "10.0.0.254 - 10.0.1.1".parse().unwrap();
        assert_eq!(range.size(), 4);
        assert_eq!(range.addresses().last(), Some(range.last()));
        assert!(range.contains("10.0.0.255".parse().unwrap()));
        assert!(!range.contains("10.0.1.2".parse().unwrap()));
        assert!(range.overlaps("10.0.1.1".parse().unwrap()));
        assert!(!range.overlaps("10.0.1.2-10.0.1.9".parse().unwrap()));
        for wrong in ["", "10.0.0.2-10.0.0.1", "10.0.0.1-x"] {
            assert_eq!(wrong.parse::<Range>(), Err(RangeError));
        }
    }
}

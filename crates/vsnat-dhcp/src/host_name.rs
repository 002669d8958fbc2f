//! Host names that clients tell of themselves, and those of reservations.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The longest label of DNS; it bounds what each lease takes of memory.
const MAX_LENGTH: usize = 63;

/// Letters, digits, hyphens and dots: what can stand in a listing and in DNS.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct HostName(String);

impl HostName {
    /// None for what is no name: it is not worth refusing a client for.
    pub fn new(text: &str) -> Option<Self> {
        let is_fit = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
        let is_name = (1..=MAX_LENGTH).contains(&text.len())
            && text.chars().all(is_fit)
            && !text.starts_with(['-', '.']);
        is_name.then(|| HostName(text.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for HostName {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        HostName::new(&text).ok_or("no host name")
    }
}

impl From<HostName> for String {
    fn from(name: HostName) -> String {
        name.0
    }
}

impl fmt::Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_harm_a_terminal_is_no_name() {
        assert!(HostName::new("web-1.example").is_some());
        for wrong in ["", "-x", ".x", "a b", "a\x1b[2J", "ä", &"x".repeat(64)] {
            assert_eq!(HostName::new(wrong), None, "{wrong:?}");
        }
    }
}

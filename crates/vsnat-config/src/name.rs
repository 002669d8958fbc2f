//! The name of a director: it becomes a socket, a folder of pins and a table.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// A name of 1 to 32 small letters, digits and hyphens.
///
/// It is part of paths and of an nftables identifier, so nothing that either
/// would have to quote is allowed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DirectorName(String);

impl DirectorName {
    /// Long enough for people, short enough for a Unix socket's 108 bytes.
    pub const MAX_LENGTH: usize = 32;

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for DirectorName {
    fn default() -> Self {
        DirectorName(vsnat_api::DEFAULT_NAME.to_owned())
    }
}

impl fmt::Display for DirectorName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// A name that no director can have.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error(
    "\"{name}\" cannot be a director's name; use 1 to {} small letters, digits and hyphens, \
     beginning with a letter or digit",
    DirectorName::MAX_LENGTH
)]
pub struct NameError {
    pub name: String,
}

impl FromStr for DirectorName {
    type Err = NameError;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        let fits = (1..=Self::MAX_LENGTH).contains(&name.len());
        if !fits || name.starts_with('-') || !name.chars().all(allowed) {
            return Err(NameError {
                name: name.to_owned(),
            });
        }
        Ok(DirectorName(name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_what_paths_and_tables_can_carry() {
        for name in ["a", "web", "web-1", "0", &"x".repeat(32)] {
            assert_eq!(name.parse::<DirectorName>().unwrap().as_str(), name);
        }
    }

    #[test]
    fn refuses_everything_else() {
        for name in [
            "",
            "Web",
            "a b",
            "-a",
            "a/b",
            "..",
            "á",
            "a_b",
            &"x".repeat(33),
        ] {
            assert!(name.parse::<DirectorName>().is_err(), "{name}");
        }
    }
}

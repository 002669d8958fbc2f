//! Names of labs and of the nodes in them.
//!
//! A node's network namespace is called `vsnat-lab-LAB-NODE`. Lab names hold no
//! hyphen, so that two labs can never share a prefix and removing one cannot
//! touch the other.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use crate::LabError;
use crate::namespace::Namespace;

/// Namespace names are file names below /run/netns; this keeps them short
/// enough to read in a prompt.
pub const NAME_MAX: usize = 16;

const PREFIX: &str = "vsnat-lab-";

/// Folder of the labs' state, one folder for each.
const STATE_ROOT: &str = "/run/vsnat/lab";

/// Name of a lab; several labs can stand on one machine.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct LabName(String);

impl LabName {
    pub fn new(name: &str) -> Result<Self, LabError> {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        if name.is_empty() || name.len() > NAME_MAX || !name.chars().all(plain) {
            return Err(LabError::BadName {
                name: name.to_owned(),
            });
        }
        Ok(LabName(name.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The namespace that a node of this lab lives in.
    pub fn namespace(&self, node: Node) -> Namespace {
        Namespace::named(format!("{}{node}", self.prefix()))
    }

    /// What the namespaces of this lab, and no others, begin with.
    pub fn prefix(&self) -> String {
        format!("{PREFIX}{}-", self.0)
    }

    /// Name under which this lab's director runs.
    pub fn director_name(&self) -> String {
        format!("lab-{}", self.0)
    }

    /// Folder that holds what this lab keeps on disk while it stands.
    pub fn state_dir(&self) -> PathBuf {
        Path::new(STATE_ROOT).join(&self.0)
    }
}

impl fmt::Display for LabName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl FromStr for LabName {
    type Err = LabError;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        LabName::new(name)
    }
}

/// A machine of the cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Node {
    Client,
    Director,
    /// Real server, counted from 1.
    Server(u8),
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Node::Client => f.write_str("client"),
            Node::Director => f.write_str("director"),
            Node::Server(number) => write!(f, "server{number}"),
        }
    }
}

impl FromStr for Node {
    type Err = LabError;

    fn from_str(node: &str) -> Result<Self, Self::Err> {
        let bad = || LabError::BadNode {
            node: node.to_owned(),
        };
        match node {
            "client" => return Ok(Node::Client),
            "director" => return Ok(Node::Director),
            _ => {}
        }
        let number = node.strip_prefix("server").ok_or_else(bad)?;
        let number: u8 = number.parse().map_err(|_| bad())?;
        match number {
            0 => Err(bad()),
            _ => Ok(Node::Server(number)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_without_hyphens_only() {
        assert!(LabName::new("demo2").is_ok());
        for bad in ["", "a-b", "A", "a/b", "../x", "seventeenletters1"] {
            assert!(LabName::new(bad).is_err(), "{bad} was taken");
        }
    }

    #[test]
    fn nodes_read_as_they_are_written() {
        for node in [Node::Client, Node::Director, Node::Server(4)] {
            assert_eq!(node.to_string().parse::<Node>().unwrap(), node);
        }
        for bad in ["server", "server0", "server256", "router"] {
            assert!(bad.parse::<Node>().is_err(), "{bad} was taken");
        }
    }
}

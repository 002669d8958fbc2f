//! What an experienced colleague would say of a director's set-up.
//!
//! Facts in, findings out: nothing here looks at the machine. Each finding says
//! what is wrong, what comes of it, and the command that mends it, with where
//! to type it. Whoever collects the facts leaves out what could not be found,
//! and nothing is concluded from what is not there.

mod facts;
mod finding;
mod firewall;
mod host;
mod network;
mod servers;

pub use facts::{
    Address, Conntrack, Facts, Interface, Kernel, Link, MacAddress, Memory, Neighbour, Server,
    Side, Switch, Transport,
};
pub use finding::{Finding, Place, Severity};
pub use firewall::{Chain, forward_chains};

/// All that is to be said, the gravest first.
pub fn examine(facts: &Facts) -> Vec<Finding> {
    let mut findings = Vec::new();
    host::examine(facts, &mut findings);
    network::examine(facts, &mut findings);
    firewall::examine(facts, &mut findings);
    servers::examine(facts, &mut findings);
    findings.sort_by_key(|finding| finding.severity);
    findings
}

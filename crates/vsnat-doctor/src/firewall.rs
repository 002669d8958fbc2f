//! The host's firewall, where forwarded packets pass it.
//!
//! Service traffic goes by without it. The servers' own traffic and what the
//! packet path leaves to the kernel do not.

use serde_json::Value;

use crate::facts::{Facts, Side, Switch};
use crate::finding::Finding;

/// A chain at the forward hook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chain {
    pub family: String,
    pub table: String,
    pub name: String,
    /// Whether it drops what no rule accepts.
    pub drops: Switch,
    /// Interfaces from and to which it accepts everything.
    pub accepts_from: Vec<String>,
    pub accepts_to: Vec<String>,
}

/// The chains in what `nft --json list ruleset` prints.
pub fn forward_chains(ruleset: &Value) -> Vec<Chain> {
    let objects = ruleset["nftables"]
        .as_array()
        .map_or(&[][..], Vec::as_slice);
    let chains = objects.iter().map(|object| &object["chain"]);
    let mut found: Vec<Chain> = chains
        .filter(|chain| chain["hook"] == "forward")
        .map(|chain| Chain {
            family: text(&chain["family"]),
            table: text(&chain["table"]),
            name: text(&chain["name"]),
            drops: Switch::from(chain["policy"] == "drop"),
            accepts_from: Vec::new(),
            accepts_to: Vec::new(),
        })
        .collect();
    for rule in objects.iter().map(|object| &object["rule"]) {
        let owner = found.iter_mut().find(|chain| {
            rule["family"] == *chain.family
                && rule["table"] == *chain.table
                && rule["chain"] == *chain.name
        });
        if let (Some(chain), Some((direction, interface))) = (owner, accepted(rule)) {
            match direction {
                Direction::From => chain.accepts_from.push(interface),
                Direction::To => chain.accepts_to.push(interface),
            }
        }
    }
    found
}

pub(crate) fn examine(facts: &Facts, findings: &mut Vec<Finding>) {
    let inner = facts.interfaces.iter().filter(|i| i.side == Side::Inner);
    for interface in inner {
        let name = &interface.name;
        for chain in facts.chains.iter().filter(|c| c.drops == Switch::On) {
            let is_open = chain.accepts_from.contains(name) && chain.accepts_to.contains(name);
            if is_open {
                continue;
            }
            let Chain {
                family,
                table,
                name: chain,
                ..
            } = chain;
            let rule = format!("nft insert rule {family} {table} {chain}");
            findings.push(Finding::fault(
                "firewall",
                format!(
                    "the firewall's chain {chain} of table {family} {table} drops what is \
                     forwarded from and to {name}, unless another rule takes it: the servers \
                     reach nothing beyond this host"
                ),
                format!("{rule} iifname {name} accept && {rule} oifname {name} accept"),
            ));
        }
    }
}

enum Direction {
    From,
    To,
}

/// The interface of a rule that accepts everything from or to it.
fn accepted(rule: &Value) -> Option<(Direction, String)> {
    let statements = rule["expr"].as_array()?;
    let accepts = |statement: &Value| statement.get("accept").is_some();
    if !statements.iter().any(accepts) {
        return None;
    }
    let mut matches = statements.iter().filter_map(|s| s.get("match"));
    let (only, None) = (matches.next()?, matches.next()) else {
        return None;
    };
    let direction = match only["left"]["meta"]["key"].as_str()? {
        "iifname" | "iif" => Direction::From,
        "oifname" | "oif" => Direction::To,
        _ => return None,
    };
    (only["op"] == "==").then(|| (direction, text(&only["right"])))
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

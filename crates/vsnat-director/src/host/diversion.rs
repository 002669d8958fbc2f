//! What servers send to clients reaches the daemon, where the packet path says
//! so: its mark leads to a routing table of ours, in which every address is
//! this host's.
//!
//! The rules name the inner interfaces: a reverse path that is looked up with
//! the mark (`src_valid_mark`) must not end in that table.

use vsnat_abi::hop::TO_HOST_MARK;

use super::tool::{Tool, ToolError};

/// Number of the table: the letters V and S, since nobody else's is likely to
/// have it.
pub const TABLE: u32 = 22_099;

/// Behind the rule for this host's own addresses (0), in front of those that an
/// administrator makes for others (from 32,765 on downwards).
const PRIORITY: u32 = 64;

/// Leads what comes by these interfaces and has the mark to this host. What an
/// earlier start led is led no more.
pub fn lead(interfaces: &[String]) -> Result<(), ToolError> {
    remove()?;
    let (table, mark, priority) = words();
    Tool::Ip.run(&route("replace", &table))?;
    for interface in interfaces {
        let rule = [
            "-4", "rule", "add", "priority", &priority, "iif", interface, "fwmark", &mark,
            "lookup", &table,
        ];
        Tool::Ip.run(&rule)?;
    }
    Ok(())
}

/// Takes rules and route away; they need not be there.
pub fn remove() -> Result<(), ToolError> {
    let (table, _, priority) = words();
    let rules = Tool::Ip.run(&["-4", "rule", "show", "table", &table])?;
    for _ in rules.lines() {
        Tool::Ip.run(&["-4", "rule", "del", "priority", &priority, "lookup", &table])?;
    }
    // A table that never had a route cannot be asked; so it gets one first.
    Tool::Ip.run(&route("replace", &table))?;
    Tool::Ip.run(&route("del", &table)).map(drop)
}

fn words() -> (String, String, String) {
    (
        TABLE.to_string(),
        format!("{TO_HOST_MARK:#x}"),
        PRIORITY.to_string(),
    )
}

fn route<'a>(action: &'a str, table: &'a str) -> [&'a str; 9] {
    [
        "-4", "route", action, "local", "default", "dev", "lo", "table", table,
    ]
}

//! Commands out of their words.

use vsnat_api::{Command, MarkRule, ServiceSpec, Setting, Source};
use vsnat_ipvsadm::{NoNames, Request};

use crate::act::{Act, MarkText};

/// `None` for what cannot be said: ipvsadm's language refuses it, or a name is
/// none.
pub fn command_of(act: &Act) -> Option<Command> {
    match act {
        Act::Ipvsadm(words) => spoken(words),
        Act::Lend(words) => match spoken(words)? {
            Command::AddService(spec) => Some(Command::AddService(ServiceSpec {
                source: Source::Director,
                ..spec
            })),
            other => Some(other),
        },
        Act::Set { name, value } => {
            Some(Command::Set(Setting::new(name.parse().ok()?, *value).ok()?))
        }
        Act::Deny { prefix } => Some(Command::DenyAdd(prefix.parse().ok()?)),
        Act::Allow { prefix } => Some(Command::DenyDelete(prefix.parse().ok()?)),
        Act::Mark(rule) => rule_of(rule).map(Command::MarkAdd),
        Act::Unmark(rule) => rule_of(rule).map(Command::MarkDelete),
        Act::Own { .. }
        | Act::Spare { .. }
        | Act::Expect(_)
        | Act::Advance { .. }
        | Act::Sweep(_)
        | Act::Tend
        | Act::Forget
        | Act::Restart
        | Act::Draw { .. }
        | Act::Packet(_)
        | Act::MeanwhilePacket { .. }
        | Act::MeanwhileSweep { .. } => None,
    }
}

fn rule_of(text: &MarkText) -> Option<MarkRule> {
    let some = |text: &str| (text != "-").then(|| text.to_owned());
    Some(MarkRule {
        mark: vsnat_api::Mark::new(text.mark).ok()?,
        protocol: match text.protocol.as_str() {
            "tcp" => Some(vsnat_api::Protocol::Tcp),
            "udp" => Some(vsnat_api::Protocol::Udp),
            "sctp" => Some(vsnat_api::Protocol::Sctp),
            _ => None,
        },
        source: some(&text.source).and_then(|net| net.parse().ok()),
        destination: some(&text.destination).and_then(|net| net.parse().ok()),
        ports: match some(&text.ports) {
            Some(ports) => ports
                .split(',')
                .filter_map(|range| range.to_owned().try_into().ok())
                .collect(),
            None => Vec::new(),
        },
        interface: some(&text.interface),
    })
}

/// What ipvsadm makes of these words.
fn spoken(words: &str) -> Option<Command> {
    let words: Vec<String> = words.split_whitespace().map(str::to_owned).collect();
    match vsnat_ipvsadm::parse(&words, &NoNames).ok()? {
        Request::Command(command) => Some(command),
        Request::UnknownScheduler(_)
        | Request::ListServices(_)
        | Request::ListConnections(_)
        | Request::ListTimeouts
        | Request::ListDaemons
        | Request::Save(_)
        | Request::Restore
        | Request::Help
        | Request::Version => None,
    }
}

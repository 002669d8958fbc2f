//! The tables that drive parsing, legality and help.
//!
//! [`WORDS`] holds every command and option of ipvsadm 1.31; [`GROUPS`] says
//! which option goes with which command. A new option of the director is a
//! change of its `support` here, and of what [`crate::line`] does with it.

use Support::{NotYet, Supported};
use Takes::{Maybe, Nothing, Value};
use WordId::{Command as C, Option as O};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CommandId {
    AddService,
    EditService,
    DeleteService,
    Clear,
    Restore,
    Save,
    AddServer,
    EditServer,
    DeleteServer,
    List,
    Zero,
    Set,
    StartDaemon,
    StopDaemon,
    Help,
    Version,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OptionId {
    TcpService,
    UdpService,
    SctpService,
    FwmarkService,
    Ipv6,
    Scheduler,
    SchedFlags,
    Persistent,
    Netmask,
    Pe,
    Ops,
    RealServer,
    Gatewaying,
    Ipip,
    Masquerading,
    TunType,
    TunPort,
    TunNocsum,
    TunCsum,
    TunRemcsum,
    Weight,
    UThreshold,
    LThreshold,
    Connection,
    Timeout,
    Daemon,
    Stats,
    Rate,
    Exact,
    Thresholds,
    PersistentConn,
    TunInfo,
    Nosort,
    Sort,
    Numeric,
    Syncid,
    SyncMaxlen,
    McastInterface,
    McastGroup,
    McastPort,
    McastTtl,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WordId {
    Command(CommandId),
    Option(OptionId),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Takes {
    Nothing,
    Value,
    /// A value unless the next word begins with a dash.
    Maybe,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Support {
    Supported,
    /// What the option means, for the refusal.
    NotYet(&'static str),
}

/// A command or an option.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Word {
    pub(crate) id: WordId,
    /// Short names, one letter each.
    pub(crate) short: &'static str,
    pub(crate) long: &'static str,
    pub(crate) takes: Takes,
    pub(crate) support: Support,
    /// Name of the value in the help text.
    pub(crate) value: &'static str,
    pub(crate) help: &'static str,
}

impl Word {
    /// The short name, or else the long one, with its dashes.
    pub(crate) fn name(&self) -> String {
        match self.short.chars().next() {
            Some(letter) => format!("-{letter}"),
            None => format!("--{}", self.long),
        }
    }
}

const fn word(
    id: WordId,
    short: &'static str,
    long: &'static str,
    takes: Takes,
    support: Support,
    value: &'static str,
    help: &'static str,
) -> Word {
    Word {
        id,
        short,
        long,
        takes,
        support,
        value,
        help,
    }
}

const DAEMON: Support = NotYet("connection synchronisation");
const TUNNEL: Support = NotYet("tunneling");

#[rustfmt::skip]
pub(crate) const WORDS: &[Word] = &[
    word(C(CommandId::AddService), "A", "add-service", Nothing, Supported, "", "add a virtual service"),
    word(C(CommandId::EditService), "E", "edit-service", Nothing, Supported, "", "replace the settings of a virtual service"),
    word(C(CommandId::DeleteService), "D", "delete-service", Nothing, Supported, "", "delete a virtual service and its servers"),
    word(C(CommandId::Clear), "C", "clear", Nothing, Supported, "", "delete all virtual services"),
    word(C(CommandId::Restore), "R", "restore", Nothing, Supported, "", "carry out the lines of standard input"),
    word(C(CommandId::Save), "S", "save", Nothing, Supported, "", "print the table as lines for --restore"),
    word(C(CommandId::AddServer), "a", "add-server", Nothing, Supported, "", "add a real server to a service"),
    word(C(CommandId::EditServer), "e", "edit-server", Nothing, Supported, "", "replace the settings of a real server"),
    word(C(CommandId::DeleteServer), "d", "delete-server", Nothing, Supported, "", "delete a real server from a service"),
    word(C(CommandId::List), "Ll", "list", Nothing, Supported, "", "list the table, or one service"),
    word(C(CommandId::Zero), "Z", "zero", Nothing, Supported, "", "set the counters of one or all services to zero"),
    word(C(CommandId::Set), "", "set", Nothing, Supported, "tcp tcpfin udp", "set timeouts in seconds; 0 keeps one"),
    word(C(CommandId::StartDaemon), "", "start-daemon", Value, DAEMON, "", ""),
    word(C(CommandId::StopDaemon), "", "stop-daemon", Value, Supported, "master|backup", "stop a daemon of synchronisation, of which none can run"),
    word(C(CommandId::Help), "h", "help", Nothing, Supported, "", "print this text"),
    word(C(CommandId::Version), "v", "version", Nothing, Supported, "", "print the version of this language"),

    word(O(OptionId::TcpService), "t", "tcp-service", Value, Supported, "host:port", "the TCP service of this address"),
    word(O(OptionId::UdpService), "u", "udp-service", Value, Supported, "host:port", "the UDP service of this address"),
    word(O(OptionId::SctpService), "", "sctp-service", Value, Supported, "host:port", "the SCTP service of this address"),
    word(O(OptionId::FwmarkService), "f", "fwmark-service", Value, Supported, "mark", "the service of the packets that marking rules give this mark"),
    word(O(OptionId::Ipv6), "6", "ipv6", Nothing, NotYet("marks of IPv6"), "", ""),
    word(O(OptionId::Scheduler), "s", "scheduler", Value, Supported, "scheduler", "how servers are picked: rr, wrr, lc, wlc (default), lblc, lblcr, sed, nq, fo, ovf, twos, sh, dh or mh"),
    word(O(OptionId::SchedFlags), "b", "sched-flags", Value, Supported, "flags", "of the scheduler: sh-fallback, sh-port, mh-fallback, mh-port"),
    word(O(OptionId::Persistent), "p", "persistent", Maybe, Supported, "[seconds]", "a client stays with its server this long, by default 360 seconds"),
    word(O(OptionId::Netmask), "M", "netmask", Value, Supported, "netmask", "clients that are equal under it are one to --persistent"),
    word(O(OptionId::Pe), "", "pe", Value, NotYet("persistence engines"), "", ""),
    word(O(OptionId::Ops), "o", "ops", Nothing, Supported, "", "every datagram finds a server of its own; UDP and marks only"),
    word(O(OptionId::RealServer), "r", "real-server", Value, Supported, "host[:port]", "the real server; its port is by default the service's"),
    word(O(OptionId::Gatewaying), "g", "gatewaying", Nothing, Supported, "", "the server has the VIP and answers past the director; with no method given it is meant"),
    word(O(OptionId::Ipip), "i", "ipip", Nothing, TUNNEL, "", ""),
    word(O(OptionId::Masquerading), "m", "masquerading", Nothing, Supported, "", "translate addresses and ports, both ways"),
    word(O(OptionId::TunType), "", "tun-type", Value, TUNNEL, "", ""),
    word(O(OptionId::TunPort), "", "tun-port", Value, TUNNEL, "", ""),
    word(O(OptionId::TunNocsum), "", "tun-nocsum", Nothing, TUNNEL, "", ""),
    word(O(OptionId::TunCsum), "", "tun-csum", Nothing, TUNNEL, "", ""),
    word(O(OptionId::TunRemcsum), "", "tun-remcsum", Nothing, TUNNEL, "", ""),
    word(O(OptionId::Weight), "w", "weight", Value, Supported, "weight", "share of the server, 0 to 2147483647, by default 1"),
    word(O(OptionId::UThreshold), "x", "u-threshold", Value, Supported, "connections", "with so many a server takes no new ones; 0, the default, for no limit"),
    word(O(OptionId::LThreshold), "y", "l-threshold", Value, Supported, "connections", "with fewer it takes new ones again; 0, the default, for 3/4 of -x"),
    word(O(OptionId::Connection), "c", "connection", Nothing, Supported, "", "list connections"),
    word(O(OptionId::Timeout), "", "timeout", Nothing, Supported, "", "list the timeouts of --set"),
    word(O(OptionId::Daemon), "", "daemon", Nothing, Supported, "", "list daemons of synchronisation, of which none can run"),
    word(O(OptionId::Stats), "", "stats", Nothing, Supported, "", "list totals"),
    word(O(OptionId::Rate), "", "rate", Nothing, Supported, "", "list totals per second"),
    word(O(OptionId::Exact), "X", "exact", Nothing, Supported, "", "list numbers whole, without K, M, G and T"),
    word(O(OptionId::Thresholds), "", "thresholds", Nothing, Supported, "", "list thresholds"),
    word(O(OptionId::PersistentConn), "", "persistent-conn", Nothing, Supported, "", "list templates of persistence"),
    word(O(OptionId::TunInfo), "", "tun-info", Nothing, Supported, "", "list tunnels"),
    word(O(OptionId::Nosort), "", "nosort", Nothing, Supported, "", "list in the order of the director"),
    word(O(OptionId::Sort), "", "sort", Nothing, Supported, "", "list in sorted order, as is the default"),
    word(O(OptionId::Numeric), "n", "numeric", Nothing, Supported, "", "list numbers in place of names"),
    word(O(OptionId::Syncid), "", "syncid", Value, DAEMON, "", ""),
    word(O(OptionId::SyncMaxlen), "", "sync-maxlen", Value, DAEMON, "", ""),
    word(O(OptionId::McastInterface), "", "mcast-interface", Value, DAEMON, "", ""),
    word(O(OptionId::McastGroup), "", "mcast-group", Value, DAEMON, "", ""),
    word(O(OptionId::McastPort), "", "mcast-port", Value, DAEMON, "", ""),
    word(O(OptionId::McastTtl), "", "mcast-ttl", Value, DAEMON, "", ""),
];

/// A group of options of which a line holds at most one, and its rules.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Group {
    /// The group's name in messages.
    pub(crate) name: &'static str,
    pub(crate) options: &'static [OptionId],
    /// One letter for each of [`COMMANDS`]: `+` needed, `o` allowed,
    /// `1` allowed but only one of these, `x` illegal.
    pub(crate) rules: &'static str,
}

/// Commands in the order of the letters of [`Group::rules`], with the names
/// that ipvsadm's messages give them.
pub(crate) const COMMANDS: &[(CommandId, &str)] = &[
    (CommandId::AddService, "add-service"),
    (CommandId::EditService, "edit-service"),
    (CommandId::DeleteService, "delete-service"),
    (CommandId::Clear, "flush"),
    (CommandId::Restore, "restore"),
    (CommandId::Save, "save"),
    (CommandId::AddServer, "add-server"),
    (CommandId::EditServer, "edit-server"),
    (CommandId::DeleteServer, "delete-server"),
    (CommandId::List, "list"),
    (CommandId::Zero, "zero"),
    (CommandId::Set, "set"),
    (CommandId::StartDaemon, "start-daemon"),
    (CommandId::StopDaemon, "stop-daemon"),
];

const fn group(name: &'static str, rules: &'static str, options: &'static [OptionId]) -> Group {
    Group {
        name,
        options,
        rules,
    }
}

/// In the order in which ipvsadm looks for faults. `-6` and `--sort` belong to
/// no group: ipvsadm never finds them out of place.
#[rustfmt::skip]
pub(crate) const GROUPS: &[Group] = &[
    // add, edit, delete service; clear, restore, save; add, edit, delete server;
    // list, zero, set; start, stop daemon
    group("numeric",           "xxxxxoxxxoxxxx", &[OptionId::Numeric]),
    group("connection",        "xxxxxxxxx1xxxx", &[OptionId::Connection]),
    group("service-address",   "+++xxx+++1oxxx", &[OptionId::TcpService, OptionId::UdpService, OptionId::SctpService, OptionId::FwmarkService]),
    group("scheduler",         "ooxxxxxxxxxxxx", &[OptionId::Scheduler]),
    group("persistent",        "ooxxxxxxxxxxxx", &[OptionId::Persistent]),
    group("netmask",           "ooxxxxxxxxxxxx", &[OptionId::Netmask]),
    group("real-server",       "xxxxxx+++xxxxx", &[OptionId::RealServer]),
    group("forwarding-method", "xxxxxxooxxxxxx", &[OptionId::Gatewaying, OptionId::Ipip, OptionId::Masquerading]),
    group("weight",            "xxxxxxooxxxxxx", &[OptionId::Weight]),
    group("u-threshold",       "xxxxxxooxxxxxx", &[OptionId::UThreshold]),
    group("l-threshold",       "xxxxxxooxxxxxx", &[OptionId::LThreshold]),
    group("mcast-interface",   "xxxxxxxxxxxxox", &[OptionId::McastInterface]),
    group("timeout",           "xxxxxxxxx1xxxx", &[OptionId::Timeout]),
    group("daemon",            "xxxxxxxxx1xxxx", &[OptionId::Daemon]),
    group("stats",             "xxxxxxxxxoxxxx", &[OptionId::Stats]),
    group("rate",              "xxxxxxxxxoxxxx", &[OptionId::Rate]),
    group("thresholds",        "xxxxxxxxxoxxxx", &[OptionId::Thresholds]),
    group("persistent-conn",   "xxxxxxxxxoxxxx", &[OptionId::PersistentConn]),
    group("nosort",            "xxxxxxxxxoxxxx", &[OptionId::Nosort]),
    group("syncid",            "xxxxxxxxxxxxoo", &[OptionId::Syncid]),
    group("exact",             "xxxxxxxxxoxxxx", &[OptionId::Exact]),
    group("ops",               "ooxxxxxxxxxxxx", &[OptionId::Ops]),
    group("pe",                "ooxxxxxxxxxxxx", &[OptionId::Pe]),
    group("sched-flags",       "ooxxxxxxxxxxxx", &[OptionId::SchedFlags]),
    group("tun-info",          "xxxxxxxxxoxxxx", &[OptionId::TunInfo]),
    group("tun-type",          "xxxxxxooxxxxxx", &[OptionId::TunType]),
    group("tun-port",          "xxxxxxooxxxxxx", &[OptionId::TunPort]),
    group("tun-nocsum",        "xxxxxxooxxxxxx", &[OptionId::TunNocsum]),
    group("tun-csum",          "xxxxxxooxxxxxx", &[OptionId::TunCsum]),
    group("tun-remcsum",       "xxxxxxooxxxxxx", &[OptionId::TunRemcsum]),
    group("mcast-group",       "xxxxxxxxxxxxox", &[OptionId::McastGroup]),
    group("mcast-port",        "xxxxxxxxxxxxox", &[OptionId::McastPort]),
    group("mcast-ttl",         "xxxxxxxxxxxxox", &[OptionId::McastTtl]),
    group("sync-maxlen",       "xxxxxxxxxxxxox", &[OptionId::SyncMaxlen]),
];

pub(crate) fn group_of(option: OptionId) -> Option<&'static Group> {
    GROUPS.iter().find(|group| group.options.contains(&option))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_group_has_one_known_letter_for_each_command() {
        for group in GROUPS {
            assert_eq!(group.rules.len(), COMMANDS.len(), "{}", group.name);
            assert!(
                group.rules.chars().all(|rule| "+o1x".contains(rule)),
                "{}",
                group.name
            );
        }
    }

    #[test]
    fn every_option_but_two_is_in_exactly_one_group() {
        for word in WORDS {
            let WordId::Option(option) = word.id else {
                continue;
            };
            let groups = GROUPS
                .iter()
                .filter(|group| group.options.contains(&option))
                .count();
            let free = matches!(option, OptionId::Ipv6 | OptionId::Sort);
            assert_eq!(groups, usize::from(!free), "{}", word.long);
        }
    }

    #[test]
    fn names_are_unique_and_what_is_supported_is_described() {
        let mut names = HashSet::new();
        for word in WORDS {
            assert!(names.insert(word.long.to_owned()), "--{}", word.long);
            for letter in word.short.chars() {
                assert!(names.insert(letter.to_string()), "-{letter}");
            }
            assert_eq!(
                word.support == Supported,
                !word.help.is_empty(),
                "{}",
                word.long
            );
        }
    }
}

//! What is expected of a recording while the director lacks parts of IPVS.
//!
//! Most are expected as recorded, less the rows of services that cannot be
//! there. The lists below name every other file, with what it needs.

use libtest_mimic::Failed;

pub enum Expected {
    AsRecorded,
    /// As recorded, with a plain service and masquerading before it.
    PlainService,
    /// About a daemon of synchronisation that runs: here none does.
    NoDaemon,
    /// Exit code 2, and a line that holds these words.
    Refused(&'static str),
    /// Our own text.
    OwnHelp,
}

/// Lines that must be refused: the file, and what is not there yet, as the
/// refusal says it.
#[rustfmt::skip]
const REFUSED: &[(&str, &str)] = &[
    ("add/13-a-tunnel.txt", "-i (tunneling)"),
    ("add/28-A-fwm6.txt", "-6 (marks of IPv6)"),
    ("add/37-A-pe-sip.txt", "--pe (persistence engines)"),
    ("add/45-a-gue.txt", "-i (tunneling), --tun-type (tunneling), --tun-port (tunneling) and --tun-csum (tunneling)"),
    ("add/46-a-gre.txt", "-i (tunneling) and --tun-type (tunneling)"),
    ("daemon/04-start-backup.txt", "--start-daemon (connection synchronisation)"),
    ("daemon/12-start-bad-if.txt", "--start-daemon (connection synchronisation)"),
    ("daemon/15-start-full.txt", "--start-daemon (connection synchronisation)"),
    ("errors/032-A-f-5-6-s-rr.txt", "-6 (marks of IPv6)"),
    ("errors/050-A-t-10.0.1.100-81-pe-sip.txt", "--pe (persistence engines)"),
    ("errors/083-a-t-10.0.1.100-80-r-fd00-2-11-80-i.txt", "-i (tunneling)"),
    ("list/31-Ln-f-6-6.txt", "-6 (marks of IPv6)"),
];

/// The line is supported, the server it is told to change is not: it is reached
/// by direct routing.
const PLAIN_SERVICE: &[&str] = &["edit/20-d.txt"];

/// A daemon ran when these were recorded.
const NO_DAEMON: &[&str] = &[
    "daemon/02-list.txt",
    "daemon/05-list.txt",
    "daemon/08-stop-master.txt",
    "daemon/16-list.txt",
];

/// What was done before, where the table of the recording does not tell: the
/// order in which servers were added, and timeouts.
const HISTORY: &[(&str, &[&str])] = &[
    ("list/14-Ln-nosort.txt", LOCAL_SERVERS_LAST),
    ("list/17-Ln-stats-nosort.txt", LOCAL_SERVERS_LAST),
    ("list/80-proc-ip_vs.txt", LOCAL_SERVERS_LAST),
    (
        "edit/23-nosort.txt",
        &[
            "-d -t 10.0.1.100:80 -r 10.0.2.12:80",
            "-a -t 10.0.1.100:80 -r 10.0.2.12:80 -m",
        ],
    ),
    ("edit/31-timeout.txt", &["--set 60 10 20"]),
    ("edit/33-timeout.txt", &["--set 60 10 20", "--set 0 0 30"]),
];

const LOCAL_SERVERS_LAST: &[&str] = &[
    "-d -t 10.0.1.100:81 -r 10.0.1.1:81",
    "-a -t 10.0.1.100:81 -r 10.0.1.1:81 -g",
    "-d -t 10.0.1.100:81 -r 127.0.0.1:81",
    "-a -t 10.0.1.100:81 -r 127.0.0.1:81 -m",
];

/// The help text is in our own words.
const OWN_HELP: &[&str] = &["empty/17-h.txt", "errors/165-h-foo.txt"];

pub fn expected(file: &str) -> Expected {
    if PLAIN_SERVICE.contains(&file) {
        return Expected::PlainService;
    }
    if OWN_HELP.contains(&file) {
        return Expected::OwnHelp;
    }
    if NO_DAEMON.contains(&file) {
        return Expected::NoDaemon;
    }
    match REFUSED.iter().find(|(name, _)| *name == file) {
        Some((_, words)) => Expected::Refused(words),
        None => Expected::AsRecorded,
    }
}

/// Lines to be carried out between loading the table and the test.
pub fn history(file: &str) -> &'static [&'static str] {
    let found = HISTORY.iter().find(|(name, _)| *name == file);
    found.map_or(&[], |(_, lines)| lines)
}

pub fn check_files(files: &[String]) -> Result<(), Failed> {
    let refused = REFUSED.iter().map(|(file, _)| file);
    let history = HISTORY.iter().map(|(file, _)| file);
    let named = refused.chain(history).chain(PLAIN_SERVICE);
    for file in named.chain(NO_DAEMON).chain(OWN_HELP) {
        if !files.iter().any(|name| name == file) {
            return Err(format!("{file} is expected and not there").into());
        }
    }
    Ok(())
}

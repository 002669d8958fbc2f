//! What is expected of a recording while the director lacks parts of IPVS.
//!
//! Most are expected as recorded, less the rows of services that cannot be
//! there. The lists below name every other file, with what it needs.

use libtest_mimic::Failed;

pub enum Expected {
    AsRecorded,
    /// As recorded, with a plain service and masquerading before it.
    PlainService,
    /// Refused as by a kernel that lacks the service.
    NoService(&'static str),
    /// Exit code 2, and a line that holds these words.
    Refused(&'static str),
    /// Our own text.
    OwnHelp,
}

/// Lines that must be refused: the file, and what is not there yet, as the
/// refusal says it.
#[rustfmt::skip]
const REFUSED: &[(&str, &str)] = &[
    ("add/11-a-default-fwd.txt", "add -m (masquerading)"),
    ("add/12-a-default-fwd-otherport.txt", "add -m (masquerading)"),
    ("add/13-a-tunnel.txt", "-i (tunneling)"),
    ("add/15-a-local.txt", "-g (direct routing)"),
    ("add/20-A-wlc-persist.txt", "-p (persistence)"),
    ("add/21-A-persist-300.txt", "-p (persistence)"),
    ("add/22-A-persist-netmask.txt", "-p (persistence) and -M (persistence by netmask)"),
    ("add/23-A-persist-port0.txt", "-p (persistence)"),
    ("add/24-A-udp-ops.txt", "-o (one-packet scheduling)"),
    ("add/28-A-fwm6.txt", "-f (services by firewall mark) and -6 (IPv6)"),
    ("add/30-a-v6.txt", "IPv6 addresses"),
    ("add/37-A-pe-sip.txt", "-p (persistence) and --pe (persistence engines)"),
    ("add/38-a-sctp.txt", "--sctp-service (SCTP)"),
    ("add/40-a-fwm.txt", "-f (services by firewall mark)"),
    ("add/42-a-thresholds.txt", "-x (connection thresholds) and -y (connection thresholds)"),
    ("add/45-a-gue.txt", "-i (tunneling), --tun-type (tunneling), --tun-port (tunneling) and --tun-csum (tunneling)"),
    ("add/46-a-gre.txt", "-i (tunneling) and --tun-type (tunneling)"),
    ("add/52-longopts.txt", "-p (persistence) and -M (persistence by netmask)"),
    ("add/53-longopts-server.txt", "-x (connection thresholds) and -y (connection thresholds)"),
    ("add/60-A-sched-lblc.txt", "-s lblc"),
    ("add/60-A-sched-lblcr.txt", "-s lblcr"),
    ("daemon/02-list.txt", "--daemon (connection synchronisation)"),
    ("daemon/04-start-backup.txt", "--start-daemon (connection synchronisation)"),
    ("daemon/05-list.txt", "--daemon (connection synchronisation)"),
    ("daemon/08-stop-master.txt", "--stop-daemon (connection synchronisation)"),
    ("daemon/09-stop-again.txt", "--stop-daemon (connection synchronisation)"),
    ("daemon/10-list.txt", "--daemon (connection synchronisation)"),
    ("daemon/12-start-bad-if.txt", "--start-daemon (connection synchronisation)"),
    ("daemon/15-start-full.txt", "--start-daemon (connection synchronisation)"),
    ("daemon/16-list.txt", "--daemon (connection synchronisation)"),
    ("edit/12-e-weight-without-m.txt", "add -m (masquerading)"),
    ("edit/30-set.txt", "--set (setting timeouts)"),
    ("edit/31-timeout.txt", "--timeout (listing timeouts)"),
    ("edit/32-set-zero-keeps.txt", "--set (setting timeouts)"),
    ("edit/33-timeout.txt", "--timeout (listing timeouts)"),
    ("empty/08-thresholds.txt", "--thresholds (connection thresholds)"),
    ("empty/09-persistent-conn.txt", "--persistent-conn (persistence)"),
    ("errors/030-A-f-4294967295.txt", "-f (services by firewall mark)"),
    ("errors/032-A-f-5-6-s-rr.txt", "-f (services by firewall mark) and -6 (IPv6)"),
    ("errors/039-A-t-10.0.1.100-81-M-255.255.255.0.txt", "-M (persistence by netmask)"),
    ("errors/041-A-t-10.0.1.100-81-p-10-M-24.txt", "-p (persistence) and -M (persistence by netmask)"),
    ("errors/050-A-t-10.0.1.100-81-pe-sip.txt", "--pe (persistence engines)"),
    ("errors/069-D-f-9.txt", "-f (services by firewall mark)"),
    ("errors/083-a-t-10.0.1.100-80-r-fd00-2-11-80-i.txt", "IPv6 addresses and -i (tunneling)"),
    ("errors/096-a-t-10.0.1.100-80-r-10.0.2.12-80-m-x-5-y-5.txt", "-x (connection thresholds) and -y (connection thresholds)"),
    ("errors/119-Z-f-3.txt", "-f (services by firewall mark)"),
    ("errors/149-A-sctp-service-10.0.1.100-80-s-rr.txt", "--sctp-service (SCTP)"),
    ("errors/159-A-t-10.0.1.100-81-p10-srr.txt", "-p (persistence)"),
    ("list/09-Ln-persistent-conn.txt", "--persistent-conn (persistence)"),
    ("list/10-Ln-timeout.txt", "--timeout (listing timeouts)"),
    ("list/15-Ln-tun-info.txt", "--tun-info (tunneling)"),
    ("list/19-L-thresholds.txt", "--thresholds (connection thresholds)"),
    ("list/28-Ln-t-10.0.1.100-80-persistent-conn.txt", "--persistent-conn (persistence)"),
    ("list/30-Ln-f-5.txt", "-f (services by firewall mark)"),
    ("list/31-Ln-f-6-6.txt", "-f (services by firewall mark) and -6 (IPv6)"),
    ("list/33-Ln-t-fd00-1-100-80.txt", "IPv6 addresses"),
    ("list/46-Ln-thresholds-stats.txt", "--thresholds (connection thresholds)"),
    ("list/47-Ln-persistent-conn-stats.txt", "--persistent-conn (persistence)"),
    ("traffic/05b-Lnc-persistent.txt", "--persistent-conn (persistence)"),
    ("traffic/08-persistent.txt", "--persistent-conn (persistence)"),
    ("traffic/09-thresholds.txt", "--thresholds (connection thresholds)"),
];

/// The line is supported, the service or server it is told to change is not:
/// persistent, or reached by direct routing.
const PLAIN_SERVICE: &[&str] = &["edit/05-E-no-persist.txt", "edit/20-d.txt"];

/// The line is supported, the service it names is not, so it is not there:
/// persistent, without a port, or for single packets.
const NO_SERVICE: &[(&str, &str)] = &[
    ("add/44-a-big-weight.txt", "Service not defined"),
    ("add/47-a-port0.txt", "Service not defined"),
    ("list/29-Ln-u-10.0.1.100-53.txt", "No such service"),
];

/// What was done since the servers were added in their order, so that the
/// newest is not the last of the sorted lines.
const HISTORY: &[(&str, &[&str])] = &[(
    "edit/23-nosort.txt",
    &[
        "-d -t 10.0.1.100:80 -r 10.0.2.12:80",
        "-a -t 10.0.1.100:80 -r 10.0.2.12:80 -m",
    ],
)];

/// The help text names what the director supports, in its own words.
const OWN_HELP: &[&str] = &["empty/17-h.txt", "errors/165-h-foo.txt"];

pub fn expected(file: &str) -> Expected {
    if PLAIN_SERVICE.contains(&file) {
        return Expected::PlainService;
    }
    if OWN_HELP.contains(&file) {
        return Expected::OwnHelp;
    }
    if let Some((_, message)) = NO_SERVICE.iter().find(|(name, _)| *name == file) {
        return Expected::NoService(message);
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
    let refused = REFUSED.iter().chain(NO_SERVICE).map(|(file, _)| file);
    let history = HISTORY.iter().map(|(file, _)| file);
    for file in refused.chain(PLAIN_SERVICE).chain(OWN_HELP).chain(history) {
        if !files.iter().any(|name| name == file) {
            return Err(format!("{file} is expected and not there").into());
        }
    }
    Ok(())
}

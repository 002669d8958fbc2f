//! `[timeouts]`, by state of a connection.

use std::collections::BTreeMap;
use std::time::Duration;

use vsnat_api::{ConnectionState, Timeouts};

use crate::duration;
use crate::mistake::Notes;
use crate::section::Section;

/// Keys of `[timeouts]` and the states they set.
const TIMEOUTS: [(&str, ConnectionState); 12] = [
    ("tcp_none", ConnectionState::None),
    ("tcp_established", ConnectionState::Established),
    ("tcp_syn_sent", ConnectionState::SynSent),
    ("tcp_syn_recv", ConnectionState::SynRecv),
    ("tcp_fin_wait", ConnectionState::FinWait),
    ("tcp_time_wait", ConnectionState::TimeWait),
    ("tcp_close", ConnectionState::Close),
    ("tcp_close_wait", ConnectionState::CloseWait),
    ("tcp_last_ack", ConnectionState::LastAck),
    ("tcp_listen", ConnectionState::Listen),
    ("tcp_synack", ConnectionState::Synack),
    ("udp", ConnectionState::Udp),
];

/// The states that `ipvsadm --set` knows: tcp, tcpfin, udp.
pub const SETTABLE_STATES: [ConnectionState; 3] = [
    ConnectionState::Established,
    ConnectionState::FinWait,
    ConnectionState::Udp,
];

/// IPVS's.
pub const DEFAULT_TIMEOUTS: Timeouts = Timeouts {
    tcp_s: 15 * 60,
    tcp_fin_s: 2 * 60,
    udp_s: 5 * 60,
};

pub(crate) fn read(section: &Section, notes: &mut Notes) -> BTreeMap<ConnectionState, Duration> {
    section.check_keys(&TIMEOUTS.map(|(key, _)| key), notes);
    let read = |(key, state)| {
        let text = section.text(key, notes)?;
        let seconds = duration::seconds(key, &text, notes)?;
        Some((state, Duration::from_secs(seconds.into())))
    };
    TIMEOUTS.into_iter().filter_map(read).collect()
}

/// The timeouts that `ipvsadm --set` knows, where the file names them.
pub(crate) fn settable(named: &BTreeMap<ConnectionState, Duration>) -> Timeouts {
    let seconds = |state, otherwise: u32| {
        let named = named.get(&state).map(Duration::as_secs);
        let seconds = named.and_then(|seconds| u32::try_from(seconds).ok());
        seconds.unwrap_or(otherwise)
    };
    Timeouts {
        tcp_s: seconds(ConnectionState::Established, DEFAULT_TIMEOUTS.tcp_s),
        tcp_fin_s: seconds(ConnectionState::FinWait, DEFAULT_TIMEOUTS.tcp_fin_s),
        udp_s: seconds(ConnectionState::Udp, DEFAULT_TIMEOUTS.udp_s),
    }
}

//! `[limits]` and `[timeouts]`.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::time::Duration;

use vsnat_api::ConnectionState;

use crate::Limits;
use crate::mistake::Notes;
use crate::section::Section;

/// Below 64 the sweeper's one-second rest of a slot starves a table; 4 million
/// connections are about a gigabyte of memory that cannot be swapped.
const CONNECTIONS: RangeInclusive<u32> = 64..=4_194_304;

/// Every change of a service looks through both tables: a file that fills the
/// largest ones takes half a minute to be carried out at the first start, and
/// one of twice the size four times as long.
const SERVICES: RangeInclusive<u32> = 1..=8_192;
const SERVERS: RangeInclusive<u32> = 1..=32_768;

/// The sweeper looks at a slot about once a second.
const SHORTEST_TIMEOUT: Duration = Duration::from_secs(1);

/// Longer than any connection worth remembering, and well within the clock
/// the slots keep.
const LONGEST_TIMEOUT: Duration = Duration::from_secs(7 * 24 * 3600);

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

pub(crate) fn limits(section: &Section, notes: &mut Notes) -> Limits {
    section.check_keys(&["connections", "services", "servers"], notes);
    let default = Limits::default();
    let mut read = |key, range, otherwise| limit(section, key, range, notes).unwrap_or(otherwise);
    Limits {
        connections: read("connections", CONNECTIONS, default.connections),
        services: read("services", SERVICES, default.services),
        servers: read("servers", SERVERS, default.servers),
    }
}

pub(crate) fn timeouts(
    section: &Section,
    notes: &mut Notes,
) -> BTreeMap<ConnectionState, Duration> {
    section.check_keys(&TIMEOUTS.map(|(key, _)| key), notes);
    let read = |(key, state)| Some((state, timeout(section, key, notes)?));
    TIMEOUTS.into_iter().filter_map(read).collect()
}

fn limit(
    section: &Section,
    key: &str,
    range: RangeInclusive<u32>,
    notes: &mut Notes,
) -> Option<u32> {
    let number = section.integer(key, notes)?;
    let limit = u32::try_from(*number.get_ref()).ok();
    let limit = limit.filter(|limit| range.contains(limit));
    if limit.is_none() {
        let (low, high) = (range.start(), range.end());
        let message = format!("{key} must be from {low} to {high}");
        notes.add(number.span(), message);
    }
    limit
}

fn timeout(section: &Section, key: &str, notes: &mut Notes) -> Option<Duration> {
    let text = section.text(key, notes)?;
    let Ok(timeout) = humantime::parse_duration(text.get_ref()) else {
        let message = format!(
            "\"{}\" is no duration; write it like \"15m\", \"300s\" or \"1h 30m\"",
            text.get_ref()
        );
        notes.add(text.span(), message);
        return None;
    };
    if !(SHORTEST_TIMEOUT..=LONGEST_TIMEOUT).contains(&timeout) {
        let message = format!("{key} must be from 1s to 7days");
        notes.add(text.span(), message);
        return None;
    }
    Some(timeout)
}

//! Timeouts of connections by state.

use std::time::Duration;

use vsnat_abi::flow::FlowKey4;
use vsnat_abi::settings::DEFAULT_TIMEOUTS_MS;
use vsnat_abi::slot::state;
use vsnat_abi::time::{Coarse, coarse_span_from_ms};
use vsnat_api::ConnectionState;
use vsnat_core::sctp::SCTP;

/// How long a connection stays in each state without a packet. The default
/// values are IPVS's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    ms: [u64; state::COUNT],
}

impl Default for Timeouts {
    fn default() -> Self {
        Timeouts {
            ms: DEFAULT_TIMEOUTS_MS,
        }
    }
}

impl Timeouts {
    pub fn set(&mut self, state: ConnectionState, timeout: Duration) {
        let ms = u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX);
        self.ms[state_number(state) as usize] = ms;
    }

    pub(crate) fn coarse(&self) -> [Coarse; state::COUNT] {
        self.ms.map(coarse_span_from_ms)
    }
}

/// The number of a state in the kernel.
pub(crate) fn state_number(state: ConnectionState) -> u32 {
    match state {
        ConnectionState::None => state::NONE,
        ConnectionState::Established => state::ESTABLISHED,
        ConnectionState::SynSent => state::SYN_SENT,
        ConnectionState::SynRecv => state::SYN_RECV,
        ConnectionState::FinWait => state::FIN_WAIT,
        ConnectionState::TimeWait => state::TIME_WAIT,
        ConnectionState::Close => state::CLOSE,
        ConnectionState::CloseWait => state::CLOSE_WAIT,
        ConnectionState::LastAck => state::LAST_ACK,
        ConnectionState::Listen => state::LISTEN,
        ConnectionState::Synack => state::SYNACK,
        ConnectionState::Udp => state::UDP,
        ConnectionState::Assured => state::ASSURED,
        // SCTP counts its own, and has no timeouts to be set.
        ConnectionState::Init1
        | ConnectionState::Init
        | ConnectionState::CookieSent
        | ConnectionState::CookieReplied
        | ConnectionState::CookieWait
        | ConnectionState::Cookie
        | ConnectionState::CookieEchoed
        | ConnectionState::ShutdownSent
        | ConnectionState::ShutdownReceived
        | ConnectionState::ShutdownAckSent
        | ConnectionState::Rejected
        | ConnectionState::Closed => state::NONE,
    }
}

fn sctp_state_of(number: u32) -> ConnectionState {
    const STATES: [ConnectionState; 14] = [
        ConnectionState::None,
        ConnectionState::Init1,
        ConnectionState::Init,
        ConnectionState::CookieSent,
        ConnectionState::CookieReplied,
        ConnectionState::CookieWait,
        ConnectionState::Cookie,
        ConnectionState::CookieEchoed,
        ConnectionState::Established,
        ConnectionState::ShutdownSent,
        ConnectionState::ShutdownReceived,
        ConnectionState::ShutdownAckSent,
        ConnectionState::Rejected,
        ConnectionState::Closed,
    ];
    let found = STATES.get(number as usize).copied();
    found.unwrap_or(ConnectionState::None)
}

/// The state of a number in the slot of this key; numbers without a state read
/// as NONE.
pub(crate) fn state_of(key: &FlowKey4, number: u32) -> ConnectionState {
    if !key.is_template() && key.protocol == SCTP {
        return sctp_state_of(number);
    }
    let found = ConnectionState::ALL
        .into_iter()
        .find(|state| state_number(*state) == number);
    found.unwrap_or(ConnectionState::None)
}

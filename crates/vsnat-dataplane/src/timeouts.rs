//! Timeouts of connections by state.

use std::time::Duration;

use vsnat_abi::settings::DEFAULT_TIMEOUTS_MS;
use vsnat_abi::slot::state;
use vsnat_abi::time::{Coarse, coarse_span_from_ms};
use vsnat_api::ConnectionState;

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
    }
}

/// The state of a number; numbers without a state read as NONE.
pub(crate) fn state_of(number: u32) -> ConnectionState {
    const STATES: [ConnectionState; 12] = [
        ConnectionState::None,
        ConnectionState::Established,
        ConnectionState::SynSent,
        ConnectionState::SynRecv,
        ConnectionState::FinWait,
        ConnectionState::TimeWait,
        ConnectionState::Close,
        ConnectionState::CloseWait,
        ConnectionState::LastAck,
        ConnectionState::Listen,
        ConnectionState::Synack,
        ConnectionState::Udp,
    ];
    let found = STATES
        .into_iter()
        .find(|state| state_number(*state) == number);
    found.unwrap_or(ConnectionState::None)
}

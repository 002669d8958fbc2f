//! States of a connection, as IPVS names them.

use serde::{Deserialize, Serialize};

/// State of a connection, with IPVS's names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ConnectionState {
    None,
    Established,
    SynSent,
    SynRecv,
    FinWait,
    TimeWait,
    Close,
    CloseWait,
    LastAck,
    Listen,
    Synack,
    Udp,
    /// A template whose connections have been answered.
    Assured,
    Init1,
    Init,
    #[serde(rename = "C-SENT")]
    CookieSent,
    #[serde(rename = "C-REPLIED")]
    CookieReplied,
    #[serde(rename = "C-WAIT")]
    CookieWait,
    Cookie,
    #[serde(rename = "C-ECHOED")]
    CookieEchoed,
    #[serde(rename = "S-SENT")]
    ShutdownSent,
    #[serde(rename = "S-RECEIVED")]
    ShutdownReceived,
    #[serde(rename = "S-ACK-SENT")]
    ShutdownAckSent,
    Rejected,
    Closed,
}

impl ConnectionState {
    pub const ALL: [ConnectionState; 25] = [
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
        ConnectionState::Assured,
        ConnectionState::Init1,
        ConnectionState::Init,
        ConnectionState::CookieSent,
        ConnectionState::CookieReplied,
        ConnectionState::CookieWait,
        ConnectionState::Cookie,
        ConnectionState::CookieEchoed,
        ConnectionState::ShutdownSent,
        ConnectionState::ShutdownReceived,
        ConnectionState::ShutdownAckSent,
        ConnectionState::Rejected,
        ConnectionState::Closed,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            ConnectionState::None => "NONE",
            ConnectionState::Established => "ESTABLISHED",
            ConnectionState::SynSent => "SYN_SENT",
            ConnectionState::SynRecv => "SYN_RECV",
            ConnectionState::FinWait => "FIN_WAIT",
            ConnectionState::TimeWait => "TIME_WAIT",
            ConnectionState::Close => "CLOSE",
            ConnectionState::CloseWait => "CLOSE_WAIT",
            ConnectionState::LastAck => "LAST_ACK",
            ConnectionState::Listen => "LISTEN",
            ConnectionState::Synack => "SYNACK",
            ConnectionState::Udp => "UDP",
            ConnectionState::Assured => "ASSURED",
            ConnectionState::Init1 => "INIT1",
            ConnectionState::Init => "INIT",
            ConnectionState::CookieSent => "C-SENT",
            ConnectionState::CookieReplied => "C-REPLIED",
            ConnectionState::CookieWait => "C-WAIT",
            ConnectionState::Cookie => "COOKIE",
            ConnectionState::CookieEchoed => "C-ECHOED",
            ConnectionState::ShutdownSent => "S-SENT",
            ConnectionState::ShutdownReceived => "S-RECEIVED",
            ConnectionState::ShutdownAckSent => "S-ACK-SENT",
            ConnectionState::Rejected => "REJECTED",
            ConnectionState::Closed => "CLOSED",
        }
    }
}

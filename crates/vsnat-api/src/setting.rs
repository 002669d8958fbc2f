//! Settings of the packet path, with the names, ranges and defaults of IPVS's
//! sysctls; the last ones are our own.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::ParseNameError;

/// One setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SettingName {
    /// 1: a packet to a server that was deleted starts a new connection.
    ExpireNodestConn,
    /// 1: a template is void once its server's weight is 0.
    ExpireQuiescentTemplate,
    /// 0: a client's port is never scheduled anew while its connection is
    /// listed; 1: when that is over (TIME_WAIT, CLOSE); 2 adds a case of direct routing.
    ConnReuseMode,
    /// 1: any TCP segment but a reset opens a connection.
    SloppyTcp,
    /// 1: any SCTP packet opens a connection.
    SloppySctp,
    /// 0 never, 1 and 2 while the table is short, 3 always: end connections
    /// without an answer at random.
    DropEntry,
    /// 0 never, 1 and 2 while the table is short, 3 always: drop some of the
    /// packets that would open a connection.
    DropPacket,
    /// One of so many is dropped under `drop_packet` 3.
    AmDroprate,
    /// 0 never, 1 and 2 while the table is short, 3 always: TCP is established
    /// only when the client has answered the server.
    SecureTcp,
    /// 1: a server that speaks on a connection we do not know is told so.
    NatIcmpSend,
    /// 1: an ICMP error may open the connection it speaks of.
    ScheduleIcmp,
    /// Seconds after which an unused entry of `lblc` is forgotten.
    LblcExpiration,
    /// Seconds after which a set of `lblcr` that did not change loses its
    /// most loaded server.
    LblcrExpiration,
    /// 1: a service on all ports leaves alone the masquerade's source ports
    /// and ports on which the director itself listens. Not in IPVS.
    PortZeroSparesLocal,
    /// 1: answers of one-packet services are translated too. Not in IPVS.
    OnePacketAnswers,
    /// What a client is told whose service has no server left: 0 ICMP, 1 a
    /// reset (others than TCP: ICMP), 2 nothing. Not in IPVS.
    NoServerAnswer,
    /// 1: services on TCP port 21 have FTP's helper, as with IPVS's module
    /// ip_vs_ftp; others can ask for it. Not in IPVS.
    FtpHelper,
}

impl SettingName {
    pub const ALL: [SettingName; 17] = [
        SettingName::ExpireNodestConn,
        SettingName::ExpireQuiescentTemplate,
        SettingName::ConnReuseMode,
        SettingName::SloppyTcp,
        SettingName::SloppySctp,
        SettingName::DropEntry,
        SettingName::DropPacket,
        SettingName::AmDroprate,
        SettingName::SecureTcp,
        SettingName::NatIcmpSend,
        SettingName::ScheduleIcmp,
        SettingName::LblcExpiration,
        SettingName::LblcrExpiration,
        SettingName::PortZeroSparesLocal,
        SettingName::OnePacketAnswers,
        SettingName::NoServerAnswer,
        SettingName::FtpHelper,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            SettingName::ExpireNodestConn => "expire_nodest_conn",
            SettingName::ExpireQuiescentTemplate => "expire_quiescent_template",
            SettingName::ConnReuseMode => "conn_reuse_mode",
            SettingName::SloppyTcp => "sloppy_tcp",
            SettingName::SloppySctp => "sloppy_sctp",
            SettingName::DropEntry => "drop_entry",
            SettingName::DropPacket => "drop_packet",
            SettingName::AmDroprate => "am_droprate",
            SettingName::SecureTcp => "secure_tcp",
            SettingName::NatIcmpSend => "nat_icmp_send",
            SettingName::ScheduleIcmp => "schedule_icmp",
            SettingName::LblcExpiration => "lblc_expiration",
            SettingName::LblcrExpiration => "lblcr_expiration",
            SettingName::PortZeroSparesLocal => "port_zero_spares_local",
            SettingName::OnePacketAnswers => "one_packet_answers",
            SettingName::NoServerAnswer => "no_server_answer",
            SettingName::FtpHelper => "ftp_helper",
        }
    }

    pub const fn default_value(self) -> u32 {
        match self {
            SettingName::ExpireNodestConn
            | SettingName::ExpireQuiescentTemplate
            | SettingName::SloppyTcp
            | SettingName::SloppySctp
            | SettingName::DropEntry
            | SettingName::DropPacket
            | SettingName::SecureTcp
            | SettingName::NatIcmpSend
            | SettingName::ScheduleIcmp
            | SettingName::NoServerAnswer
            | SettingName::FtpHelper => 0,
            SettingName::ConnReuseMode
            | SettingName::PortZeroSparesLocal
            | SettingName::OnePacketAnswers => 1,
            SettingName::AmDroprate => 10,
            SettingName::LblcExpiration | SettingName::LblcrExpiration => 24 * 60 * 60,
        }
    }

    /// The smallest and the largest value.
    pub const fn range(self) -> (u32, u32) {
        match self {
            SettingName::ExpireNodestConn
            | SettingName::ExpireQuiescentTemplate
            | SettingName::SloppyTcp
            | SettingName::SloppySctp
            | SettingName::NatIcmpSend
            | SettingName::PortZeroSparesLocal
            | SettingName::OnePacketAnswers
            | SettingName::FtpHelper => (0, 1),
            // What an error speaks of has a connection, or is none of ours.
            SettingName::ScheduleIcmp => (0, 0),
            SettingName::NoServerAnswer => (0, 2),
            SettingName::ConnReuseMode
            | SettingName::DropEntry
            | SettingName::DropPacket
            | SettingName::SecureTcp => (0, 3),
            SettingName::AmDroprate => (1, i32::MAX as u32),
            SettingName::LblcExpiration | SettingName::LblcrExpiration => (1, 31 * 24 * 60 * 60),
        }
    }
}

impl fmt::Display for SettingName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for SettingName {
    type Err = ParseNameError;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let found = SettingName::ALL.into_iter().find(|s| s.name() == name);
        found.ok_or_else(|| ParseNameError {
            what: "setting",
            name: name.to_owned(),
            known: "those that `vsnat set` lists",
        })
    }
}

/// A setting and its value, which is within the range.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "RawSetting", into = "RawSetting")]
pub struct Setting {
    name: SettingName,
    value: u32,
}

impl Setting {
    pub const fn new(name: SettingName, value: u32) -> Result<Self, SettingError> {
        let (least, most) = name.range();
        if value < least || value > most {
            return Err(SettingError { name, value });
        }
        Ok(Setting { name, value })
    }

    pub const fn name(self) -> SettingName {
        self.name
    }

    pub const fn value(self) -> u32 {
        self.value
    }
}

/// A value beyond the range of its setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("{name} cannot be {value}; it goes from {} to {}", name.range().0, name.range().1)]
pub struct SettingError {
    pub name: SettingName,
    pub value: u32,
}

#[derive(Serialize, Deserialize)]
struct RawSetting {
    name: SettingName,
    value: u32,
}

impl TryFrom<RawSetting> for Setting {
    type Error = SettingError;

    fn try_from(raw: RawSetting) -> Result<Self, SettingError> {
        Setting::new(raw.name, raw.value)
    }
}

impl From<Setting> for RawSetting {
    fn from(setting: Setting) -> RawSetting {
        RawSetting {
            name: setting.name,
            value: setting.value,
        }
    }
}

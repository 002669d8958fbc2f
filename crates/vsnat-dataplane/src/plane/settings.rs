//! Settings and timeouts, as the packet path reads them.

use std::time::Duration;

use vsnat_abi::settings::{Settings, flag, mode};
use vsnat_abi::slot::state;
use vsnat_abi::time::{coarse_span_from_ms, ms_from_coarse};
use vsnat_api::{CommandError, SetTimeouts, Setting, SettingName};

use crate::Backend;
use crate::Timeouts;
use crate::plane::Plane;

/// Where the packet path has a setting.
enum Place {
    Flag(u32),
    Mode(u32),
    AmDroprate,
    LblcExpiration,
    LblcrExpiration,
    /// It has only one value as yet.
    Nowhere,
}

fn place(name: SettingName) -> Place {
    match name {
        SettingName::ExpireNodestConn => Place::Flag(flag::EXPIRE_NODEST_CONN),
        SettingName::ExpireQuiescentTemplate => Place::Flag(flag::EXPIRE_QUIESCENT_TEMPLATE),
        SettingName::SloppyTcp => Place::Flag(flag::SLOPPY_TCP),
        SettingName::SloppySctp => Place::Flag(flag::SLOPPY_SCTP),
        SettingName::NatIcmpSend => Place::Flag(flag::NAT_ICMP_SEND),
        SettingName::PortZeroSparesLocal => Place::Flag(flag::PORT_ZERO_SPARES_LOCAL),
        SettingName::OnePacketAnswers => Place::Flag(flag::ONE_PACKET_ANSWERS),
        SettingName::FtpHelper => Place::Flag(flag::FTP_HELPER),
        SettingName::ConnReuseMode => Place::Mode(mode::CONN_REUSE),
        SettingName::DropEntry => Place::Mode(mode::DROP_ENTRY),
        SettingName::DropPacket => Place::Mode(mode::DROP_PACKET),
        SettingName::SecureTcp => Place::Mode(mode::SECURE_TCP),
        SettingName::NoServerAnswer => Place::Mode(mode::NO_SERVER_ANSWER),
        SettingName::AmDroprate => Place::AmDroprate,
        SettingName::LblcExpiration => Place::LblcExpiration,
        SettingName::LblcrExpiration => Place::LblcrExpiration,
        SettingName::ScheduleIcmp => Place::Nowhere,
    }
}

impl<B: Backend> Plane<B> {
    /// Every setting and its value.
    pub fn settings(&self) -> Vec<Setting> {
        let settings = self.backend.memory().settings.read(0).unwrap_or_default();
        let all = SettingName::ALL.into_iter();
        all.filter_map(|name| Setting::new(name, value_in(&settings, name)).ok())
            .collect()
    }

    /// The timeouts that `ipvsadm --set` changes.
    pub fn timeouts(&self) -> vsnat_api::Timeouts {
        let settings = self.backend.memory().settings.read(0).unwrap_or_default();
        let seconds =
            |state: u32| (ms_from_coarse(settings.timeouts[state as usize]) / 1_000) as u32;
        vsnat_api::Timeouts {
            tcp_s: seconds(state::ESTABLISHED),
            tcp_fin_s: seconds(state::FIN_WAIT),
            udp_s: seconds(state::UDP),
        }
    }

    pub fn set_timeouts(&mut self, timeouts: &Timeouts) {
        let coarse = timeouts.coarse();
        self.change(|settings| settings.timeouts[..coarse.len()].copy_from_slice(&coarse));
    }

    /// Source ports of the masquerade, first and last: services on all ports
    /// leave them alone.
    pub fn spare_ports(&mut self, ports: Option<(u16, u16)>) {
        let (first, last) = ports.unwrap_or((1, 0));
        self.change(|settings| {
            settings.first_spared = first;
            settings.last_spared = last;
        });
    }

    pub(super) fn set(&mut self, setting: Setting) -> Result<(), CommandError> {
        let value = setting.value();
        self.change(|settings| match place(setting.name()) {
            Place::Flag(bit) if value == 0 => settings.flags &= !bit,
            Place::Flag(bit) => settings.flags |= bit,
            Place::Mode(shift) => {
                settings.modes = settings.modes & !(mode::MASK << shift) | value << shift;
            }
            Place::AmDroprate => settings.am_droprate = value,
            Place::LblcExpiration => settings.lblc_expiration = coarse_from_s(value),
            Place::LblcrExpiration => settings.lblcr_expiration = coarse_from_s(value),
            Place::Nowhere => {}
        });
        if setting.name() == SettingName::FtpHelper {
            self.settle_helpers();
        }
        Ok(())
    }

    /// Zero keeps a timeout, as in IPVS.
    pub(super) fn change_timeouts(&mut self, timeouts: SetTimeouts) -> Result<(), CommandError> {
        let wanted = [
            (state::ESTABLISHED, timeouts.tcp_s),
            (state::FIN_WAIT, timeouts.tcp_fin_s),
            (state::UDP, timeouts.udp_s),
        ];
        if wanted.iter().any(|(_, s)| *s > SetTimeouts::MAX_S) {
            return Err(CommandError::Invalid);
        }
        self.change(|settings| {
            for (state, timeout_s) in wanted.into_iter().filter(|(_, s)| *s > 0) {
                settings.timeouts[state as usize] = coarse_from_s(timeout_s);
            }
        });
        Ok(())
    }

    /// Tells the packet path which kinds of service there are.
    pub(super) fn note_presence(&mut self) {
        let settings = self.backend.memory().settings.read(0).unwrap_or_default();
        let flags = self.presence.in_flags(&settings);
        if flags != settings.flags {
            self.change(|settings| settings.flags = flags);
        }
    }

    /// A packet that passes meanwhile sees each word old or new.
    pub(super) fn change(&mut self, change: impl FnOnce(&mut Settings)) {
        let place = self.backend.memory().settings;
        if let Some(mut settings) = place.read(0) {
            change(&mut settings);
            place.write(0, settings);
        }
    }
}

fn value_in(settings: &Settings, name: SettingName) -> u32 {
    match place(name) {
        Place::Flag(bit) => u32::from(settings.flags & bit != 0),
        Place::Mode(shift) => settings.modes >> shift & mode::MASK,
        Place::AmDroprate => settings.am_droprate,
        Place::LblcExpiration => (ms_from_coarse(settings.lblc_expiration) / 1_000) as u32,
        Place::LblcrExpiration => (ms_from_coarse(settings.lblcr_expiration) / 1_000) as u32,
        Place::Nowhere => name.default_value(),
    }
}

fn coarse_from_s(seconds: u32) -> u32 {
    let ms = Duration::from_secs(u64::from(seconds)).as_millis();
    coarse_span_from_ms(u64::try_from(ms).unwrap_or(u64::MAX))
}

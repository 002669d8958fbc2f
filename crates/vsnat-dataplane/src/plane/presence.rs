//! Which kinds of service there are: what is not there need not be looked for
//! by the packet path.

use vsnat_abi::service::{SEGMENT_AS_IT_IS, Service, service_flag};
use vsnat_abi::settings::{Settings, flag};

/// FTP's control connection: a service on this port may be asked for others.
const FTP_CONTROL: u16 = 21;

const ALL: u32 =
    flag::HAS_PORT_ZERO | flag::HAS_FTP | flag::HAS_ONE_PACKET | flag::HAS_HELPER | flag::HAS_CLAMP;

/// How many services of each kind.
#[derive(Debug, Default)]
pub(super) struct Presence {
    port_zero: u32,
    ftp: u32,
    one_packet: u32,
    helped: u32,
    clamped: u32,
}

impl Presence {
    pub fn add(&mut self, service: &Service) {
        self.counts_of(service)
            .into_iter()
            .flatten()
            .for_each(|count| *count += 1);
    }

    pub fn remove(&mut self, service: &Service) {
        self.counts_of(service)
            .into_iter()
            .flatten()
            .for_each(|count| *count = count.saturating_sub(1));
    }

    /// The flags of settings that say it.
    pub fn in_flags(&self, settings: &Settings) -> u32 {
        let mut flags = settings.flags & !ALL;
        for (count, bit) in [
            (self.port_zero, flag::HAS_PORT_ZERO),
            (self.ftp, flag::HAS_FTP),
            (self.one_packet, flag::HAS_ONE_PACKET),
            (self.helped, flag::HAS_HELPER),
            (self.clamped, flag::HAS_CLAMP),
        ] {
            if count > 0 {
                flags |= bit;
            }
        }
        flags
    }

    /// What a service is counted by.
    fn counts_of(&mut self, service: &Service) -> [Option<&mut u32>; 4] {
        if service.used == 0 {
            return [None, None, None, None];
        }
        let by_port = match service.key.port.host() {
            _ if service.key.is_mark() => None,
            0 => Some(&mut self.port_zero),
            FTP_CONTROL => Some(&mut self.ftp),
            _ => None,
        };
        let is_one_packet = service.flags & service_flag::ONE_PACKET != 0;
        let is_helped = service.flags & service_flag::FTP != 0;
        let is_clamped = service.segment != SEGMENT_AS_IT_IS;
        [
            by_port,
            is_one_packet.then_some(&mut self.one_packet),
            is_helped.then_some(&mut self.helped),
            is_clamped.then_some(&mut self.clamped),
        ]
    }
}

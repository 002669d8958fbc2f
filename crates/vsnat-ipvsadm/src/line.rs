//! The options of one line, each value checked where it stands.
//!
//! ipvsadm reads from left to right and lets an option depend on those before
//! it: `-r` without a port takes the port of the `-t` already read, `-M` the
//! family, `-6` needs an `-f`. So does this.

use std::net::{IpAddr, Ipv6Addr};

use vsnat_api::{Protocol, Weight};

use crate::address::{HostPort, host_port, ipv4};
use crate::fault::Fault;
use crate::legality::Given;
use crate::table::{OptionId, Support, Word, group_of};
use crate::{Names, number};

/// Longest persistence and timeout of ipvsadm: 31 days.
pub(crate) const TIMEOUT_MAX_S: i64 = 31 * 24 * 60 * 60;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transport {
    Tcp,
    Udp,
    Sctp,
}

impl Transport {
    /// Whose service names are meant. SCTP's are those of TCP: the files of
    /// names hardly know it.
    fn names(self) -> Protocol {
        match self {
            Transport::Tcp | Transport::Sctp => Protocol::Tcp,
            Transport::Udp => Protocol::Udp,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    V4,
    V6,
}

impl From<IpAddr> for Family {
    fn from(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(_) => Family::V4,
            IpAddr::V6(_) => Family::V6,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Service {
    Address {
        transport: Transport,
        host: IpAddr,
        port: u16,
    },
    Mark(Family),
}

impl Service {
    pub(crate) fn family(self) -> Family {
        match self {
            Service::Address { host, .. } => host.into(),
            Service::Mark(family) => family,
        }
    }

    fn port(self) -> u16 {
        match self {
            Service::Address { port, .. } => port,
            Service::Mark(_) => 0,
        }
    }

    fn names(self) -> Protocol {
        match self {
            Service::Address { transport, .. } => transport.names(),
            Service::Mark(_) => Protocol::Tcp,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Server {
    pub(crate) host: IpAddr,
    pub(crate) port: u16,
}

/// What the options of a line say.
pub(crate) struct Line<'a> {
    names: &'a dyn Names,
    pub(crate) given: Given,
    pub(crate) service: Option<Service>,
    pub(crate) server: Option<Server>,
    pub(crate) weight: Weight,
    /// Empty for the default.
    pub(crate) scheduler: &'a str,
    pub(crate) scheduler_flags: &'a str,
    pub(crate) engine: Option<&'a str>,
    pub(crate) tunnel: &'a str,
    pub(crate) upper_threshold: u32,
    pub(crate) lower_threshold: u32,
    /// What the line asks for that the director does not do.
    not_yet: Vec<String>,
}

impl<'a> Line<'a> {
    pub(crate) fn new(names: &'a dyn Names) -> Self {
        Line {
            names,
            given: Given::default(),
            service: None,
            server: None,
            weight: Weight::ONE,
            scheduler: "",
            scheduler_flags: "",
            engine: None,
            tunnel: "ipip",
            upper_threshold: 0,
            lower_threshold: 0,
            not_yet: Vec::new(),
        }
    }

    pub(crate) fn add(
        &mut self,
        word: &Word,
        option: OptionId,
        value: Option<&'a str>,
    ) -> Result<(), Fault> {
        if let Some(group) = group_of(option) {
            self.given.add(option, group)?;
        }
        self.note_support(word);
        match value {
            Some(value) => self.add_value(option, value),
            None if option == OptionId::Ipv6 => self.add_ipv6(),
            None => Ok(()),
        }
    }

    /// Remembers a word that the director does not support.
    pub(crate) fn note_support(&mut self, word: &Word) {
        match word.support {
            Support::Supported => {}
            Support::NotYet(what) => self.note(format!("{} ({what})", word.name())),
        }
    }

    /// Remembers anything else that the director does not support.
    pub(crate) fn note(&mut self, what: String) {
        if !self.not_yet.contains(&what) {
            self.not_yet.push(what);
        }
    }

    pub(crate) fn refuse_not_yet(&self) -> Result<(), Fault> {
        let Some((last, others)) = self.not_yet.split_last() else {
            return Ok(());
        };
        let what = match others {
            [] => last.clone(),
            others => format!("{} and {last}", others.join(", ")),
        };
        Err(Fault::NotYet { what })
    }

    fn add_value(&mut self, option: OptionId, value: &'a str) -> Result<(), Fault> {
        match option {
            OptionId::TcpService => self.add_service(Transport::Tcp, value),
            OptionId::UdpService => self.add_service(Transport::Udp, value),
            OptionId::SctpService => self.add_service(Transport::Sctp, value),
            OptionId::FwmarkService => self.add_mark(value),
            OptionId::RealServer => self.add_server(value),
            OptionId::Netmask => self.check_netmask(value),
            OptionId::Persistent => persistence(value),
            OptionId::Scheduler => {
                self.scheduler = value;
                Ok(())
            }
            OptionId::SchedFlags => {
                self.scheduler_flags = value;
                Ok(())
            }
            OptionId::Pe => {
                self.engine = Some(value);
                Ok(())
            }
            OptionId::Weight => {
                let weight = bounded(value, 0, Weight::MAX, "weight")?;
                self.weight = Weight::new(weight).map_err(|_| Fault::Value { what: "weight" })?;
                Ok(())
            }
            OptionId::UThreshold => {
                self.upper_threshold = bounded(value, 0, i32::MAX as u32, "u_threshold")?;
                Ok(())
            }
            OptionId::LThreshold => {
                self.lower_threshold = bounded(value, 0, i32::MAX as u32, "l_threshold")?;
                Ok(())
            }
            OptionId::TunType => {
                let known = ["ipip", "gue", "gre"].contains(&value);
                self.tunnel = value;
                known.then_some(()).ok_or(Fault::Value {
                    what: "tunnel type",
                })
            }
            OptionId::TunPort => bounded(value, 1, 65_535, "tunnel port").map(|_| ()),
            OptionId::Syncid => bounded(value, 0, 255, "syncid").map(|_| ()),
            // Largest payload of a UDP datagram.
            OptionId::SyncMaxlen => bounded(value, 1, 65_507, "sync-maxlen").map(|_| ()),
            OptionId::McastPort => bounded(value, 1, 65_535, "mcast-port").map(|_| ()),
            OptionId::McastTtl => bounded(value, 1, 255, "mcast-ttl").map(|_| ()),
            OptionId::McastGroup => value
                .parse::<IpAddr>()
                .map(|_| ())
                .map_err(|_| Fault::Value {
                    what: "mcast-group",
                }),
            OptionId::McastInterface
            | OptionId::Ipv6
            | OptionId::Ops
            | OptionId::Gatewaying
            | OptionId::Ipip
            | OptionId::Masquerading
            | OptionId::TunNocsum
            | OptionId::TunCsum
            | OptionId::TunRemcsum
            | OptionId::Connection
            | OptionId::Timeout
            | OptionId::Daemon
            | OptionId::Stats
            | OptionId::Rate
            | OptionId::Exact
            | OptionId::Thresholds
            | OptionId::PersistentConn
            | OptionId::TunInfo
            | OptionId::Nosort
            | OptionId::Sort
            | OptionId::Numeric => Ok(()),
        }
    }

    fn add_service(&mut self, transport: Transport, value: &str) -> Result<(), Fault> {
        let found = host_port(value, Some(transport.names()), self.names);
        let HostPort { host, port } = found.ok_or(Fault::VirtualAddress)?;
        self.note_family(host);
        self.service = Some(Service::Address {
            transport,
            host,
            port: port.unwrap_or(0),
        });
        Ok(())
    }

    fn add_mark(&mut self, value: &str) -> Result<(), Fault> {
        let mark = number::in_range_u32(value, 1..=u32::MAX);
        mark.ok_or_else(|| Fault::Fwmark {
            value: value.to_owned(),
        })?;
        self.service = Some(Service::Mark(Family::V4));
        Ok(())
    }

    fn add_ipv6(&mut self) -> Result<(), Fault> {
        match self.service {
            Some(Service::Mark(_)) => self.service = Some(Service::Mark(Family::V6)),
            Some(Service::Address { .. }) | None => return Err(Fault::Ipv6BeforeMark),
        }
        Ok(())
    }

    fn add_server(&mut self, value: &str) -> Result<(), Fault> {
        let protocol = self.service.map(Service::names);
        let found = host_port(value, protocol, self.names);
        let HostPort { host, port } = found.ok_or(Fault::RealAddress)?;
        self.note_family(host);
        let port = port.unwrap_or_else(|| self.service.map_or(0, Service::port));
        self.server = Some(Server { host, port });
        Ok(())
    }

    fn note_family(&mut self, host: IpAddr) {
        match Family::from(host) {
            Family::V4 => {}
            Family::V6 => self.note("IPv6 addresses".to_owned()),
        }
    }

    fn check_netmask(&self, value: &str) -> Result<(), Fault> {
        match self.service.map(Service::family) {
            Some(Family::V6) => {
                // A prefix length, read as far as it is a number.
                let digits = value.split(|c: char| !c.is_ascii_digit()).next();
                let length = digits.and_then(|digits| digits.parse().ok());
                let legal = length.is_some_and(|length| (1..=Ipv6Addr::BITS).contains(&length));
                legal.then_some(()).ok_or(Fault::Netmask6)
            }
            Some(Family::V4) | None => ipv4(value, self.names).map(|_| ()).ok_or(Fault::Netmask),
        }
    }
}

fn persistence(value: &str) -> Result<(), Fault> {
    let timeout = number::in_range(value, 1..=TIMEOUT_MAX_S);
    timeout.map(|_| ()).ok_or_else(|| Fault::Timeout {
        value: value.to_owned(),
    })
}

fn bounded(value: &str, min: u32, max: u32, what: &'static str) -> Result<u32, Fault> {
    number::in_range_u32(value, min..=max).ok_or(Fault::Value { what })
}

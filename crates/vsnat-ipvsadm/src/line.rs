//! The options of one line, each value checked where it stands.
//!
//! ipvsadm reads from left to right and lets an option depend on those before
//! it: `-r` without a port takes the port of the `-t` already read, `-M` the
//! family, `-6` needs an `-f`. So does this.

use std::net::{IpAddr, Ipv6Addr};

use vsnat_api::{Mark, Persistence, Protocol, ServerSpec, SetTimeouts, Weight};

use crate::address::{HostPort, host_port, ipv4};
use crate::fault::Fault;
use crate::legality::Given;
use crate::table::{OptionId, Support, Word, group_of};
use crate::{Names, number};

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
        protocol: Protocol,
        host: IpAddr,
        port: u16,
    },
    Mark {
        mark: Mark,
        family: Family,
    },
}

impl Service {
    pub(crate) fn family(self) -> Family {
        match self {
            Service::Address { host, .. } => host.into(),
            Service::Mark { family, .. } => family,
        }
    }

    fn port(self) -> u16 {
        match self {
            Service::Address { port, .. } => port,
            Service::Mark { .. } => 0,
        }
    }

    /// Whose service names a server's port may have. ipvsadm takes a mark for
    /// a service of TCP when it reads, and for one of none when it prints.
    fn names(self) -> Protocol {
        match self {
            Service::Address { protocol, .. } => protocol,
            Service::Mark { .. } => Protocol::Tcp,
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
    /// Seconds of `-p`; the default where it had no number.
    pub(crate) persistent_s: u32,
    /// The mask of `-M`, which counts only with `-p`.
    pub(crate) netmask: IpAddr,
    /// Empty for the default.
    pub(crate) scheduler: &'a str,
    pub(crate) scheduler_flags: &'a str,
    pub(crate) engine: Option<&'a str>,
    pub(crate) tunnel: &'a str,
    pub(crate) upper_threshold: u32,
    pub(crate) lower_threshold: u32,
    /// The words of `--set`, which are no options.
    pub(crate) timeouts: SetTimeouts,
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
            persistent_s: Persistence::DEFAULT_TIMEOUT_S,
            netmask: Persistence::EVERY_CLIENT,
            scheduler: "",
            scheduler_flags: "",
            engine: None,
            tunnel: "ipip",
            upper_threshold: 0,
            lower_threshold: 0,
            timeouts: SetTimeouts::default(),
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
            OptionId::TcpService => self.add_service(Protocol::Tcp, value),
            OptionId::UdpService => self.add_service(Protocol::Udp, value),
            OptionId::SctpService => self.add_service(Protocol::Sctp, value),
            OptionId::FwmarkService => self.add_mark(value),
            OptionId::RealServer => self.add_server(value),
            OptionId::Netmask => self.add_netmask(value),
            OptionId::Persistent => {
                self.persistent_s = timeout_s(value, 1)?;
                Ok(())
            }
            OptionId::Scheduler => {
                self.scheduler = value;
                Ok(())
            }
            OptionId::SchedFlags => {
                self.scheduler_flags = value;
                Ok(())
            }
            OptionId::Pe => {
                // A name of no letters is none.
                self.engine = Some(value).filter(|name| !name.is_empty());
                Ok(())
            }
            OptionId::Weight => {
                let weight = bounded(value, 0, Weight::MAX, "weight")?;
                self.weight = Weight::new(weight).map_err(|_| Fault::Value { what: "weight" })?;
                Ok(())
            }
            OptionId::UThreshold => {
                self.upper_threshold = bounded(value, 0, ServerSpec::MAX_THRESHOLD, "u_threshold")?;
                Ok(())
            }
            OptionId::LThreshold => {
                self.lower_threshold = bounded(value, 0, ServerSpec::MAX_THRESHOLD, "l_threshold")?;
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
            OptionId::McastGroup => multicast(value),
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

    fn add_service(&mut self, protocol: Protocol, value: &str) -> Result<(), Fault> {
        let found = host_port(value, Some(protocol), self.names);
        let HostPort { host, port } = found.ok_or(Fault::VirtualAddress)?;
        self.service = Some(Service::Address {
            protocol,
            host,
            port: port.unwrap_or(0),
        });
        Ok(())
    }

    fn add_mark(&mut self, value: &str) -> Result<(), Fault> {
        let number = number::in_range_u32(value, 1..=u32::MAX);
        let mark = number.and_then(|number| Mark::new(number).ok());
        let mark = mark.ok_or_else(|| Fault::Fwmark {
            value: value.to_owned(),
        })?;
        let family = Family::V4;
        self.service = Some(Service::Mark { mark, family });
        Ok(())
    }

    fn add_ipv6(&mut self) -> Result<(), Fault> {
        match &mut self.service {
            Some(Service::Mark { family, .. }) => *family = Family::V6,
            Some(Service::Address { .. }) | None => return Err(Fault::Ipv6BeforeMark),
        }
        Ok(())
    }

    fn add_server(&mut self, value: &str) -> Result<(), Fault> {
        let protocol = self.service.map(Service::names);
        let found = host_port(value, protocol, self.names);
        let HostPort { host, port } = found.ok_or(Fault::RealAddress)?;
        let port = port.unwrap_or_else(|| self.service.map_or(0, Service::port));
        self.server = Some(Server { host, port });
        Ok(())
    }

    fn add_netmask(&mut self, value: &str) -> Result<(), Fault> {
        match self.service.map(Service::family) {
            Some(Family::V6) => {
                // A prefix length, read as far as it is a number.
                let digits = value.split(|c: char| !c.is_ascii_digit()).next();
                let length: Option<u8> = digits.and_then(|digits| digits.parse().ok());
                let is_legal = |length: &u8| (1..=Ipv6Addr::BITS).contains(&u32::from(*length));
                let length = length.filter(is_legal).ok_or(Fault::Netmask6)?;
                self.netmask = Persistence::netmask_of_prefix6(length);
                Ok(())
            }
            Some(Family::V4) | None => {
                self.netmask = ipv4(value, self.names).ok_or(Fault::Netmask)?.into();
                Ok(())
            }
        }
    }
}

/// Seconds, at most the 31 days of ipvsadm.
pub(crate) fn timeout_s(value: &str, min: u32) -> Result<u32, Fault> {
    let timeout = number::in_range_u32(value, min..=Persistence::MAX_TIMEOUT_S);
    timeout.ok_or_else(|| Fault::Timeout {
        value: value.to_owned(),
    })
}

fn multicast(value: &str) -> Result<(), Fault> {
    let (family, group) = match value.contains(':') {
        true => ("IPv6", value.parse().map(IpAddr::V6)),
        false => ("IPv4", value.parse().map(IpAddr::V4)),
    };
    match group {
        Ok(group) if group.is_multicast() => Ok(()),
        Ok(_) | Err(_) => Err(Fault::McastGroup {
            family,
            value: value.to_owned(),
        }),
    }
}

fn bounded(value: &str, min: u32, max: u32, what: &'static str) -> Result<u32, Fault> {
    number::in_range_u32(value, min..=max).ok_or(Fault::Value { what })
}

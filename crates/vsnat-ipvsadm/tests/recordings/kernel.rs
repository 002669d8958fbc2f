//! A table in memory that refuses what IPVS refuses.

use std::net::{Ipv4Addr, SocketAddr};

use vsnat_api::{
    Command, CommandError, ConnectionView, Counters, Rates, ServerSpec, ServerView, ServiceKey,
    ServiceSpec, ServiceView, Services, SetTimeouts, Timeouts,
};
use vsnat_ipvsadm::{NameStyle, NoNames, Request, parse, render_save};

/// Size that the recordings show.
const CAPACITY: u32 = 4096;

#[derive(Debug)]
pub struct Kernel {
    pub tables: Services,
    pub connections: Vec<ConnectionView>,
    pub timeouts: Timeouts,
}

impl Default for Kernel {
    fn default() -> Self {
        Kernel {
            tables: Services {
                capacity: CAPACITY,
                services: Vec::new(),
            },
            connections: Vec::new(),
            timeouts: Timeouts {
                tcp_s: 900,
                tcp_fin_s: 120,
                udp_s: 300,
            },
        }
    }
}

impl Kernel {
    /// The table that these lines of `-Sn` build.
    pub fn load(lines: &[String]) -> Self {
        let mut kernel = Kernel::default();
        for line in lines {
            let args: Vec<String> = line.split(' ').map(str::to_owned).collect();
            match parse(&args, &NoNames) {
                Ok(Request::Command(command)) => kernel.execute(&command).expect(line),
                other => panic!("{line}: {other:?}"),
            }
        }
        kernel
    }

    pub fn save(&self) -> Vec<String> {
        let text = render_save(&self.tables, NameStyle::Numeric, &NoNames);
        text.lines().map(str::to_owned).collect()
    }

    pub fn service(&mut self, key: ServiceKey) -> Option<&mut ServiceView> {
        let mut services = self.tables.services.iter_mut();
        services.find(|service| service.spec.key == key)
    }

    pub fn execute(&mut self, command: &Command) -> Result<(), CommandError> {
        match command {
            Command::AddService(spec) => self.add_service(*spec),
            Command::EditService(spec) => self.named(spec.key).map(|service| service.spec = *spec),
            Command::DeleteService(key) => {
                self.named(*key)?;
                self.tables
                    .services
                    .retain(|service| service.spec.key != *key);
                Ok(())
            }
            Command::Clear => {
                self.tables.services.clear();
                Ok(())
            }
            Command::AddServer { service, server } => self.add_server(*service, *server),
            Command::EditServer { service, server } => self.edit_server(*service, *server),
            Command::DeleteServer { service, address } => {
                self.server(*service, *address)?;
                let servers = &mut self.defined(*service)?.servers;
                servers.retain(|server| server.spec.address != *address);
                Ok(())
            }
            Command::Zero(None) => {
                self.tables.services.iter_mut().for_each(zero);
                Ok(())
            }
            Command::Zero(Some(key)) => self.named(*key).map(zero),
            Command::SetTimeouts(timeouts) => {
                self.set_timeouts(*timeouts);
                Ok(())
            }
            Command::DenyAdd(_)
            | Command::DenyDelete(_)
            | Command::Set(_)
            | Command::MarkAdd(_)
            | Command::MarkDelete(_) => panic!("ipvsadm has no words for {command:?}"),
        }
    }

    fn add_service(&mut self, spec: ServiceSpec) -> Result<(), CommandError> {
        if self.service(spec.key).is_some() {
            return Err(CommandError::ServiceExists);
        }
        self.tables.services.push(ServiceView {
            spec,
            counters: Counters::default(),
            rates: Rates::default(),
            servers: Vec::new(),
        });
        Ok(())
    }

    fn add_server(&mut self, key: ServiceKey, spec: ServerSpec) -> Result<(), CommandError> {
        let service = self.defined(key)?;
        check_thresholds(&spec)?;
        let mut servers = service.servers.iter();
        if servers.any(|server| server.spec.address == spec.address) {
            return Err(CommandError::ServerExists);
        }
        let host = spec.address.ip();
        let is_broadcast = host == Ipv4Addr::BROADCAST;
        let is_foreign = host.is_ipv6() && matches!(key, ServiceKey::Mark { .. });
        if host.is_multicast() || is_broadcast || host.is_unspecified() || is_foreign {
            return Err(CommandError::Invalid);
        }
        let server = ServerView {
            spec,
            active: 0,
            inactive: 0,
            persistent: 0,
            counters: Counters::default(),
            rates: Rates::default(),
        };
        service.servers.insert(0, server);
        Ok(())
    }

    fn edit_server(&mut self, key: ServiceKey, spec: ServerSpec) -> Result<(), CommandError> {
        self.defined(key)?;
        check_thresholds(&spec)?;
        self.server(key, spec.address)?.spec = spec;
        Ok(())
    }

    fn set_timeouts(&mut self, new: SetTimeouts) {
        let Timeouts {
            tcp_s,
            tcp_fin_s,
            udp_s,
        } = &mut self.timeouts;
        for (timeout, new) in [
            (tcp_s, new.tcp_s),
            (tcp_fin_s, new.tcp_fin_s),
            (udp_s, new.udp_s),
        ] {
            if new != 0 {
                *timeout = new;
            }
        }
    }

    fn named(&mut self, key: ServiceKey) -> Result<&mut ServiceView, CommandError> {
        self.service(key).ok_or(CommandError::NoSuchService)
    }

    fn defined(&mut self, key: ServiceKey) -> Result<&mut ServiceView, CommandError> {
        self.service(key).ok_or(CommandError::ServiceNotDefined)
    }

    fn server(
        &mut self,
        key: ServiceKey,
        address: SocketAddr,
    ) -> Result<&mut ServerView, CommandError> {
        let mut servers = self.defined(key)?.servers.iter_mut();
        let found = servers.find(|server| server.spec.address == address);
        found.ok_or(CommandError::NoSuchServer)
    }
}

fn check_thresholds(spec: &ServerSpec) -> Result<(), CommandError> {
    match spec.has_ordered_thresholds() {
        true => Ok(()),
        false => Err(CommandError::OutOfRange),
    }
}

fn zero(service: &mut ServiceView) {
    service.counters = Counters::default();
    for server in &mut service.servers {
        server.counters = Counters::default();
    }
}

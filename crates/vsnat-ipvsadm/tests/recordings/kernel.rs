//! A table in memory that refuses what IPVS refuses.

use std::net::SocketAddrV4;

use vsnat_api::{
    Command, CommandError, ConnectionView, Counters, Rates, ServerSpec, ServerView, ServiceKey,
    ServiceSpec, ServiceView, Services,
};
use vsnat_ipvsadm::{NameStyle, NoNames, Request, parse, render_save};

/// Size that the recordings show.
const CAPACITY: u32 = 4096;

#[derive(Debug)]
pub struct Kernel {
    pub tables: Services,
    pub connections: Vec<ConnectionView>,
}

impl Default for Kernel {
    fn default() -> Self {
        Kernel {
            tables: Services {
                capacity: CAPACITY,
                services: Vec::new(),
            },
            connections: Vec::new(),
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
            Command::EditServer { service, server } => self
                .server(*service, server.address)
                .map(|found| found.spec = *server),
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
            Command::DenyAdd(_) | Command::DenyDelete(_) => panic!("ipvsadm denies nothing"),
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
        let host = spec.address.ip();
        if host.is_multicast() || host.is_broadcast() || host.is_unspecified() {
            return Err(CommandError::Invalid);
        }
        if service
            .servers
            .iter()
            .any(|server| server.spec.address == spec.address)
        {
            return Err(CommandError::ServerExists);
        }
        let server = ServerView {
            spec,
            active: 0,
            inactive: 0,
            counters: Counters::default(),
            rates: Rates::default(),
        };
        service.servers.insert(0, server);
        Ok(())
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
        address: SocketAddrV4,
    ) -> Result<&mut ServerView, CommandError> {
        let mut servers = self.defined(key)?.servers.iter_mut();
        let found = servers.find(|server| server.spec.address == address);
        found.ok_or(CommandError::NoSuchServer)
    }
}

fn zero(service: &mut ServiceView) {
    service.counters = Counters::default();
    for server in &mut service.servers {
        server.counters = Counters::default();
    }
}

//! From words to a request.

use std::net::SocketAddr;

use vsnat_api::{
    Command, Forwarding, Persistence, Scheduler, ServerSpec, ServiceKey, ServiceSpec, SetTimeouts,
    Source,
};

use crate::fault::Fault;
use crate::line::{Family, Line, Service, timeout_s};
use crate::table::{CommandId, OptionId, Word, WordId};
use crate::unknown::Change;
use crate::words::{Found, Words};
use crate::{
    ConnectionColumns, ConnectionOptions, Figures, Format, ListOptions, Listed, NameStyle, Names,
    Order, Refusal, Request, UnknownScheduler,
};

/// Reads a command line, without the name of the program.
pub fn parse(args: &[String], names: &dyn Names) -> Result<Request, Refusal> {
    Ok(read(args, names)?)
}

fn read(args: &[String], names: &dyn Names) -> Result<Request, Fault> {
    if args.is_empty() {
        return Ok(Request::ListServices(ListOptions::default()));
    }
    let mut words = Words::new(args);
    let Ok(Some(first)) = words.read() else {
        return Err(Fault::NoCommand);
    };
    let WordId::Command(command) = first.word.id else {
        return Err(Fault::NoCommand);
    };
    match command {
        CommandId::Help => return Ok(Request::Help),
        CommandId::Version => return Ok(Request::Version),
        CommandId::StartDaemon | CommandId::StopDaemon => check_daemon(&first)?,
        CommandId::AddService
        | CommandId::EditService
        | CommandId::DeleteService
        | CommandId::Clear
        | CommandId::Restore
        | CommandId::Save
        | CommandId::AddServer
        | CommandId::EditServer
        | CommandId::DeleteServer
        | CommandId::List
        | CommandId::Zero
        | CommandId::Set => {}
    }
    let line = read_options(words, first.word, command, names)?;
    // Whatever else is wrong with the line, ipvsadm complains of the flags
    // first: it fits them to the scheduler when it has read all words.
    line.scheduler_flags()?;
    line.given.check(command)?;
    line.check_values(command)?;
    line.request(command, first.word)
}

fn check_daemon(first: &Found<'_>) -> Result<(), Fault> {
    match first.value {
        Some("master" | "backup") => Ok(()),
        _ => Err(Fault::Value {
            what: "start_daemon",
        }),
    }
}

fn read_options<'a>(
    mut words: Words<'a>,
    first: &Word,
    command: CommandId,
    names: &'a dyn Names,
) -> Result<Line<'a>, Fault> {
    let mut line = Line::new(names);
    line.note_support(first);
    while let Some(found) = words.read()? {
        match found.word.id {
            WordId::Option(option) => line.add(found.word, option, found.value)?,
            WordId::Command(_) => {
                let word = found.text.to_owned();
                return Err(Fault::SecondCommand { word });
            }
        }
    }
    let mut left_over = words.left_over();
    if command == CommandId::Set {
        left_over = read_timeouts(&mut line, left_over)?;
    }
    match left_over.first() {
        None => Ok(line),
        Some(word) => Err(Fault::Unexpected {
            word: (*word).to_owned(),
        }),
    }
}

/// Takes the three values of `--set` off the words.
fn read_timeouts<'a>(line: &mut Line<'_>, words: Vec<&'a str>) -> Result<Vec<&'a str>, Fault> {
    let [tcp, tcp_fin, udp, rest @ ..] = words.as_slice() else {
        return Err(Fault::SetNeedsThree);
    };
    line.timeouts = SetTimeouts {
        tcp_s: timeout_s(tcp, 0)?,
        tcp_fin_s: timeout_s(tcp_fin, 0)?,
        udp_s: timeout_s(udp, 0)?,
    };
    Ok(rest.to_vec())
}

impl Line<'_> {
    fn request(mut self, command: CommandId, word: &Word) -> Result<Request, Fault> {
        if command == CommandId::StopDaemon {
            return Err(Fault::NoDaemon);
        }
        let Some(scheduler) = self.scheduler() else {
            return self.unknown_scheduler(command);
        };
        self.refuse_not_yet()?;
        let command = match command {
            CommandId::AddService => Command::AddService(self.service_spec(scheduler)?),
            CommandId::EditService => Command::EditService(self.service_spec(scheduler)?),
            CommandId::DeleteService => Command::DeleteService(self.key()?),
            CommandId::Clear => Command::Clear,
            CommandId::AddServer => {
                let (service, server) = (self.key()?, self.server_spec()?);
                Command::AddServer { service, server }
            }
            CommandId::EditServer => {
                let (service, server) = (self.key()?, self.server_spec()?);
                Command::EditServer { service, server }
            }
            CommandId::DeleteServer => {
                let (service, address) = (self.key()?, self.server_address()?);
                Command::DeleteServer { service, address }
            }
            CommandId::Zero => Command::Zero(self.key_if_given()?),
            CommandId::Set => Command::SetTimeouts(self.timeouts),
            CommandId::List => return self.list(),
            CommandId::Save => return Ok(Request::Save(self.name_style())),
            CommandId::Restore => return Ok(Request::Restore),
            CommandId::Help => return Ok(Request::Help),
            CommandId::Version => return Ok(Request::Version),
            CommandId::StartDaemon | CommandId::StopDaemon => {
                return Err(Fault::NotYet { what: word.name() });
            }
        };
        Ok(Request::Command(command))
    }

    fn unknown_scheduler(&self, command: CommandId) -> Result<Request, Fault> {
        // No other command than these two has a scheduler.
        let change = match command == CommandId::EditService {
            true => Change::Edit,
            false => Change::Add,
        };
        let service = self.key()?;
        Ok(Request::UnknownScheduler(UnknownScheduler {
            service,
            change,
        }))
    }

    fn service_spec(&self, scheduler: Scheduler) -> Result<ServiceSpec, Fault> {
        // A mask without persistence is read and means nothing.
        let persistence = self.given.has(OptionId::Persistent).then_some(Persistence {
            timeout_s: self.persistent_s,
            netmask: self.netmask,
        });
        Ok(ServiceSpec {
            key: self.key()?,
            scheduler,
            flags: self.scheduler_flags()?,
            persistence,
            one_packet: self.given.has(OptionId::Ops),
            // ipvsadm has no word for it: the setting `ftp_helper` gives one.
            helper: None,
            mss_clamp: None,
            // Nor for this: only the file and the API have one.
            source: Source::Client,
        })
    }

    fn key(&self) -> Result<ServiceKey, Fault> {
        match self.service {
            Some(Service::Address {
                protocol,
                host,
                port,
            }) => {
                let address = SocketAddr::new(host, port);
                Ok(ServiceKey::Address { protocol, address })
            }
            Some(Service::Mark {
                mark,
                family: Family::V4,
            }) => Ok(ServiceKey::Mark { mark }),
            Some(Service::Mark {
                family: Family::V6, ..
            }) => Err(Fault::NotYet {
                what: "marks of IPv6".to_owned(),
            }),
            None => Err(Fault::VirtualAddress),
        }
    }

    fn key_if_given(&self) -> Result<Option<ServiceKey>, Fault> {
        match self.service {
            Some(_) => self.key().map(Some),
            None => Ok(None),
        }
    }

    fn server_spec(&self) -> Result<ServerSpec, Fault> {
        let mut address = self.server_address()?;
        let forwarding = match self.given.has(OptionId::Masquerading) {
            true => Forwarding::Masquerade,
            // As in ipvsadm it is meant where no method is given, and the port
            // is the service's whatever the line says.
            false => Forwarding::Route,
        };
        if forwarding == Forwarding::Route {
            let service = self.key()?.address();
            address.set_port(service.map_or(0, |service| service.port()));
        }
        Ok(ServerSpec {
            address,
            forwarding,
            weight: self.weight,
            upper_threshold: self.upper_threshold,
            lower_threshold: self.lower_threshold,
        })
    }

    fn server_address(&self) -> Result<SocketAddr, Fault> {
        let server = self.server.ok_or(Fault::RealAddress)?;
        Ok(SocketAddr::new(server.host, server.port))
    }

    fn list(&self) -> Result<Request, Fault> {
        let given = |option| self.given.has(option);
        if given(OptionId::Timeout) {
            return Ok(Request::ListTimeouts);
        }
        if given(OptionId::Daemon) {
            return Ok(Request::ListDaemons);
        }
        if given(OptionId::Connection) {
            return Ok(Request::ListConnections(ConnectionOptions {
                names: self.name_style(),
                columns: match given(OptionId::PersistentConn) {
                    true => ConnectionColumns::Engine,
                    false => ConnectionColumns::Plain,
                },
            }));
        }
        Ok(Request::ListServices(ListOptions {
            listed: self
                .key_if_given()?
                .map_or(Listed::Services, Listed::OneService),
            names: self.name_style(),
            format: self.format(),
            figures: match given(OptionId::Exact) {
                true => Figures::Exact,
                false => Figures::Rounded,
            },
            order: match given(OptionId::Nosort) {
                true => Order::Kept,
                false => Order::Sorted,
            },
        }))
    }

    /// The first of these that is given, as ipvsadm tries them.
    fn format(&self) -> Format {
        let formats = [
            (OptionId::Stats, Format::Stats),
            (OptionId::Rate, Format::Rate),
            (OptionId::Thresholds, Format::Thresholds),
            (OptionId::PersistentConn, Format::PersistentConn),
            (OptionId::TunInfo, Format::TunInfo),
        ];
        let mut formats = formats.into_iter();
        let found = formats.find(|(option, _)| self.given.has(*option));
        found.map_or(Format::Default, |(_, format)| format)
    }

    fn name_style(&self) -> NameStyle {
        match self.given.has(OptionId::Numeric) {
            true => NameStyle::Numeric,
            false => NameStyle::Names,
        }
    }
}

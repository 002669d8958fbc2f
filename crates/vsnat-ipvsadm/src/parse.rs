//! From words to a request.

use std::net::{IpAddr, SocketAddrV4};

use vsnat_api::{Command, Protocol, ServerSpec, ServiceKey, ServiceSpec};

use crate::fault::Fault;
use crate::line::{Line, Service, TIMEOUT_MAX_S, Transport};
use crate::table::{CommandId, OptionId, Word, WordId};
use crate::words::{Found, Words};
use crate::{
    Figures, Format, ListOptions, Listed, NameStyle, Names, Order, Refusal, Request, number,
};

/// Reads a command line, without the name of the program.
pub fn parse(args: &[String], names: &dyn Names) -> Result<Request, Refusal> {
    Ok(read(args, names)?)
}

fn read(args: &[String], names: &dyn Names) -> Result<Request, Fault> {
    if args.is_empty() {
        return Ok(Request::List(ListOptions::default()));
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
        left_over = check_timeouts(left_over)?;
    }
    match left_over.first() {
        None => Ok(line),
        Some(word) => Err(Fault::Unexpected {
            word: (*word).to_owned(),
        }),
    }
}

/// Takes the three values of `--set` off the words; 0 keeps a timeout.
fn check_timeouts(mut words: Vec<&str>) -> Result<Vec<&str>, Fault> {
    if words.len() < 3 {
        return Err(Fault::SetNeedsThree);
    }
    let rest = words.split_off(3);
    for value in words {
        if number::in_range(value, 0..=TIMEOUT_MAX_S).is_none() {
            let value = value.to_owned();
            return Err(Fault::Timeout { value });
        }
    }
    Ok(rest)
}

impl Line<'_> {
    fn request(mut self, command: CommandId, word: &Word) -> Result<Request, Fault> {
        let scheduler = self.scheduler()?;
        let flags = self.scheduler_flags()?;
        self.refuse_not_yet()?;
        let command = match command {
            CommandId::AddService => {
                let key = self.key()?;
                Command::AddService(ServiceSpec {
                    key,
                    scheduler,
                    flags,
                })
            }
            CommandId::EditService => {
                let key = self.key()?;
                Command::EditService(ServiceSpec {
                    key,
                    scheduler,
                    flags,
                })
            }
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
            CommandId::List => return Ok(Request::List(self.list_options()?)),
            CommandId::Save => return Ok(Request::Save(self.name_style())),
            CommandId::Restore => return Ok(Request::Restore),
            CommandId::Help => return Ok(Request::Help),
            CommandId::Version => return Ok(Request::Version),
            CommandId::Set | CommandId::StartDaemon | CommandId::StopDaemon => {
                return Err(Fault::NotYet { what: word.name() });
            }
        };
        Ok(Request::Command(command))
    }

    fn key(&self) -> Result<ServiceKey, Fault> {
        let not_yet = |what: &str| Fault::NotYet {
            what: what.to_owned(),
        };
        let (transport, host, port) = match self.service {
            Some(Service::Address {
                transport,
                host,
                port,
            }) => (transport, host, port),
            Some(Service::Mark(_)) => return Err(not_yet("-f")),
            None => return Err(Fault::VirtualAddress),
        };
        let protocol = match transport {
            Transport::Tcp => Protocol::Tcp,
            Transport::Udp => Protocol::Udp,
            Transport::Sctp => return Err(not_yet("--sctp-service")),
        };
        let address = socket_address(host, port)?;
        Ok(ServiceKey { protocol, address })
    }

    fn key_if_given(&self) -> Result<Option<ServiceKey>, Fault> {
        match self.service {
            Some(_) => self.key().map(Some),
            None => Ok(None),
        }
    }

    fn server_spec(&self) -> Result<ServerSpec, Fault> {
        if !self.given.has(OptionId::Masquerading) {
            return Err(Fault::DirectRouting);
        }
        Ok(ServerSpec {
            address: self.server_address()?,
            weight: self.weight,
        })
    }

    fn server_address(&self) -> Result<SocketAddrV4, Fault> {
        let server = self.server.ok_or(Fault::RealAddress)?;
        socket_address(server.host, server.port)
    }

    fn list_options(&self) -> Result<ListOptions, Fault> {
        let given = |option| self.given.has(option);
        let listed = match self.key_if_given()? {
            Some(key) => Listed::OneService(key),
            None if given(OptionId::Connection) => Listed::Connections,
            None => Listed::Services,
        };
        // Totals go before rates where both are asked for.
        let format = match (given(OptionId::Stats), given(OptionId::Rate)) {
            (true, _) => Format::Stats,
            (false, true) => Format::Rate,
            (false, false) => Format::Default,
        };
        Ok(ListOptions {
            listed,
            names: self.name_style(),
            format,
            figures: match given(OptionId::Exact) {
                true => Figures::Exact,
                false => Figures::Rounded,
            },
            order: match given(OptionId::Nosort) {
                true => Order::Kept,
                false => Order::Sorted,
            },
        })
    }

    fn name_style(&self) -> NameStyle {
        match self.given.has(OptionId::Numeric) {
            true => NameStyle::Numeric,
            false => NameStyle::Names,
        }
    }
}

fn socket_address(host: IpAddr, port: u16) -> Result<SocketAddrV4, Fault> {
    match host {
        IpAddr::V4(host) => Ok(SocketAddrV4::new(host, port)),
        IpAddr::V6(_) => Err(Fault::NotYet {
            what: "IPv6 addresses".to_owned(),
        }),
    }
}

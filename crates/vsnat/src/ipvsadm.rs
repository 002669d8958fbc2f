//! `vsnat ipvsadm`, and the executable under the name `ipvsadm`.

use std::io::{self, Read, Write};
use std::process::ExitCode;

use vsnat_api::Command;
use vsnat_director::{Client, ClientError};
use vsnat_ipvsadm::{
    ConnectionOptions, ConnectionRows, Refusal, Request, parse, refusal_of, render_help,
    render_save, render_services, render_timeouts, render_version, restore_lines,
};

use crate::cli::Target;
use crate::names::SystemNames;
use crate::output;

/// Lines of a restore that are carried out in one go: each go costs the
/// director a look at the ports of all services.
const TOGETHER: usize = 1_000;

/// Exit code of ipvsadm when it cannot reach what it is to change.
const EXIT_UNREACHABLE: u8 = 1;

/// Carries out one command line; prints and returns what ipvsadm would.
pub fn main(words: &[String]) -> ExitCode {
    let client = Target::of_environment().client();
    let done = parse(words, &SystemNames)
        .map_err(Failure::Refused)
        .and_then(|request| carry_out(request, &client));
    match done {
        Ok(code) => ExitCode::from(code),
        Err(failure) => ExitCode::from(failure.tell()),
    }
}

/// Why a line was not carried out.
enum Failure {
    Refused(Refusal),
    Unreachable(ClientError),
    Io(io::Error),
}

impl Failure {
    /// Prints it and gives its exit code.
    fn tell(self) -> u8 {
        match self {
            Failure::Refused(refusal) => {
                // Its text has its own line end.
                let _ = io::stderr().write_all(refusal.stderr.as_bytes());
                refusal.exit_code
            }
            Failure::Unreachable(error) => {
                output::error(&format!("ipvsadm: {error}"));
                EXIT_UNREACHABLE
            }
            Failure::Io(error) => {
                output::error(&format!("ipvsadm: {error}"));
                EXIT_UNREACHABLE
            }
        }
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        Failure::Unreachable(error)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Failure::Io(error)
    }
}

fn carry_out(request: Request, client: &Client) -> Result<u8, Failure> {
    let text = match request {
        Request::Command(command) => {
            for result in client.commands(vec![command])? {
                result.map_err(|error| Failure::Refused(refusal_of(&error)))?;
            }
            return Ok(0);
        }
        Request::UnknownScheduler(unknown) => {
            let refusal = unknown.refusal(&client.services()?);
            return Err(Failure::Refused(refusal));
        }
        Request::ListServices(options) => {
            let text = render_services(&client.services()?, &options, &SystemNames);
            text.map_err(Failure::Refused)?
        }
        Request::ListConnections(options) => {
            list_connections(options, client)?;
            return Ok(0);
        }
        Request::ListTimeouts => render_timeouts(&client.timeouts()?),
        // Nothing can be listed, but the director must be there.
        Request::ListDaemons => {
            client.timeouts()?;
            return Ok(0);
        }
        Request::Save(style) => render_save(&client.services()?, style, &SystemNames),
        Request::Restore => return restore(client),
        Request::Help => render_help(),
        Request::Version => render_version(),
    };
    output::text(&text)?;
    Ok(0)
}

/// Lists row by row: there may be a million.
fn list_connections(options: ConnectionOptions, client: &Client) -> Result<(), Failure> {
    let mut rows = ConnectionRows::new(options, &SystemNames);
    output::rows(|out| {
        out.write_all(rows.title().as_bytes())?;
        client.connections(|connection| Ok(out.write_all(rows.row(connection).as_bytes())?))
    })
}

/// Carries out the lines of standard input. The exit code is the last line's;
/// a director that is gone ends the run.
fn restore(client: &Client) -> Result<u8, Failure> {
    let mut text = String::new();
    io::stdin().read_to_string(&mut text)?;
    let mut waiting = Vec::new();
    let mut code = 0;
    for line in restore_lines(&text, &SystemNames) {
        let request = match line.request {
            Ok(Request::Command(command)) => {
                waiting.push(command);
                if waiting.len() == TOGETHER {
                    code = send(&mut waiting, client)?.unwrap_or(code);
                }
                continue;
            }
            request => request,
        };
        // What stands before it comes before it.
        send(&mut waiting, client)?;
        let done = request
            .map_err(Failure::Refused)
            .and_then(|request| carry_out(request, client));
        code = match done {
            Ok(code) => code,
            Err(refused @ Failure::Refused(_)) => refused.tell(),
            Err(failure) => return Err(failure),
        };
    }
    Ok(send(&mut waiting, client)?.unwrap_or(code))
}

/// Sends the commands that wait, and tells what is refused. The exit code of
/// the last one, if there is one.
fn send(waiting: &mut Vec<Command>, client: &Client) -> Result<Option<u8>, Failure> {
    if waiting.is_empty() {
        return Ok(None);
    }
    let mut code = None;
    for result in client.commands(std::mem::take(waiting))? {
        code = Some(match result {
            Ok(()) => 0,
            Err(error) => Failure::Refused(refusal_of(&error)).tell(),
        });
    }
    Ok(code)
}

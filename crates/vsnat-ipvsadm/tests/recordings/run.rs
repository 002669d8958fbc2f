//! What an executable does with the library, less the sockets.

use vsnat_ipvsadm::{
    Ends, ListOptions, Listed, Refusal, Request, parse, refusal_of, render_connections,
    render_help, render_save, render_services, render_version, restore_lines,
};

use crate::kernel::Kernel;
use crate::names::RecordedNames;

#[derive(Default)]
pub struct Outcome {
    pub stdout: String,
    pub stderr: String,
    pub exit_code: u8,
}

pub fn run(args: &[String], stdin: &str, kernel: &mut Kernel) -> Outcome {
    let mut outcome = Outcome::default();
    match parse(args, &RecordedNames) {
        Ok(Request::Restore) => restore(stdin, kernel, &mut outcome),
        request => carry_out(request, kernel, &mut outcome),
    }
    outcome
}

fn restore(stdin: &str, kernel: &mut Kernel, outcome: &mut Outcome) {
    for line in restore_lines(stdin, &RecordedNames) {
        carry_out(line.request, kernel, outcome);
    }
}

fn carry_out(request: Result<Request, Refusal>, kernel: &mut Kernel, outcome: &mut Outcome) {
    match request.and_then(|request| answer(request, kernel)) {
        Ok(stdout) => {
            outcome.stdout.push_str(&stdout);
            outcome.exit_code = 0;
        }
        Err(Refusal {
            stderr,
            exit_code,
            ends: Ends::Line | Ends::Run,
        }) => {
            outcome.stderr.push_str(&stderr);
            outcome.exit_code = exit_code;
        }
    }
}

fn answer(request: Request, kernel: &mut Kernel) -> Result<String, Refusal> {
    match request {
        Request::Command(command) => {
            kernel
                .execute(&command)
                .map_err(|error| refusal_of(&error))?;
            Ok(String::new())
        }
        Request::List(options) => list(&options, kernel),
        Request::Save(style) => Ok(render_save(&kernel.tables, style, &RecordedNames)),
        Request::Help => Ok(render_help()),
        Request::Version => Ok(render_version()),
        Request::Restore => panic!("a restore inside of a restore"),
    }
}

fn list(options: &ListOptions, kernel: &Kernel) -> Result<String, Refusal> {
    match options.listed {
        Listed::Services | Listed::OneService(_) => {
            render_services(&kernel.tables, options, &RecordedNames)
        }
        Listed::Connections => Ok(render_connections(
            &kernel.connections,
            options.names,
            &RecordedNames,
        )),
    }
}

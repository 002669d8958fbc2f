//! What an executable does with the library, less the sockets.

use vsnat_ipvsadm::{
    ConnectionOptions, ConnectionRows, Ends, Refusal, Request, parse, proc, refusal_of,
    render_help, render_save, render_services, render_timeouts, render_version, restore_lines,
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
    if let [program, file] = args
        && program == "cat"
    {
        outcome.stdout = file_text(file, kernel);
        return outcome;
    }
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
        Request::UnknownScheduler(unknown) => Err(unknown.refusal(&kernel.tables)),
        Request::ListServices(options) => render_services(&kernel.tables, &options, &RecordedNames),
        Request::ListConnections(options) => Ok(connections(options, kernel)),
        Request::ListTimeouts => Ok(render_timeouts(&kernel.timeouts)),
        Request::ListDaemons => Ok(String::new()),
        Request::Save(style) => Ok(render_save(&kernel.tables, style, &RecordedNames)),
        Request::Help => Ok(render_help()),
        Request::Version => Ok(render_version()),
        Request::Restore => panic!("a restore inside of a restore"),
    }
}

fn connections(options: ConnectionOptions, kernel: &Kernel) -> String {
    let mut rows = ConnectionRows::new(options, &RecordedNames);
    let mut text = rows.title().to_owned();
    for connection in &kernel.connections {
        text.push_str(rows.row(connection));
    }
    text
}

/// What a file of IPVS would hold.
fn file_text(file: &str, kernel: &Kernel) -> String {
    match file {
        "/proc/net/ip_vs" => proc::ip_vs(&kernel.tables),
        "/proc/net/ip_vs_stats" => proc::ip_vs_stats(&kernel.tables),
        "/proc/net/ip_vs_conn" => {
            let mut rows = proc::IpVsConn::default();
            let mut text = proc::IpVsConn::TITLE.to_owned();
            for connection in &kernel.connections {
                text.push_str(rows.row(connection));
            }
            text
        }
        other => panic!("a recording of {other}"),
    }
}

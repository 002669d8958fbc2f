//! vsnat, the one executable: daemon, clients and laboratory.
//!
//! Called by the name `ipvsadm` (a link to it), it is ipvsadm.

mod bench;
mod bpf_info;
mod check;
mod cli;
mod deny;
mod dhcp;
mod doctor;
mod down;
mod init;
mod ipvsadm;
mod lab;
mod log;
mod man;
mod mark;
mod names;
mod nat;
mod output;
mod plan;
mod proc;
mod run;
mod servers;
mod set;
mod signals;
mod status;

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

use clap::Parser;

use crate::cli::{Cli, Command};

/// The name under which this program speaks ipvsadm's language only.
const IPVSADM: &str = "ipvsadm";

fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    if let Some(words) = ipvsadm_words(&arguments) {
        return ipvsadm::main(&words);
    }
    let cli = Cli::parse();
    match carry_out(cli.command) {
        Ok(code) => code,
        Err(error) => {
            output::error(&format!("vsnat: {}", chain(&error)));
            ExitCode::FAILURE
        }
    }
}

fn carry_out(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Init(args) => init::main(&args),
        Command::Run(options) => run::main(options),
        Command::Check { file } => check::main(&file),
        Command::Down(options) => down::main(options),
        Command::Status(options) => status::main(&options),
        Command::Deny(options) => deny::main(options),
        Command::Dhcp(args) => dhcp::main(&args),
        Command::Doctor(args) => doctor::main(&args),
        Command::Servers(args) => servers::main(&args),
        Command::Nat(args) => nat::main(&args),
        Command::Set(args) => set::main(&args),
        Command::Mark(args) => mark::main(args),
        Command::Proc(args) => proc::main(&args),
        Command::Lab(args) => lab::main(args),
        Command::Man(args) => man::main(&args),
        Command::Bench(args) => bench::main(*args),
        Command::Plan(args) => plan::main(&args),
        Command::BpfInfo(args) => bpf_info::main(args),
        Command::Ipvsadm { words } => Ok(ipvsadm::main(&words)),
    }
}

/// An error and its causes, each said once: many messages quote their cause.
fn chain(error: &anyhow::Error) -> String {
    let mut text = error.to_string();
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if !text.contains(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    text
}

/// The words for ipvsadm, which reads its command line in its own way.
fn ipvsadm_words(arguments: &[OsString]) -> Option<Vec<String>> {
    let program = Path::new(arguments.first()?).file_name()?;
    let words = if program == IPVSADM {
        &arguments[1..]
    } else if arguments.get(1)? == IPVSADM {
        &arguments[2..]
    } else {
        return None;
    };
    let words = words.iter().map(|word| word.to_string_lossy().into_owned());
    Some(words.collect())
}

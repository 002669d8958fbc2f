//! `vsnat deny`.

use std::process::ExitCode;

use vsnat_api::Command;

use crate::cli::{DenyAction, DenyArgs};
use crate::output;

pub fn main(args: DenyArgs) -> anyhow::Result<ExitCode> {
    let client = args.target.client();
    let command = match args.action {
        DenyAction::Add { prefix } => Command::DenyAdd(prefix),
        DenyAction::Del { prefix } => Command::DenyDelete(prefix),
        DenyAction::List => {
            let prefixes = client.deny()?.prefixes;
            let lines = prefixes.iter().map(|prefix| format!("{prefix}\n"));
            output::text(&lines.collect::<String>())?;
            return Ok(ExitCode::SUCCESS);
        }
    };
    for result in client.commands(vec![command])? {
        result?;
    }
    Ok(ExitCode::SUCCESS)
}

//! `vsnat run`.

use std::process::ExitCode;

use vsnat_director::{Ending, RunOptions};

use crate::cli::RunArgs;
use crate::{check, log};

pub fn main(args: RunArgs) -> anyhow::Result<ExitCode> {
    let Some(config) = check::read(&args.config, "name the director's file by --config")? else {
        return Ok(ExitCode::FAILURE);
    };
    log::start();
    let ending = vsnat_director::run(RunOptions {
        config,
        config_path: Some(args.config),
        name: args.name,
        socket: args.socket,
        netns: args.netns,
        object: args.bpf_object,
    })?;
    match ending {
        Ending::LeftForwarding => tracing::info!("ended; `vsnat run` adopts what forwards on"),
        Ending::Removed => tracing::info!("ended; the host is as it was found"),
    }
    Ok(ExitCode::SUCCESS)
}

//! `vsnat down`.

use std::process::ExitCode;

use anyhow::Context;
use vsnat_director::{DownOptions, DownOutcome, down};

use crate::cli::DownArgs;
use crate::{log, output};

pub fn main(args: DownArgs) -> anyhow::Result<ExitCode> {
    log::start();
    let name = args.target.known_name().context(
        "cannot tell which director listens on that socket: none does that was started since the \
         last boot; name the one to take down by --name",
    )?;
    let outcome = down(&DownOptions {
        name: name.clone(),
        socket: args.target.socket(),
        netns: args.netns,
    })?;
    let said = match outcome {
        DownOutcome::ByDaemon => "is down; the host is as it was found",
        DownOutcome::FromRecord => "is down; the host is as it was found, by its record",
        DownOutcome::DataPlaneOnly => {
            "is down; its data plane is removed, but no record told what else there was"
        }
        DownOutcome::NothingThere => "is not there; nothing to do",
    };
    output::text(&format!("director {name} {said}\n"))?;
    Ok(ExitCode::SUCCESS)
}

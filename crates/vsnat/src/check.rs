//! `vsnat check`, and reading a file for `vsnat run`.

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;
use vsnat_config::Config;

use crate::output;

pub fn main(file: &Path) -> anyhow::Result<ExitCode> {
    let Some(config) = read(file)? else {
        return Ok(ExitCode::FAILURE);
    };
    let services = config.services.len();
    let servers: usize = config.services.iter().map(|s| s.servers.len()).sum();
    output::text(&format!(
        "{}: valid; director {}, services: {services}, servers: {servers}\n",
        file.display(),
        config.name
    ))?;
    Ok(ExitCode::SUCCESS)
}

/// Reads a file; prints its mistakes, and gives nothing, when it has some.
pub fn read(file: &Path) -> anyhow::Result<Option<Config>> {
    let name = file.display().to_string();
    let text = fs::read_to_string(file)
        .with_context(|| format!("cannot read {name}; name the director's file by --config"))?;
    match vsnat_config::parse(&name, &text) {
        Ok(config) => Ok(Some(config)),
        Err(mistakes) => {
            output::error(&mistakes.to_string());
            Ok(None)
        }
    }
}

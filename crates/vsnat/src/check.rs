//! `vsnat check`, and reading a file for `vsnat run`.

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;
use vsnat_config::Config;

use crate::output;

pub fn main(file: &Path) -> anyhow::Result<ExitCode> {
    let Some(config) = read(file, "give the file to check")? else {
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

/// Reads a file; prints its mistakes, and gives nothing, when it has some. What
/// to do when it cannot be read is the caller's to say.
pub fn read(file: &Path, advice: &str) -> anyhow::Result<Option<Config>> {
    let name = file.display().to_string();
    let text = fs::read_to_string(file).with_context(|| format!("cannot read {name}; {advice}"))?;
    match vsnat_config::parse(&name, &text) {
        Ok(config) => Ok(Some(config)),
        Err(mistakes) => {
            output::error(&mistakes.to_string());
            Ok(None)
        }
    }
}

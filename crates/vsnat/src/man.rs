//! `vsnat man`: the manual pages, made of the same text as `--help`.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::{Args, CommandFactory};
use clap_mangen::Man;

use crate::cli::Cli;

#[derive(Debug, Args)]
pub struct ManArgs {
    /// Write a page for each command into this folder, such as
    /// /usr/local/share/man/man1; without it the page vsnat(1) is printed.
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
}

pub fn main(args: &ManArgs) -> anyhow::Result<ExitCode> {
    match &args.dir {
        Some(dir) => write_pages(dir)?,
        None => print_page()?,
    }
    Ok(ExitCode::SUCCESS)
}

fn write_pages(dir: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))?;
    clap_mangen::generate_to(Cli::command(), dir)
        .with_context(|| format!("cannot write the manual pages into {}", dir.display()))
}

fn print_page() -> anyhow::Result<()> {
    let mut page = Vec::new();
    Man::new(Cli::command()).render(&mut page)?;
    let mut out = std::io::stdout().lock();
    out.write_all(&page).context("cannot print the page")
}

//! The fuzzer over the packet path: built with every check of the compiler's, run for
//! so long, and its corpus taken over if that is wanted.

use anyhow::Result;
use clap::Args;

use crate::process;
use crate::workspace::Workspace;

/// Scripts that are committed: the search begins with them, and the tests replay them.
const CORPUS: &str = "crates/vsnat-fuzz/corpus";

#[derive(Args)]
pub struct Options {
    /// How long to search
    #[arg(long, default_value_t = 10.0)]
    minutes: f64,
    /// What everything is drawn from
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Put the scripts found, distilled, in the place of the committed corpus; without
    /// this they go to target/fuzz-corpus
    #[arg(long)]
    keep: bool,
}

pub fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    let corpus = workspace.root().join(CORPUS);
    let out = match options.keep {
        true => corpus.clone(),
        false => workspace.target("fuzz-corpus"),
    };
    let mut command = workspace.cargo();
    command
        .args(["run", "--profile", "fuzz", "-p", "vsnat-fuzz", "--"])
        .args(["--minutes", &options.minutes.to_string()])
        .args(["--seed", &options.seed.to_string()])
        .arg("--corpus")
        .arg(&corpus)
        .arg("--out")
        .arg(&out);
    process::run(&mut command)
}

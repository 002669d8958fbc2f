//! Why a measurement cannot be made.

use thiserror::Error;
use vsnat_api::CommandError;
use vsnat_dataplane::{AttachError, OpenError};

#[derive(Debug, Error)]
pub enum BenchError {
    #[error("cannot {doing}: {source}; benchmarks need root")]
    System {
        doing: &'static str,
        source: std::io::Error,
    },
    #[error("`ip {line}` failed: {said}")]
    Ip { line: String, said: String },
    #[error(
        "kernel.bpf_stats_enabled is 1, which adds about 90 ns to every program: set it to 0 with \
         `sysctl kernel.bpf_stats_enabled=0` and try again"
    )]
    StatsEnabled,
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error(transparent)]
    Run(#[from] AttachError),
    #[error("the director refused a command: {0}")]
    Command(#[from] CommandError),
    #[error(
        "{case}: the program answered {got}, not {wanted}: what was measured is something else"
    )]
    Verdict { case: String, got: i32, wanted: i32 },
    #[error(
        "{case}: XDP sent {sent} of {frames} packets on, and left the others to TC: what was \
         measured is something else"
    )]
    LeftToTc {
        case: String,
        sent: u64,
        frames: u32,
    },
    #[error("\"{0}\" was not measured, though a capacity is computed from it")]
    NoCase(String),
    #[error("{case}: {opened} connections were opened in {runs} runs")]
    NotOpened {
        case: String,
        opened: u32,
        runs: u32,
    },
}

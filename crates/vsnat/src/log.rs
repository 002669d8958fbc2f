//! The daemon's log, on standard error.

use std::io::{self, IsTerminal};

use tracing_subscriber::EnvFilter;

/// What to log, in the syntax of `tracing`'s filters: `debug`, `vsnat_director=trace`.
const FILTER_ENV: &str = "VSNAT_LOG";
const DEFAULT_FILTER: &str = "info";

pub fn start() {
    let filter = EnvFilter::try_from_env(FILTER_ENV);
    let filter = filter.unwrap_or_else(|_| EnvFilter::new(DEFAULT_FILTER));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .with_target(false)
        .init();
}

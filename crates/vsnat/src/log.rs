//! The daemon's log, on standard error.

use std::io::{self, IsTerminal};

use tracing_subscriber::EnvFilter;

/// What to log, in the syntax of `tracing`'s filters: `debug`, `vsnat_director=trace`.
const FILTER_ENV: &str = "VSNAT_LOG";
const DEFAULT_FILTER: &str = "info";

pub fn start() {
    let asked = std::env::var(FILTER_ENV).unwrap_or_default();
    let asked = match asked.is_empty() {
        true => DEFAULT_FILTER,
        false => &asked,
    };
    let filter = EnvFilter::try_new(asked);
    let mistake = filter.as_ref().err().map(ToString::to_string);
    let filter = filter.unwrap_or_else(|_| EnvFilter::new(DEFAULT_FILTER));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        // Or it panics when the reader of a pipe is gone: under `| tee` Ctrl-C
        // ends tee first, and the director has yet to restore its host.
        .log_internal_errors(false)
        .with_ansi(io::stderr().is_terminal())
        .with_target(false)
        .init();
    if let Some(mistake) = mistake {
        tracing::warn!("{FILTER_ENV} is no filter ({mistake}); logging as for {DEFAULT_FILTER}");
    }
}

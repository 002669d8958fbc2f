//! Why the whole path cannot be measured.

use std::io;

use thiserror::Error;
use vsnat_api::CommandError;
use vsnat_dataplane::{AttachError, BackendError, OpenError};

use crate::BenchError;

#[derive(Debug, Error)]
pub enum PathError {
    #[error("cannot {doing}: {source}; benchmarks need root")]
    System {
        doing: &'static str,
        source: io::Error,
    },
    #[error("cannot start `{program}` (package {package}): {source}")]
    NotStarted {
        program: &'static str,
        package: &'static str,
        source: io::Error,
    },
    #[error("`{program}` refused what makes the network of the measurement: {said}")]
    Refused { program: &'static str, said: String },
    #[error(transparent)]
    Bench(#[from] BenchError),
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error(transparent)]
    Attach(#[from] AttachError),
    #[error("cannot tell the director its own networks: {0}")]
    Backend(#[from] BackendError),
    #[error("the director refused a command: {0}")]
    Command(#[from] CommandError),
    #[error(
        "{row}: of {sent} packets {arrived} came through: what was measured is something else; \
         is there a program or a rule on the links of new network namespaces?"
    )]
    Lost {
        row: String,
        sent: u64,
        arrived: u64,
    },
    #[error("{row}: a packet came through as {arrived}, not as {wanted}")]
    Wrong {
        row: String,
        arrived: String,
        wanted: String,
    },
    #[error("{flows} flows are too many or too few: from 1 to {most} have a client's port")]
    Flows { flows: u32, most: u32 },
    #[error("a measurement needs at least one repetition of at least one packet")]
    Nothing,
    #[error("the thread that measures ended without an answer")]
    Thread,
}

impl PathError {
    /// What failed, of an error of the system.
    pub(crate) fn system(doing: &'static str) -> impl FnOnce(io::Error) -> PathError {
        move |source| PathError::System { doing, source }
    }
}

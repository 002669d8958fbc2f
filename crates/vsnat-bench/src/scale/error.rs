//! Why the scale cannot be measured.

use std::io;

use thiserror::Error;
use vsnat_api::CommandError;
use vsnat_dataplane::{AttachError, OpenError};
use vsnat_director::ClientError;
use vsnat_lab::LabError;

use crate::BenchError;

#[derive(Debug, Error)]
pub enum ScaleError {
    #[error(transparent)]
    Bench(#[from] BenchError),
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error(transparent)]
    Attach(#[from] AttachError),
    #[error(transparent)]
    Lab(#[from] LabError),
    #[error("the director refused a command: {0}")]
    Command(#[from] CommandError),
    #[error(transparent)]
    Client(#[from] ClientError),
    #[error("cannot {doing}: {source}")]
    Io {
        doing: &'static str,
        source: io::Error,
    },
    #[error("the director did not answer within {seconds} s; what it said: {said}")]
    NoDirector { seconds: u64, said: String },
    #[error("a thread of the measurement ended with a panic; that is a mistake of vsnat")]
    Panic,
}

impl ScaleError {
    /// For what the system refuses.
    pub(super) fn io(doing: &'static str) -> impl FnOnce(io::Error) -> ScaleError {
        move |source| ScaleError::Io { doing, source }
    }
}

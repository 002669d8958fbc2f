//! Why peers cannot be compared.

use std::io;
use std::path::PathBuf;

use thiserror::Error;
use vsnat_api::CommandError;
use vsnat_dataplane::{AttachError, BackendError, OpenError};
use vsnat_lab::LabError;
use vsnat_load::LoadError;

use crate::BenchError;

#[derive(Debug, Error)]
pub enum PeersError {
    #[error(transparent)]
    Lab(#[from] LabError),
    #[error("cannot {doing}: {source}")]
    System { doing: String, source: io::Error },
    #[error(
        "{program} is not there, neither below {folder} nor installed: `cargo xtask bench peers` \
         fetches it; elsewhere than on Debian install the package {package}"
    )]
    Missing {
        program: &'static str,
        package: &'static str,
        folder: PathBuf,
    },
    #[error(transparent)]
    Bench(#[from] BenchError),
    #[error(transparent)]
    Load(#[from] LoadError),
    #[error(
        "XDP was in front of TC and translated no packet: the ends of the links do not receive \
         what it sends, or leave their checksums unfinished"
    )]
    NotAccelerated,
    #[error("no row's name contains \"{filter}\"; the rows are: {rows}")]
    NoRow { filter: String, rows: String },
    #[error("cannot load vsnat's data plane: {0}")]
    Open(#[from] OpenError),
    #[error("cannot attach or detach vsnat's programs: {0}")]
    Attach(#[from] AttachError),
    #[error("vsnat's data plane refused a command: {0}")]
    Command(#[from] CommandError),
    #[error("vsnat's data plane refused its own networks: {0}")]
    Networks(#[from] BackendError),
}

impl PeersError {
    /// Turns a system's error into one that says what was attempted.
    pub(super) fn system<E: Into<io::Error>>(
        doing: impl Into<String>,
    ) -> impl FnOnce(E) -> PeersError {
        move |error| PeersError::System {
            doing: doing.into(),
            source: error.into(),
        }
    }
}

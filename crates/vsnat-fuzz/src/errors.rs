//! What the fuzzer looks for.

use thiserror::Error;

/// Something that must never happen.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{what}")]
pub struct Finding {
    what: String,
}

impl Finding {
    pub(crate) fn new(what: String) -> Self {
        Finding { what }
    }

    /// What two findings of one cause have in common: the words before the
    /// packet.
    pub(crate) fn kind(&self) -> &str {
        self.what.split(':').next().unwrap_or_default()
    }
}

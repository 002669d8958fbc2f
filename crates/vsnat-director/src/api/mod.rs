//! The API: JSON over HTTP on a Unix socket, and long lists as records.

pub(crate) mod listing;
pub(crate) mod records;
pub(crate) mod routes;
pub(crate) mod socket;

/// A refusal, as the client reads it.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub(crate) struct ErrorBody {
    pub error: String,
}

//! What a run found, for people and for programs.

mod json;
mod text;

pub use json::{Written, json};
pub use text::text;

use crate::{HttpPlan, LoadResult, Url};

/// A run over HTTP and what it was a run of.
#[derive(Clone, Copy, Debug)]
pub struct Report<'a> {
    pub url: &'a Url,
    pub plan: &'a HttpPlan,
    pub result: &'a LoadResult,
}

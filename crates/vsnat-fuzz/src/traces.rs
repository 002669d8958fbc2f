//! What a script has reached: each trace is a number, of a set that only grows.

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Traces(BTreeSet<u64>);

impl Traces {
    pub fn note(&mut self, trace: impl Hash) {
        // Its keys are fixed: the same trace has the same number in every run.
        let mut hasher = DefaultHasher::new();
        trace.hash(&mut hasher);
        self.0.insert(hasher.finish());
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn has_all_of(&self, other: &Traces) -> bool {
        other.0.is_subset(&self.0)
    }

    /// What is new in another one.
    pub fn news_of(&self, other: &Traces) -> Traces {
        Traces(other.0.difference(&self.0).copied().collect())
    }

    pub fn add(&mut self, other: &Traces) {
        self.0.extend(&other.0);
    }
}

//! Random numbers and keyed digests for tags and cookies, out of the standard
//! library's keys: nobody attacks a lab.

use std::hash::{BuildHasher, Hash, RandomState};

#[derive(Clone, Debug, Default)]
pub(super) struct Random {
    keys: RandomState,
    drawn: u64,
}

impl Random {
    /// Not zero: a tag of zero means "none yet".
    pub fn draw(&mut self) -> u32 {
        self.drawn += 1;
        (self.keys.hash_one(self.drawn) as u32).max(1)
    }

    /// A digest that only the holder of the keys can compute.
    pub fn seal(&self, value: impl Hash) -> u64 {
        self.keys.hash_one((value, "cookie"))
    }
}

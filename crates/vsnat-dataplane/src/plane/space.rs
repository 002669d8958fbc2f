//! Room in the ring: who has which entries.
//!
//! What a service left rests for a moment before it is given away, since a
//! packet may just be reading it.

use std::collections::{BTreeMap, VecDeque};

/// A packet is in the path for microseconds; this is a thousand times more.
const REST_NS: u64 = 50_000_000;

/// Blocks of ring entries.
#[derive(Debug, Default)]
pub(super) struct Space {
    /// By their first entry.
    blocks: BTreeMap<u32, Block>,
    of_service: BTreeMap<u32, u32>,
    /// First entries of blocks that were left, in the order of leaving.
    resting: VecDeque<u32>,
}

#[derive(Clone, Copy, Debug)]
struct Block {
    len: u32,
    /// When it was left.
    left_ns: Option<u64>,
}

impl Space {
    /// The block of a service that is in force already.
    pub fn occupy(&mut self, service: u32, first: u32, len: u32) {
        if len > 0 {
            self.blocks.insert(first, Block { len, left_ns: None });
            self.of_service.insert(service, first);
        }
    }

    /// First entry of a free block of `len`, if there is one below `end`.
    pub fn find(&mut self, len: u32, end: u32, now_ns: u64) -> Option<u32> {
        self.free_rested(now_ns);
        let mut first = 0u32;
        for (start, block) in &self.blocks {
            if start.saturating_sub(first) >= len {
                return Some(first);
            }
            first = start + block.len;
        }
        (end.saturating_sub(first) >= len).then_some(first)
    }

    /// Puts a service into a new block; its old one rests.
    pub fn replace(&mut self, service: u32, first: u32, len: u32, now_ns: u64) {
        self.release(service, now_ns);
        self.occupy(service, first, len);
    }

    pub fn release(&mut self, service: u32, now_ns: u64) {
        let Some(first) = self.of_service.remove(&service) else {
            return;
        };
        if let Some(block) = self.blocks.get_mut(&first) {
            block.left_ns = Some(now_ns);
            self.resting.push_back(first);
        }
    }

    fn free_rested(&mut self, now_ns: u64) {
        while let Some(first) = self.resting.front().copied() {
            let left = self.blocks.get(&first).and_then(|block| block.left_ns);
            if left.is_some_and(|left| now_ns.saturating_sub(left) < REST_NS) {
                return;
            }
            self.resting.pop_front();
            self.blocks.remove(&first);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_that_was_left_is_given_away_after_its_rest() {
        let mut space = Space::default();
        space.occupy(1, 0, 10);
        assert_eq!(space.find(10, 20, 0), Some(10));
        space.replace(1, 10, 10, 0);
        assert_eq!(space.find(10, 20, REST_NS - 1), None);
        assert_eq!(space.find(10, 20, REST_NS), Some(0));
    }

    #[test]
    fn a_gap_between_blocks_is_found() {
        let mut space = Space::default();
        space.occupy(1, 0, 4);
        space.occupy(2, 8, 4);
        assert_eq!(space.find(4, 12, 0), Some(4));
        assert_eq!(space.find(5, 12, 0), None);
    }
}

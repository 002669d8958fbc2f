//! Room in the ring: who has which entries.
//!
//! What a service left rests for a moment before it is given away, since a
//! packet may just be reading it. The smallest gap that is large enough is
//! found without looking through all of them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// A packet is in the path for microseconds; this is a thousand times more. One
/// that is held up for longer meets servers of other services, and is dropped.
/// Longer rests would make those wait who change a large service over and over.
const REST_NS: u64 = 10_000_000;

/// Blocks of ring entries.
#[derive(Debug)]
pub(super) struct Space {
    gaps: Gaps,
    of_service: BTreeMap<u32, Block>,
    /// Blocks that were left, in the order of leaving, and when.
    resting: VecDeque<(Block, u64)>,
}

#[derive(Clone, Copy, Debug)]
struct Block {
    first: u32,
    len: u32,
}

impl Space {
    /// An empty ring of so many entries.
    pub fn new(entries: u32) -> Self {
        let mut gaps = Gaps::default();
        gaps.give(Block {
            first: 0,
            len: entries,
        });
        Space {
            gaps,
            of_service: BTreeMap::new(),
            resting: VecDeque::new(),
        }
    }

    /// The block of a service that is in force already.
    pub fn occupy(&mut self, service: u32, first: u32, len: u32) {
        if len > 0 {
            let block = Block { first, len };
            if self.gaps.take(block).is_some() {
                self.of_service.insert(service, block);
            }
        }
    }

    /// First entry of a free block of `len`, if there is one.
    pub fn find(&mut self, len: u32, now_ns: u64) -> Option<u32> {
        self.free_rested(now_ns);
        self.gaps.smallest(len)
    }

    /// Puts a service into a new block; its old one rests.
    pub fn replace(&mut self, service: u32, first: u32, len: u32, now_ns: u64) {
        self.release(service, now_ns);
        self.occupy(service, first, len);
    }

    pub fn release(&mut self, service: u32, now_ns: u64) {
        if let Some(block) = self.of_service.remove(&service) {
            self.resting.push_back((block, now_ns));
        }
    }

    fn free_rested(&mut self, now_ns: u64) {
        while let Some((block, left_ns)) = self.resting.front().copied() {
            if now_ns.saturating_sub(left_ns) < REST_NS {
                return;
            }
            self.resting.pop_front();
            self.gaps.give(block);
        }
    }
}

/// The free entries: no two gaps touch.
#[derive(Debug, Default)]
struct Gaps {
    /// Length by first entry.
    by_place: BTreeMap<u32, u32>,
    /// Length and first entry.
    by_len: BTreeSet<(u32, u32)>,
}

impl Gaps {
    fn smallest(&self, len: u32) -> Option<u32> {
        if len == 0 {
            return Some(0);
        }
        let found = self.by_len.range((len, 0)..).next();
        found.map(|(_, first)| *first)
    }

    fn give(&mut self, block: Block) {
        let mut gap = block;
        let before = self.by_place.range(..gap.first).next_back();
        if let Some((first, len)) = before.map(|(first, len)| (*first, *len))
            && first + len == gap.first
        {
            self.remove(first, len);
            gap = Block {
                first,
                len: len + gap.len,
            };
        }
        let after = gap.first + gap.len;
        if let Some(len) = self.by_place.get(&after).copied() {
            self.remove(after, len);
            gap.len += len;
        }
        self.insert(gap.first, gap.len);
    }

    /// Takes a block out of the gap that holds it. `None`: none does, and what
    /// is not wholly free is never given back.
    fn take(&mut self, block: Block) -> Option<()> {
        let gap = self.by_place.range(..=block.first).next_back();
        let (first, len) = gap.map(|(first, len)| (*first, *len))?;
        let (end, gap_end) = (block.first.saturating_add(block.len), first + len);
        if end > gap_end {
            return None;
        }
        self.remove(first, len);
        self.insert(first, block.first - first);
        self.insert(end, gap_end - end);
        Some(())
    }

    fn insert(&mut self, first: u32, len: u32) {
        if len > 0 {
            self.by_place.insert(first, len);
            self.by_len.insert((len, first));
        }
    }

    fn remove(&mut self, first: u32, len: u32) {
        self.by_place.remove(&first);
        self.by_len.remove(&(len, first));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_that_was_left_is_given_away_after_its_rest() {
        let mut space = Space::new(20);
        space.occupy(1, 0, 10);
        assert_eq!(space.find(10, 0), Some(10));
        space.replace(1, 10, 10, 0);
        assert_eq!(space.find(10, REST_NS - 1), None);
        assert_eq!(space.find(10, REST_NS), Some(0));
    }

    #[test]
    fn the_smallest_gap_that_is_large_enough_is_found() {
        let mut space = Space::new(20);
        space.occupy(1, 0, 4);
        space.occupy(2, 8, 6);
        assert_eq!(space.find(4, 0), Some(4));
        assert_eq!(space.find(5, 0), Some(14));
        assert_eq!(space.find(7, 0), None);
    }

    #[test]
    fn gaps_that_meet_become_one() {
        let mut space = Space::new(12);
        (0..3).for_each(|service| space.occupy(service, service * 4, 4));
        [0, 2, 1]
            .into_iter()
            .for_each(|service| space.release(service, 0));
        assert_eq!(space.find(12, REST_NS), Some(0));
    }
}

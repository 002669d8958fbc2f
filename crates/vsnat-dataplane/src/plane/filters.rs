//! The bitmaps of the packet path's first question, kept by counting.
//!
//! Several addresses may share a bit, so the daemon counts who needs each: a
//! bit is set by the first that comes and cleared when the last has gone, and a
//! change costs one word, however large the tables. VIPs of deleted services
//! stay as long as a server of theirs is remembered, so that what its clients
//! send is still dropped.

use vsnat_abi::filter::{FILTER_SERVERS, FILTER_VIPS, FILTER_WORDS, Filter, filter_place};
use vsnat_abi::net::Be32;

use crate::Region;

const BITS_PER_WORD: usize = u64::BITS as usize;

/// Both filters.
#[derive(Debug)]
pub(super) struct Filters {
    pub vips: Counted,
    pub servers: Counted,
}

impl Filters {
    pub fn new(region: Region<Filter>) -> Self {
        Filters {
            vips: Counted::new(region, FILTER_VIPS),
            servers: Counted::new(region, FILTER_SERVERS),
        }
    }

    /// Clears what nobody needs: bits that a daemon before this one set.
    pub fn settle(&self) {
        self.vips.settle();
        self.servers.settle();
    }
}

/// One filter, and how many need each of its bits.
#[derive(Debug)]
pub(super) struct Counted {
    region: Region<Filter>,
    element: u32,
    counts: Vec<u32>,
    /// How many need all bits at once.
    everywhere: u32,
}

impl Counted {
    fn new(region: Region<Filter>, element: u32) -> Self {
        Counted {
            region,
            element,
            counts: vec![0; FILTER_WORDS * BITS_PER_WORD],
            everywhere: 0,
        }
    }

    pub fn raise(&mut self, address: Be32) {
        let (word, bit) = filter_place(address);
        let count = &mut self.counts[word * BITS_PER_WORD + bit as usize];
        *count += 1;
        if *count == 1 {
            self.write(word);
        }
    }

    pub fn lower(&mut self, address: Be32) {
        let (word, bit) = filter_place(address);
        let count = &mut self.counts[word * BITS_PER_WORD + bit as usize];
        *count = count.saturating_sub(1);
        if *count == 0 {
            self.write(word);
        }
    }

    pub fn raise_all(&mut self) {
        self.everywhere += 1;
        self.settle();
    }

    pub fn lower_all(&mut self) {
        self.everywhere = self.everywhere.saturating_sub(1);
        self.settle();
    }

    /// Writes every word anew; a bit that stays is never clear in between.
    fn settle(&self) {
        (0..FILTER_WORDS).for_each(|word| self.write(word));
    }

    fn write(&self, word: usize) {
        let Some(filter) = self.region.at(self.element) else {
            return;
        };
        let value = match self.everywhere {
            0 => self.needed(word),
            _ => u64::MAX,
        };
        // SAFETY: a valid element and a place below its length.
        unsafe {
            (&raw mut (*filter).words)
                .cast::<u64>()
                .add(word)
                .write_volatile(value);
        }
    }

    fn needed(&self, word: usize) -> u64 {
        let counts = &self.counts[word * BITS_PER_WORD..][..BITS_PER_WORD];
        let bits = counts.iter().enumerate();
        bits.filter(|(_, count)| **count > 0)
            .fold(0, |value, (bit, _)| value | 1 << bit)
    }
}

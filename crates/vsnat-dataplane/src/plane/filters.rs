//! The bitmaps of the packet path's first question.

use vsnat_abi::destination::dest_state;
use vsnat_abi::filter::{FILTER_SERVERS, FILTER_VIPS, FILTER_WORDS, filter_place};
use vsnat_abi::net::Be32;

use crate::Backend;
use crate::plane::Plane;
use crate::plane::marks::Marked;

impl<B: Backend> Plane<B> {
    /// Writes the filters anew, word by word: a bit that stays is never clear
    /// in between. VIPs of deleted services stay as long as a server of theirs
    /// is remembered, so that what its clients send is still dropped.
    pub(super) fn rebuild_filters(&mut self) {
        let memory = *self.backend.memory();
        let mut vips = [0u64; FILTER_WORDS];
        let mut servers = [0u64; FILTER_WORDS];
        match self.marked() {
            Marked::Any => vips = [u64::MAX; FILTER_WORDS],
            Marked::Addresses(addresses) => {
                for address in addresses {
                    set(&mut vips, Be32::from_bytes(address.octets()));
                }
            }
        }
        for (_, service) in memory.services.iter() {
            if service.used != 0 && !service.key.is_mark() {
                set(&mut vips, service.key.vip);
            }
        }
        for (_, dest) in memory.dests.iter() {
            if dest.state != dest_state::FREE {
                if !dest.service.is_mark() {
                    set(&mut vips, dest.service.vip);
                }
                set(&mut servers, dest.address);
            }
        }
        for (filter, words) in [(FILTER_VIPS, vips), (FILTER_SERVERS, servers)] {
            let Some(filter) = memory.filters.at(filter) else {
                continue;
            };
            for (place, word) in words.into_iter().enumerate() {
                // SAFETY: a valid element and a place below its length.
                unsafe {
                    (&raw mut (*filter).words)
                        .cast::<u64>()
                        .add(place)
                        .write_volatile(word);
                }
            }
        }
    }
}

fn set(words: &mut [u64; FILTER_WORDS], address: Be32) {
    let (word, bit) = filter_place(address);
    words[word] |= 1 << bit;
}

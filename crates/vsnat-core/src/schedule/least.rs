//! `lc` and `wlc`: the server with the least load.
//!
//! An active connection weighs 257 times an inactive one, as in IPVS since
//! 6.9. Of equal servers the earlier in the list is taken.

use vsnat_abi::service::{Entry, MAX_SERVERS_PER_SERVICE, View};

use crate::{Shared, Tables, Visitor};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Load {
    Connections,
    ConnectionsPerWeight,
}

#[inline(always)]
pub(super) fn pick<T: Tables>(tables: &mut T, view: Shared<View>, load: Load) -> Option<u32> {
    let servers = view.servers().min(MAX_SERVERS_PER_SERVICE);
    let weighted = match load {
        Load::Connections => 0,
        Load::ConnectionsPerWeight => 1,
    };
    let least = Least {
        found: 0,
        dest: 0,
        overhead: 0,
        weight: 1,
        weighted,
    };
    let least = tables.scan(view.ring(), servers, least);
    if least.found == 0 {
        None
    } else {
        Some(least.dest)
    }
}

/// All words, since the verifier follows them through the callback's memory.
#[repr(C)]
struct Least {
    found: u64,
    overhead: u64,
    weight: u64,
    weighted: u64,
    dest: u32,
}

impl<T: Tables> Visitor<T> for Least {
    #[inline(always)]
    fn visit(&mut self, tables: &mut T, entry: Entry) {
        let Some(counts) = tables.dest_counts(entry.dest()) else {
            return;
        };
        let active = u64::from(counts.active());
        let overhead = active * 257 + u64::from(counts.inactive());
        let weight = if self.weighted == 0 {
            1
        } else {
            u64::from(entry.weight())
        };
        // Products of 2^32 connections and IPVS's largest weight stay below 2^64
        // as long as a destination holds fewer than 2^24 connections.
        let better = self.overhead * weight > overhead * self.weight;
        if self.found == 0 || better {
            self.found = 1;
            self.dest = entry.dest();
            self.overhead = overhead;
            self.weight = weight;
        }
    }
}

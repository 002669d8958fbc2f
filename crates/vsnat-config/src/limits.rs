//! `[limits]`.

use std::ops::RangeInclusive;

use crate::Limits;
use crate::mistake::Notes;
use crate::section::Section;

/// Below 64 the sweeper's one-second rest of a slot starves a table; 4 million
/// connections are about a gigabyte of memory that cannot be swapped.
const CONNECTIONS: RangeInclusive<u32> = 64..=4_194_304;

/// The counters of every server are read every two seconds, for its rates: of a
/// hundred thousand a tenth of one CPU is busy with that.
const SERVICES: RangeInclusive<u32> = 1..=16_384;
const SERVERS: RangeInclusive<u32> = 1..=131_072;

pub(crate) fn read(section: &Section, notes: &mut Notes) -> Limits {
    section.check_keys(&["connections", "services", "servers"], notes);
    let default = Limits::default();
    let mut limit = |key, range, otherwise| {
        let limit = section.number(key, range, notes);
        limit.unwrap_or(otherwise)
    };
    Limits {
        connections: limit("connections", CONNECTIONS, default.connections),
        services: limit("services", SERVICES, default.services),
        servers: limit("servers", SERVERS, default.servers),
    }
}

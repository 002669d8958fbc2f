//! Where a translated packet leaves.
//!
//! The table of next hops remembers what the kernel's routing answered. An
//! entry older than about a second is asked again, and the packet that asked
//! leaves by the kernel's neighbour look-up: that keeps the kernel probing its
//! neighbours, which plain redirects would not.

use vsnat_abi::destination::DestCounts;
use vsnat_abi::flow::{Direction, FlowKey4};
use vsnat_abi::hop::{
    CLIENT_WAYS, HOP_FRESH, HOP_IDLE, HOP_PROBES, HOPS, Hop, NO_HOP, TO_HOST, TO_SIX, WAY_FRESH,
    hop_index, hop_name, hop_tag, word_tag,
};
use vsnat_abi::net::Be32;
use vsnat_abi::settings::Settings;
use vsnat_abi::time::Coarse;

use crate::six::is_stand_in;
use crate::{Packet, Route, RouteQuery, Shared, Tables};

/// The way out for one packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    Cached {
        ifindex: u32,
        dst_mac: u64,
        src_mac: u64,
        mtu: u16,
    },
    /// Asked just now: the kernel's neighbour look-up sends this one.
    Asked {
        ifindex: u32,
        next_hop: Be32,
        mtu: u16,
    },
    NoRoute,
}

impl Next {
    pub fn mtu(&self) -> u16 {
        match self {
            Next::Cached { mtu, .. } | Next::Asked { mtu, .. } => *mtu,
            Next::NoRoute => u16::MAX,
        }
    }
}

/// A next hop by its name, and when it was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Way {
    pub hop: u32,
    pub asked: Coarse,
}

impl Way {
    pub const NONE: Way = Way {
        hop: NO_HOP,
        asked: 0,
    };

    /// To the host's own stack; no entry of the table has this name.
    pub const TO_HOST: Way = Way {
        hop: TO_HOST,
        asked: 0,
    };

    /// To a stand-in, whose next hop is kept with it.
    pub const TO_SIX: Way = Way {
        hop: TO_SIX,
        asked: 0,
    };

    #[inline(always)]
    pub fn is_to_host(&self) -> bool {
        self.hop == TO_HOST
    }

    #[inline(always)]
    pub fn is_to_six(&self) -> bool {
        self.hop == TO_SIX
    }

    /// Whether a step of its own takes what goes this way.
    #[inline(always)]
    pub fn is_apart(&self) -> bool {
        self.hop == TO_HOST || self.hop == TO_SIX
    }
}

const MAC_MASK: u64 = 0xffff_ffff_ffff;
/// An MTU nobody told; larger than any packet.
const MTU_UNKNOWN: u16 = u16::MAX;

/// The way that was last asked towards a server or a client.
#[inline(always)]
pub(crate) fn remembered<T: Tables>(
    tables: &T,
    direction: Direction,
    dest: u32,
    client: Be32,
) -> Way {
    let way = match direction {
        Direction::Forward => tables.dest_counts(dest).map(Shared::<DestCounts>::way),
        Direction::Reply => tables
            .client_way(client_home(client))
            .and_then(|entry| entry.way(client)),
    };
    way.unwrap_or(Way::NONE)
}

/// The way that a new connection starts with, of which the server's key is
/// given: kept with a stand-in, or what was remembered.
#[inline(always)]
pub(crate) fn first<T: Tables>(
    tables: &T,
    settings: Shared<Settings>,
    direction: Direction,
    dest: u32,
    reply: &FlowKey4,
) -> Way {
    let to = match direction {
        Direction::Forward => reply.src,
        Direction::Reply => reply.dst,
    };
    match is_stand_in(settings, to) {
        true => Way::TO_SIX,
        false => remembered(tables, direction, dest, reply.dst),
    }
}

/// Remembers a way for the connections to come.
#[inline(always)]
pub(crate) fn remember<T: Tables>(
    tables: &T,
    direction: Direction,
    dest: u32,
    client: Be32,
    way: Way,
) {
    match direction {
        Direction::Forward => {
            if let Some(counts) = tables.dest_counts(dest) {
                counts.set_way(way);
            }
        }
        Direction::Reply => {
            if let Some(entry) = tables.client_way(client_home(client)) {
                entry.set_way(client, way);
            }
        }
    }
}

#[inline(always)]
fn client_home(client: Be32) -> u32 {
    client.raw().wrapping_mul(0x9e37_79b1) >> 20
}

const _: () = assert!(CLIENT_WAYS == 1 << 12, "client_home() keeps twelve bits");

/// The cached next hop of a way, while both are fresh.
#[inline(always)]
pub(crate) fn cached<T: Tables>(
    tables: &T,
    way: Way,
    generation: u16,
    now: Coarse,
) -> Option<Next> {
    let name = way.hop;
    if name == NO_HOP || age(way.asked, now) > WAY_FRESH {
        return None;
    }
    let hop = tables.hop(hop_index(name))?;
    let (dst_mac, src_mac, link, asked) = (hop.dst_mac(), hop.src_mac(), hop.link(), hop.asked());
    let tag = hop_tag(name);
    if word_tag(dst_mac) != tag
        || word_tag(src_mac) != tag
        || word_tag(link) != tag
        || word_tag(asked) != tag
        || (asked >> 32) as u16 != generation
        || age(asked as Coarse, now) > HOP_FRESH
    {
        return None;
    }
    Some(Next::Cached {
        ifindex: link as u32,
        dst_mac: dst_mac & MAC_MASK,
        src_mac: src_mac & MAC_MASK,
        mtu: (link >> 32) as u16,
    })
}

/// Asks the kernel; answers the way out and the name to remember it by.
#[inline(always)]
pub(crate) fn ask<P: Packet, T: Tables>(
    packet: &mut P,
    tables: &mut T,
    query: &RouteQuery,
    generation: u16,
    now: Coarse,
) -> (Next, u32) {
    match packet.route(query) {
        Route::None => (Next::NoRoute, NO_HOP),
        Route::Unresolved { ifindex, next_hop } => (
            Next::Asked {
                ifindex,
                next_hop,
                mtu: MTU_UNKNOWN,
            },
            NO_HOP,
        ),
        Route::Neighbour {
            ifindex,
            next_hop,
            dst_mac,
            src_mac,
            mtu,
        } => {
            let identity = u64::from(ifindex) | u64::from(next_hop.raw()) << 32;
            let name = match entry(tables, identity, now) {
                None => NO_HOP,
                Some((index, hop)) => {
                    let tag = tag_of(identity);
                    let tag_bits = u64::from(tag) << 48;
                    hop.set(
                        dst_mac | tag_bits,
                        src_mac | tag_bits,
                        u64::from(ifindex) | u64::from(mtu) << 32 | tag_bits,
                        u64::from(now) | u64::from(generation) << 32 | tag_bits,
                    );
                    hop_name(index, tag)
                }
            };
            (
                Next::Asked {
                    ifindex,
                    next_hop,
                    mtu,
                },
                name,
            )
        }
    }
}

/// CPUs read the clock at different moments: what another one asked just now
/// may lie ahead, and is not old.
#[inline(always)]
fn age(then: Coarse, now: Coarse) -> Coarse {
    let age = now.wrapping_sub(then);
    if age < 1 << 31 { age } else { 0 }
}

/// The entry of a neighbour: its own, or one that it may take.
#[inline(always)]
fn entry<T: Tables>(tables: &T, identity: u64, now: Coarse) -> Option<(u32, Shared<Hop>)> {
    let first = home(identity);
    for probe in 0..HOP_PROBES {
        let index = (first + probe) & (HOPS - 1);
        let hop = tables.hop(index)?;
        if hop.identity() == identity {
            return Some((index, hop));
        }
    }
    for probe in 0..HOP_PROBES {
        let index = (first + probe) & (HOPS - 1);
        let hop = tables.hop(index)?;
        let owner = hop.identity();
        let idle = age(hop.asked() as Coarse, now) > HOP_IDLE;
        if (owner == 0 || idle) && hop.claim(owner, identity) {
            return Some((index, hop));
        }
    }
    None
}

/// The tag of a neighbour is a hash of it: two that follow each other in an
/// entry differ but once in 65,536 times, and then only ways that are older
/// than a minute could be misled, which are asked again after seconds.
#[inline(always)]
fn tag_of(identity: u64) -> u16 {
    (identity.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 48) as u16
}

#[inline(always)]
fn home(identity: u64) -> u32 {
    let mixed = (identity ^ identity >> 32) as u32;
    mixed.wrapping_mul(0x9e37_79b1) >> 20
}

const _: () = assert!(HOPS == 1 << 12, "home() keeps twelve bits");

//! The flow table: from the addresses of a packet to a slot.
//!
//! The kernel recycles hash elements while readers look at them, so a value is
//! one aligned word that is copied at once and then proved against the slot it
//! names: generation and key must match, or the packet has no flow.

use crate::net::{Be16, Be32};

/// One direction of an IPv4 flow, as its packets carry it.
#[repr(C, align(8))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FlowKey4 {
    pub src: Be32,
    pub dst: Be32,
    pub src_port: Be16,
    pub dst_port: Be16,
    /// IP protocol number.
    pub protocol: u8,
    /// One of [`kind`].
    pub kind: u8,
    /// Always zero: the kernel hashes all sixteen bytes.
    pub zero: [u8; 2],
}

/// What a key stands for.
pub mod kind {
    /// The packets of a connection.
    pub const FLOW: u8 = 0;
    /// The clients that stay with one server: no packet carries such a key.
    pub const TEMPLATE: u8 = 1;
}

const _: () = assert!(size_of::<FlowKey4>() == 16);

impl FlowKey4 {
    #[inline(always)]
    pub const fn new(
        protocol: u8,
        src: Be32,
        src_port: Be16,
        dst: Be32,
        dst_port: Be16,
    ) -> FlowKey4 {
        FlowKey4 {
            src,
            dst,
            src_port,
            dst_port,
            protocol,
            kind: kind::FLOW,
            zero: [0; 2],
        }
    }

    /// The key of a template: a client network, and the service's address or
    /// its mark.
    #[inline(always)]
    pub const fn template(protocol: u8, client: Be32, virtual_: Be32, port: Be16) -> FlowKey4 {
        FlowKey4 {
            kind: kind::TEMPLATE,
            ..FlowKey4::new(protocol, client, Be16::ZERO, virtual_, port)
        }
    }

    #[inline(always)]
    pub const fn is_template(&self) -> bool {
        self.kind != kind::FLOW
    }

    /// The key as two words, to be hashed and compared.
    #[inline(always)]
    pub const fn words(&self) -> [u64; 2] {
        // SAFETY: sixteen bytes without padding, aligned as words.
        unsafe { core::mem::transmute(*self) }
    }

    #[inline(always)]
    pub const fn from_words(words: [u64; 2]) -> FlowKey4 {
        // SAFETY: any sixteen bytes are a key.
        unsafe { core::mem::transmute(words) }
    }

    /// Where the key's flow is remembered in the map of recent flows, of which
    /// the mask is the number of cells less one. The high half of each product,
    /// folded into the low one, is what all bits reached.
    #[inline(always)]
    pub const fn recent_place(&self, mask: u32) -> u32 {
        let [ends, rest] = self.words();
        let mixed = ends.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mixed = (mixed ^ mixed >> 32)
            .wrapping_add(rest)
            .wrapping_mul(0xd6e8_feb8_6659_fd93);
        (mixed >> 32) as u32 & mask
    }

    /// The key of the packets that answer this one.
    #[inline(always)]
    pub const fn reversed(&self) -> FlowKey4 {
        FlowKey4::new(
            self.protocol,
            self.dst,
            self.dst_port,
            self.src,
            self.src_port,
        )
    }
}

/// Which of a slot's two keys a packet carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Client to server.
    Forward,
    /// Server to client.
    Reply,
}

/// Value of the flow table: slot index, generation and direction in one word.
#[repr(transparent)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlowRef(u64);

const _: () = assert!(size_of::<FlowRef>() == 8);

const GENERATION_SHIFT: u32 = 32;
const REPLY_BIT: u64 = 1 << 63;

/// Cells of the map of recent flows for so many connections, whose two keys
/// each are to find a place of their own more often than not.
pub const fn recent_cells(connections: u32) -> u32 {
    connections.saturating_mul(3).next_power_of_two()
}

/// Generations are counted modulo 2^24; a reader holds a reference for
/// microseconds and a slot is reused at most once a second.
pub const GENERATION_MASK: u32 = 0x00ff_ffff;

impl FlowRef {
    #[inline(always)]
    pub const fn new(slot: u32, generation: u32, direction: Direction) -> Self {
        let reply = match direction {
            Direction::Forward => 0,
            Direction::Reply => REPLY_BIT,
        };
        let generation = (generation & GENERATION_MASK) as u64;
        FlowRef(slot as u64 | generation << GENERATION_SHIFT | reply)
    }

    #[inline(always)]
    pub const fn from_raw(raw: u64) -> Self {
        FlowRef(raw)
    }

    #[inline(always)]
    pub const fn raw(self) -> u64 {
        self.0
    }

    #[inline(always)]
    pub const fn slot(self) -> u32 {
        self.0 as u32
    }

    #[inline(always)]
    pub const fn generation(self) -> u32 {
        (self.0 >> GENERATION_SHIFT) as u32 & GENERATION_MASK
    }

    #[inline(always)]
    pub const fn direction(self) -> Direction {
        if self.0 & REPLY_BIT == 0 {
            Direction::Forward
        } else {
            Direction::Reply
        }
    }
}

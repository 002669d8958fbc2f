//! The connection table: one slot for each connection.
//!
//! A slot holds the keys of both directions. They are the rewrite too: a
//! packet that carries one key leaves with the other one reversed, so source
//! and destination, address and port can all change.

use crate::flow::{FlowKey4, GENERATION_MASK};
use crate::time::Coarse;

/// One connection, or one template of a persistent service: its forward key
/// names the clients, its reply key the server. Shared with the daemon by mmap; the daemon only reads.
#[repr(C, align(64))]
#[derive(Debug)]
pub struct Slot {
    /// A [`SlotWord`]; changed by compare-and-swap only.
    pub word: u64,
    /// As the client's packets arrive.
    pub forward: FlowKey4,
    /// As the server's packets arrive.
    pub reply: FlowKey4,
    /// Index of the destination.
    pub dest: u32,
    /// Next hop towards the server; see [`crate::hop`].
    pub hop_forward: u32,
    /// Next hop towards the client.
    pub hop_reply: u32,
    /// When the two were asked. A template, which goes nowhere, has its timeout
    /// in the first.
    pub asked_forward: Coarse,
    pub asked_reply: Coarse,
    /// A connection: index of its template + 1, or 0. A template: how many
    /// connections it has.
    pub control: u32,
}

const _: () = assert!(size_of::<Slot>() == 64);

/// Life of a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Its index is in the free list.
    Free,
    /// One CPU is giving it a new server; packets treat it as absent.
    Opening,
    Live,
    /// Its keys are gone; it waits until no reader can hold a reference.
    Dying,
}

/// States of IPVS's TCP table, one for UDP, and one for templates. SCTP counts
/// its own; see `vsnat_core::sctp`.
pub mod state {
    pub const NONE: u32 = 0;
    pub const ESTABLISHED: u32 = 1;
    pub const SYN_SENT: u32 = 2;
    pub const SYN_RECV: u32 = 3;
    pub const FIN_WAIT: u32 = 4;
    pub const TIME_WAIT: u32 = 5;
    pub const CLOSE: u32 = 6;
    pub const CLOSE_WAIT: u32 = 7;
    pub const LAST_ACK: u32 = 8;
    pub const LISTEN: u32 = 9;
    pub const SYNACK: u32 = 10;
    pub const UDP: u32 = 11;
    /// A template whose connections were answered; before that it is NONE.
    pub const ASSURED: u32 = 12;
    /// Size of tables indexed by a state: the field has four bits.
    pub const COUNT: usize = 16;
}

/// Deadline, generation, state, phase and epoch in one word, so that whoever
/// changes a connection sees all of it or fails.
#[repr(transparent)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlotWord(u64);

const GENERATION_SHIFT: u32 = 32;
const STATE_SHIFT: u32 = 56;
const PHASE_SHIFT: u32 = 60;
const EPOCH_SHIFT: u32 = 62;
/// Everything but state and deadline: phase, generation and epoch.
const TENANCY: u64 = !(0xf << STATE_SHIFT | 0xffff_ffff);

impl SlotWord {
    #[inline(always)]
    pub const fn new(phase: Phase, state: u32, generation: u32, deadline: Coarse) -> Self {
        let phase = match phase {
            Phase::Free => 0,
            Phase::Opening => 1,
            Phase::Live => 2,
            Phase::Dying => 3,
        };
        SlotWord(
            deadline as u64
                | ((generation & GENERATION_MASK) as u64) << GENERATION_SHIFT
                | ((state & 0xf) as u64) << STATE_SHIFT
                | (phase as u64) << PHASE_SHIFT,
        )
    }

    #[inline(always)]
    pub const fn from_raw(raw: u64) -> Self {
        SlotWord(raw)
    }

    #[inline(always)]
    pub const fn raw(self) -> u64 {
        self.0
    }

    #[inline(always)]
    pub const fn deadline(self) -> Coarse {
        self.0 as Coarse
    }

    #[inline(always)]
    pub const fn generation(self) -> u32 {
        (self.0 >> GENERATION_SHIFT) as u32 & GENERATION_MASK
    }

    /// One of [`state`].
    #[inline(always)]
    pub const fn state(self) -> u32 {
        (self.0 >> STATE_SHIFT) as u32 & 0xf
    }

    #[inline(always)]
    pub const fn phase(self) -> Phase {
        match self.0 >> PHASE_SHIFT & 3 {
            0 => Phase::Free,
            1 => Phase::Opening,
            2 => Phase::Live,
            _ => Phase::Dying,
        }
    }

    /// The same word with another state and deadline.
    #[inline(always)]
    pub const fn with(self, state: u32, deadline: Coarse) -> Self {
        let state = ((state & 0xf) as u64) << STATE_SHIFT;
        SlotWord(self.0 & TENANCY | state | deadline as u64)
    }

    /// The same word in another phase.
    #[inline(always)]
    pub const fn in_phase(self, phase: Phase) -> Self {
        let fresh = SlotWord::new(phase, 0, 0, 0);
        SlotWord(self.0 & !(3 << PHASE_SHIFT) | fresh.0)
    }

    /// The same word in the next epoch: the slot got another server.
    #[inline(always)]
    pub const fn next_epoch(self) -> Self {
        SlotWord(self.0.wrapping_add(1 << EPOCH_SHIFT))
    }

    /// Whether keys read between the two words belong together: nobody gave
    /// the slot to another connection or another server in between.
    #[inline(always)]
    pub const fn same_tenancy(self, other: SlotWord) -> bool {
        (self.0 ^ other.0) & TENANCY == 0
    }

    #[inline(always)]
    pub const fn is_live(self) -> bool {
        self.0 >> PHASE_SHIFT & 3 == 2
    }
}

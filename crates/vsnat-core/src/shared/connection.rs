//! Connections, and the servers that have them.

use vsnat_abi::destination::{Dest, DestCounts, DestStats};
use vsnat_abi::flow::{Direction, FlowKey4};
use vsnat_abi::net::{Be16, Be32};
use vsnat_abi::service::ServiceKey4;
use vsnat_abi::slot::{Slot, SlotWord};
use vsnat_abi::time::Coarse;

use crate::hop::Way;
use crate::{Shared, atomic};

/// A key as two words: field by field it would be six loads.
///
/// # Safety
/// `key` is valid and aligned.
#[inline(always)]
unsafe fn load_key(key: *const FlowKey4) -> FlowKey4 {
    let words = key.cast::<u64>();
    // SAFETY: as the caller promised; two words.
    FlowKey4::from_words(unsafe { [words.read_volatile(), words.add(1).read_volatile()] })
}

impl Shared<Slot> {
    #[inline(always)]
    pub fn word(self) -> SlotWord {
        SlotWord::from_raw(read!(self, word))
    }

    #[inline(always)]
    pub fn set_word(self, word: SlotWord) {
        write!(self, word, word.raw());
    }

    /// Changes the word if nobody else has; otherwise answers what it is.
    #[inline(always)]
    pub fn change_word(self, from: SlotWord, to: SlotWord) -> Result<(), SlotWord> {
        // SAFETY: `Shared::new` was promised a valid pointer.
        let seen =
            unsafe { atomic::compare_exchange(&raw mut (*self.0).word, from.raw(), to.raw()) };
        if seen == from.raw() {
            Ok(())
        } else {
            Err(SlotWord::from_raw(seen))
        }
    }

    #[inline(always)]
    pub fn forward(self) -> FlowKey4 {
        // SAFETY: `Shared::new` was promised a valid pointer.
        unsafe { load_key(&raw const (*self.0).forward) }
    }

    #[inline(always)]
    pub fn reply(self) -> FlowKey4 {
        // SAFETY: as in `forward`.
        unsafe { load_key(&raw const (*self.0).reply) }
    }

    #[inline(always)]
    pub fn dest(self) -> u32 {
        read!(self, dest)
    }

    /// Next hop of a direction, and when it was asked.
    #[inline(always)]
    pub fn way(self, direction: Direction) -> Way {
        match direction {
            Direction::Forward => Way {
                hop: read!(self, hop_forward),
                asked: read!(self, asked_forward),
            },
            Direction::Reply => Way {
                hop: read!(self, hop_reply),
                asked: read!(self, asked_reply),
            },
        }
    }

    #[inline(always)]
    pub fn set_way(self, direction: Direction, way: Way) {
        match direction {
            Direction::Forward => {
                write!(self, hop_forward, way.hop);
                write!(self, asked_forward, way.asked);
            }
            Direction::Reply => {
                write!(self, hop_reply, way.hop);
                write!(self, asked_reply, way.asked);
            }
        }
    }

    #[inline(always)]
    pub fn set_forward(self, key: FlowKey4) {
        write!(self, forward, key);
    }

    #[inline(always)]
    pub fn set_reply(self, key: FlowKey4) {
        write!(self, reply, key);
    }

    #[inline(always)]
    pub fn set_dest(self, dest: u32) {
        write!(self, dest, dest);
    }

    #[inline(always)]
    pub fn control(self) -> u32 {
        read!(self, control)
    }

    #[inline(always)]
    pub fn set_control(self, control: u32) {
        write!(self, control, control);
    }

    /// How long a template lives after its last new connection. It goes
    /// nowhere itself, so the moment when its way was asked for is free.
    #[inline(always)]
    pub fn timeout(self) -> Coarse {
        read!(self, asked_forward)
    }

    #[inline(always)]
    pub fn set_timeout(self, timeout: Coarse) {
        write!(self, asked_forward, timeout);
    }

    /// Adds to a template's connections; `u32::MAX` takes one away.
    #[inline(always)]
    pub fn add_control(self, value: u32) {
        // SAFETY: `Shared::new` was promised a valid pointer.
        unsafe { atomic::add(&raw mut (*self.0).control, value) }
    }
}

impl Shared<Dest> {
    #[inline(always)]
    pub fn address(self) -> Be32 {
        read!(self, address)
    }

    #[inline(always)]
    pub fn port(self) -> Be16 {
        read!(self, port)
    }

    /// One of [`vsnat_abi::destination::forwarding`].
    #[inline(always)]
    pub fn forwarding(self) -> u16 {
        read!(self, forwarding)
    }

    #[inline(always)]
    pub fn state(self) -> u32 {
        read!(self, state)
    }

    #[inline(always)]
    pub fn service(self) -> ServiceKey4 {
        read!(self, service)
    }

    #[inline(always)]
    pub fn weight(self) -> u32 {
        read!(self, weight)
    }

    #[inline(always)]
    pub fn upper(self) -> u32 {
        read!(self, upper)
    }

    #[inline(always)]
    pub fn lower(self) -> u32 {
        read!(self, lower)
    }

    #[inline(always)]
    pub fn source(self) -> Be32 {
        read!(self, source)
    }

    #[inline(always)]
    pub fn overload_epoch(self) -> u32 {
        read!(self, overload_epoch)
    }
}

impl Shared<DestCounts> {
    #[inline(always)]
    pub fn active(self) -> u32 {
        read!(self, active)
    }

    #[inline(always)]
    pub fn inactive(self) -> u32 {
        read!(self, inactive)
    }

    /// Adds to one of the two counts; `u32::MAX` takes one away.
    #[inline(always)]
    pub fn add_active(self, value: u32) {
        // SAFETY: `Shared::new` was promised a valid pointer.
        unsafe { atomic::add(&raw mut (*self.0).active, value) }
    }

    #[inline(always)]
    pub fn add_inactive(self, value: u32) {
        // SAFETY: `Shared::new` was promised a valid pointer.
        unsafe { atomic::add(&raw mut (*self.0).inactive, value) }
    }

    #[inline(always)]
    pub fn add_persistent(self, value: u32) {
        // SAFETY: `Shared::new` was promised a valid pointer.
        unsafe { atomic::add(&raw mut (*self.0).persistent, value) }
    }

    #[inline(always)]
    pub fn overloaded(self) -> u32 {
        read!(self, overloaded)
    }

    #[inline(always)]
    pub fn set_overloaded(self, epoch: u32) {
        write!(self, overloaded, epoch);
    }

    #[inline(always)]
    pub fn way(self) -> Way {
        Way {
            hop: read!(self, hop),
            asked: read!(self, asked),
        }
    }

    #[inline(always)]
    pub fn set_way(self, way: Way) {
        write!(self, hop, way.hop);
        write!(self, asked, way.asked);
    }
}

impl Shared<DestStats> {
    #[inline(always)]
    pub fn count_connection(self) {
        bump!(self, connections, 1);
    }

    #[inline(always)]
    pub fn count_in(self, bytes: u64) {
        bump!(self, in_packets, 1);
        bump!(self, in_bytes, bytes);
    }

    #[inline(always)]
    pub fn count_out(self, bytes: u64) {
        bump!(self, out_packets, 1);
        bump!(self, out_bytes, bytes);
    }
}

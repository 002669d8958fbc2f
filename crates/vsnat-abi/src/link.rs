//! Links that XDP may use: what a frame that is no packet of the stack yet
//! cannot tell by itself.

/// Places of the table. An interface has one place only: of two whose indices
/// differ by a multiple of this, the second goes without.
pub const LINKS: u32 = 4_096;

/// One interface. Written by the daemon.
#[repr(C, align(8))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Link {
    /// Its index, and bits of [`can`]. 0: nobody.
    pub state: u64,
    /// Its MAC in the low 48 bits, in the order of the wire.
    pub mac: u64,
}

const _: () = assert!(size_of::<Link>() == 16);

/// Bits above the index.
pub mod can {
    /// Frames that arrive here may be taken.
    pub const RECEIVE: u64 = 1 << 32;
    /// The driver sends frames that were redirected here.
    pub const SEND: u64 = 1 << 33;
}

#[inline(always)]
pub const fn link_place(ifindex: u32) -> u32 {
    ifindex & (LINKS - 1)
}

impl Link {
    /// Whether this is the interface, and all these bits of [`can`] are set.
    #[inline(always)]
    pub const fn is(state: u64, ifindex: u32, bits: u64) -> bool {
        state & (0xffff_ffff | bits) == ifindex as u64 | bits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interface_is_its_index_and_its_bits() {
        let state = 7 | can::SEND;
        assert!(Link::is(state, 7, can::SEND));
        assert!(!Link::is(state, 7, can::RECEIVE));
        assert!(!Link::is(state, 7 + LINKS, can::SEND));
        assert!(Link::is(state | can::RECEIVE, 7, can::RECEIVE));
        assert!(!Link::is(0, 7, can::SEND));
    }
}
